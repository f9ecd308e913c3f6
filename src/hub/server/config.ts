/** The configuration of nats-server, written anew at each start and for each change of the users. */
import { join } from 'node:path';
import { writePrivately } from '../../shared/files.js';
import { MAX_PAYLOAD } from '../messages.js';
import { type Permissions, permissionsOf } from './permissions.js';
import type { HubUser } from './users.js';

export interface ServerSettings {
  /** Where its streams, log and process id are kept. */
  folder: string;
  host: string;
  port: number;
  /** Files in PEM. */
  tls?: { certificate: string; key: string } | undefined;
  /** Bytes that its streams may take on disk. */
  storage: number;
}

export const CONFIG = 'nats-server.conf';
export const LOG = 'nats-server.log';
export const PID = 'nats-server.pid';

/** Writes `nats-server.conf`, readable by its owner only; returns its path. */
export function writeConfig(settings: ServerSettings, users: readonly HubUser[], hubKey: string): string {
  const path = join(settings.folder, CONFIG);
  writePrivately(path, configText(settings, users, hubKey));
  return path;
}

/** As a text: JSON strings are strings of the server's format too. */
export function configText(settings: ServerSettings, users: readonly HubUser[], hubKey: string): string {
  const { folder, host, port, tls, storage } = settings;
  const quote = (text: string) => JSON.stringify(text);
  return [
    '# Written by `memloop hub`: changes are lost. Users come and go by `memloop hub user`.',
    `listen: ${quote(`${host}:${port}`)}`,
    `max_payload: ${MAX_PAYLOAD}`,
    // A viewer that takes nothing is cut off and holds up nobody.
    'write_deadline: "2s"',
    'max_pending: 16MB',
    `pid_file: ${quote(join(folder, PID))}`,
    `log_file: ${quote(join(folder, LOG))}`,
    'logfile_size_limit: 64MB',
    ...(tls ? [`tls { cert_file: ${quote(tls.certificate)}, key_file: ${quote(tls.key)} }`] : []),
    `jetstream { store_dir: ${quote(join(folder, 'streams'))}, max_memory_store: 0, max_file_store: ${storage} }`,
    'accounts {',
    '  SYS { }',
    '  MEMLOOP {',
    '    jetstream: enabled',
    '    users: [',
    `      { nkey: ${hubKey} }`,
    ...users.map(
      (user) => `      { nkey: ${user.key}, permissions: ${permissionText(permissionsOf(user))} }`,
    ),
    '    ]',
    '  }',
    '}',
    'system_account: SYS',
    '',
  ].join('\n');
}

const permissionText = ({ publish, subscribe, answers }: Permissions): string => {
  const list = (all: readonly string[]) => `[${all.map((subject) => JSON.stringify(subject)).join(', ')}]`;
  const allow = answers ? ', allow_responses: { max: 1, expires: "1m" }' : '';
  return `{ publish: ${list(publish)}, subscribe: ${list(subscribe)}${allow} }`;
};
