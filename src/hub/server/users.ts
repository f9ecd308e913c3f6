/** Who may do what at a hub: names, roles and public keys in `users.json`; a key file for each. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createUser } from '@nats-io/nkeys';
import { z } from 'zod';
import { MemloopError } from '../../shared/errors.js';
import { fileVersion } from '../../shared/file-version.js';
import { makeFolder, writePrivately } from '../../shared/files.js';
import { readJson } from '../../shared/json.js';
import { type HubKey, keyPath } from '../key.js';
import { nameSchema, ROLES, type Role } from '../messages.js';

const usersSchema = z.object({
  memloopHubUsers: fileVersion(1),
  users: z.array(
    z.object({ name: nameSchema, role: z.enum(ROLES), key: z.string().regex(/^U[A-Z2-7]{55}$/) }),
  ),
});
export type HubUser = z.infer<typeof usersSchema>['users'][number];

/** The hub's own key: it alone may ask for anything of JetStream. */
export const HUB_NAME = 'hub';
const RESERVED = new Set([HUB_NAME, 'pool']);

const usersPath = (folder: string) => join(folder, 'users.json');

export const readUsers = (folder: string): HubUser[] =>
  readJson(usersPath(folder), usersSchema, { hint: 'mend it or move it away', missing: 'undefined' })
    ?.users ?? [];

function writeUsers(folder: string, users: readonly HubUser[]): void {
  writePrivately(usersPath(folder), `${JSON.stringify({ memloopHubUsers: 1, users }, undefined, 2)}\n`);
}

export interface NewUser {
  name: string;
  role: Role;
  url: string;
  ca?: string | undefined;
  out?: string | undefined;
}

/**
 * Makes a key and writes it to `keys/NAME.json` in the hub's folder, or to `out`; readable by its owner only. Returns its
 * path. Errors: `bad-input` for a name that is not good or taken, `disk`.
 */
export const addUser = (folder: string, user: NewUser): string => addUsers(folder, [user])[0];

/** The same of many at once. */
export function addUsers(folder: string, added: readonly NewUser[]): string[] {
  const users = readUsers(folder);
  const names = new Set(users.map(({ name }) => name));
  makeFolder(join(folder, 'keys'));
  const paths: string[] = [];
  for (const { name, role, url, ca, out = keyPath(folder, name) } of added) {
    checkName(name, names);
    names.add(name);
    const pair = createUser();
    writePrivately(out, keyText({ url, name, role, seed: Buffer.from(pair.getSeed()).toString(), ca }));
    users.push({ name, role, key: pair.getPublicKey() });
    paths.push(out);
  }
  writeUsers(folder, users);
  return paths;
}

function checkName(name: string, taken: ReadonlySet<string>): void {
  const checked = nameSchema.safeParse(name);
  if (!checked.success || RESERVED.has(name))
    throw new MemloopError(
      'bad-input',
      `"${name}" cannot be a name: ${checked.success ? 'it is reserved' : checked.error.issues[0]?.message}`,
    );
  if (taken.has(name))
    throw new MemloopError(
      'bad-input',
      `there is a user or bench ${name} already: \`memloop hub user remove ${name}\` first, or take another name`,
    );
}

/** Takes somebody's rights. Error: `bad-input`. */
export function removeUser(folder: string, name: string): void {
  const users = readUsers(folder);
  const rest = users.filter((user) => user.name !== name);
  if (rest.length === users.length)
    throw new MemloopError(
      'bad-input',
      `there is no user or bench ${name}; there are: ${users.map((user) => user.name).join(', ') || 'none'}`,
    );
  writeUsers(folder, rest);
  rmSync(keyPath(folder, name), { force: true });
}

const keyText = ({
  ca,
  ...key
}: Omit<HubKey, 'memloopHubKey' | 'ca'> & { ca?: string | undefined }): string =>
  `${JSON.stringify({ memloopHubKey: 1, ...key, ...(ca !== undefined && { ca }) }, undefined, 2)}\n`;

/** The hub's own key pair, made once: its file, and its public key. */
export function ownKey(folder: string, url: string): { key: HubKey; publicKey: string } {
  const path = join(folder, 'hub.json');
  const stored = z.object({ seed: z.string(), key: z.string() });
  if (!existsSync(path)) {
    makeFolder(folder);
    const pair = createUser();
    const seed = Buffer.from(pair.getSeed()).toString();
    writePrivately(path, `${JSON.stringify({ seed, key: pair.getPublicKey() })}\n`);
  }
  const { seed, key } = readJson(path, stored, { hint: 'move it away, and a new one is made' });
  return { key: { memloopHubKey: 1, url, name: HUB_NAME, role: 'operator', seed }, publicKey: key };
}
