/** Keys: who one is at a hub. A seed is never logged, shown or put into an error. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { MemloopError } from '../shared/errors.js';
import { fileVersion } from '../shared/file-version.js';
import { parseJson } from '../shared/json.js';
import { nameSchema, ROLES } from './messages.js';

/** A key file, which `memloop hub user add` writes. */
export const keySchema = z.object({
  memloopHubKey: fileVersion(1),
  /** Where the hub is; `--hub` and MEMLOOP_HUB come first. */
  url: z.string(),
  name: nameSchema,
  role: z.enum(ROLES),
  /** The nkey's seed. */
  seed: z.string().regex(/^SU[A-Z2-7]{56}$/, 'is no nkey seed'),
  /** PEM of the authority that signed the hub's certificate, where it is one's own. */
  ca: z.string().optional(),
});
export type HubKey = z.infer<typeof keySchema>;

/** Where `hub serve` keeps its files, and the keys of this machine. */
export const hubFolder = (home: string): string => join(home, 'hub');
export const keyPath = (folder: string, name: string): string => join(folder, 'keys', `${name}.json`);

export interface KeyOptions {
  /** `--hub`. */
  url?: string | undefined;
  /** `--hub-key`: a file. */
  file?: string | undefined;
  /** Folder of memloop's data. */
  home: string;
  /** The name of the key that `hub serve` made on this machine, for when none is given. */
  name: string;
  /** Default process.env. */
  env?: Readonly<Record<string, string | undefined>>;
}

/**
 * The key that `--hub-key` or MEMLOOP_HUB_KEY names, or is itself (JSON), or that `hub serve` made on this machine; with
 * the hub's URL by `--hub` or MEMLOOP_HUB, or its own. Errors: `usage`, `bad-file`.
 */
export function readKey({ url, file, home, name, env = process.env }: KeyOptions): HubKey {
  const given = file ?? (env.MEMLOOP_HUB_KEY || undefined);
  const path = given ?? keyPath(hubFolder(home), name);
  const inline = path.trimStart().startsWith('{');
  if (given === undefined && !existsSync(path))
    throw new MemloopError(
      'usage',
      'no key for a hub: give --hub-key FILE or set MEMLOOP_HUB_KEY (`memloop hub user add` on the hub makes one; `memloop hub serve` on this machine too)',
    );
  let text = path;
  if (!inline) {
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      throw new MemloopError(
        'bad-file',
        `cannot read the hub key ${path}: ${(error as NodeJS.ErrnoException).code}; give another --hub-key`,
      );
    }
  }
  const what = inline ? 'MEMLOOP_HUB_KEY' : `the hub key ${path}`;
  const key = parseJson(text, keySchema, { what, hint: '`memloop hub user add` makes one' });
  return { ...key, url: url ?? (env.MEMLOOP_HUB || key.url) };
}
