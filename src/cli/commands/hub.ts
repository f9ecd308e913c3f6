import { once } from 'node:events';
import { type Command, Option } from 'commander';
import type { Role } from '../../hub/index.js';
import { action, type Outcome, type Session, writeLine } from '../command.js';
import { type HubOptions, hubOf, withHub } from '../hub.js';
import { wholeNumber } from '../numbers.js';

interface ServeOptions {
  folder?: string;
  host: string;
  listen: number;
  tlsCert?: string;
  tlsKey?: string;
  tlsCa?: string;
  storage: number;
  url?: string;
}

interface UserOptions {
  folder?: string;
  role: Role;
  out?: string;
}

const FOLDER = [
  '--folder <dir>',
  "the hub's files: keys, streams, logs (default: hub/ in MEMLOOP_HOME)",
] as const;

export function register(program: Command): void {
  const hub = program.command('hub').description('many benches, many people: the server between them');
  hub
    .command('serve')
    .description('serve a hub until Ctrl-C; at the first start it makes keys for this machine')
    .option(...FOLDER)
    .option('--host <address>', 'where it listens; another than loopback needs TLS', '127.0.0.1')
    .option('--listen <port>', 'its port; 0 takes a free one', wholeNumber(0, 65535), 4222)
    .option('--tls-cert <file>', 'certificate, PEM')
    .option('--tls-key <file>', 'its key, PEM')
    .option(
      '--tls-ca <file>',
      'certificate of the authority, where it is your own; goes into the keys of users',
    )
    .option('--storage <GB>', 'what its streams may take on disk', wholeNumber(1, 100_000), 20)
    .option(
      '--url <url>',
      'use a nats-server that runs already, with the configuration written to the folder',
    )
    .action(action(serve, { run: false }));
  withHub(hub.command('audit'))
    .description("compare what the benches booked with the boards' own counters, and name each difference")
    .action(action(audit, { run: false }));
  const user = hub.command('user').description('who may do what');
  user
    .command('add')
    .description('make a key; its file is for that person or bench alone')
    .argument('<name>')
    .option(...FOLDER)
    .addOption(
      new Option(
        '--role <role>',
        'bench: serves boards; user: jobs and leases; viewer: looks on; operator: may end others’ work',
      )
        .choices(['operator', 'bench', 'user', 'viewer'])
        .makeOptionMandatory(),
    )
    .option('--out <file>', 'where the key goes (default: keys/NAME.json in the folder)')
    .action(action(add, { run: false }));
  user
    .command('remove')
    .description('take the rights of a user or bench')
    .argument('<name>')
    .option(...FOLDER)
    .action(action(remove, { run: false }));
}

async function audit(session: Session, options: HubOptions): Promise<Outcome> {
  const { auditHub } = await import('../../hub/index.js');
  const found = await auditHub(await hubOf(session, options));
  const { jobs, boards, pulses, unchecked, differences } = found;
  return {
    result: { ...found },
    text: [
      `${jobs} jobs and leases on ${boards} boards, ${pulses} pulses booked; ${unchecked} could not be checked (rebooted, or no counter)`,
      ...differences.map(
        ({ bench, board, id, booked, counted, what }) =>
          `${bench}/${board} ${id}: ${booked} booked, ${counted} counted by the board ${what}`,
      ),
      differences.length === 0 ? 'no differences' : `${differences.length} differences`,
    ].join('\n'),
  };
}

async function folderOf(given: string | undefined): Promise<string> {
  if (given !== undefined) return given;
  const [{ hubFolder }, { dataFolder }] = await Promise.all([
    import('../../hub/index.js'),
    import('../../calibration/index.js'),
  ]);
  return hubFolder(dataFolder());
}

async function serve(session: Session, options: ServeOptions): Promise<undefined> {
  const { serveHub } = await import('../../hub/index.js');
  const { MemloopError } = await import('../../shared/errors.js');
  const { host, listen, tlsCert, tlsKey, tlsCa, storage, url } = options;
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw new MemloopError('usage', 'give --tls-cert and --tls-key together');
  const hub = await serveHub({
    folder: await folderOf(options.folder),
    host,
    port: listen,
    ...(tlsCert !== undefined &&
      tlsKey !== undefined && {
        tls: { certificate: tlsCert, key: tlsKey, ca: tlsCa },
      }),
    storage: storage * 1e9,
    url,
    log: (line) => process.stderr.write(`${line}\n`),
  });
  session.atEnd(() => hub.close());
  writeLine(JSON.stringify({ type: 'ready', url: hub.url }));
  if (!session.signal.aborted) await once(session.signal, 'abort');
  return undefined;
}

async function add(_: Session, name: string, { role, out, ...options }: UserOptions): Promise<Outcome> {
  const { addUser, reload } = await import('../../hub/index.js');
  const folder = await folderOf(options.folder);
  const { url, ca } = reload(folder);
  const file = addUser(folder, { name, role, url, ca, ...(out !== undefined && { out }) });
  const { running } = reload(folder);
  return {
    result: { name, role, file, running },
    text: `${file} is the key of ${name} (${role}): hand it to nobody else`,
  };
}

async function remove(_: Session, name: string, options: { folder?: string }): Promise<Outcome> {
  const { reload, removeUser } = await import('../../hub/index.js');
  const folder = await folderOf(options.folder);
  removeUser(folder, name);
  const { running } = reload(folder);
  return { result: { name, running }, text: `${name} has no rights any more` };
}
