import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { action, type Session, writeLine } from '../command.js';
import { type HubOptions, keyOf, withHub } from '../hub.js';
import { wholeNumber } from '../numbers.js';

interface Options extends HubOptions {
  kind?: string;
  maxPulses?: number;
}

export function register(program: Command): void {
  const bench = program.command('bench').description('boards of this machine, for a hub');
  withHub(bench.command('serve'))
    .description('serve the board behind --port, and those given, until Ctrl-C')
    .argument('[ports...]', 'more boards')
    .option(
      '--kind <name>',
      'of `jobs submit --on pool:NAME` (default: the profile of a virtual board, or ROWSxCOLUMNSxARRAYS)',
    )
    .option('--max-pulses <n>', 'most that one job may apply', wholeNumber(1, 1e12))
    .action(action(serve, { run: false }));
}

async function serve(session: Session, ports: string[], options: Options): Promise<undefined> {
  const { BenchAgent, carrierOf } = await import('../../hub/index.js');
  const { MemloopError } = await import('../../shared/errors.js');
  const { countPulses } = await import('../../open-board.js');
  const { dataFolder } = await import('../../calibration/index.js');
  const key = await keyOf(options, 'bench');
  const first = session.global.port ?? process.env.MEMLOOP_PORT;
  const urls = [...(first ? [first] : []), ...ports];
  if (urls.length === 0)
    throw new MemloopError(
      'usage',
      'give --port URL of a board: `memloop ports` lists them, virtual:w-sdc-8x8x4 needs none',
    );
  const boards = [];
  for (const url of urls) boards.push(await boardAt(session, url, options.kind));
  const log = (line: string) => void process.stderr.write(`${line}\n`);
  const agent = await BenchAgent.start({
    key,
    folder: join(dataFolder(), 'bench', key.name),
    boards,
    access: { main: fileURLToPath(new URL('../main.js', import.meta.url)), count: (url) => countPulses(url) },
    maxPulses: options.maxPulses,
    carrier: (hub) => carrierOf(hub, log),
    log,
  });
  session.atEnd(() => agent.close());
  const [board, ...more] = boards.map(({ description }) => description.board);
  writeLine(JSON.stringify({ type: 'ready', bench: key.name, board, ...(more.length > 0 && { more }) }));
  if (!session.signal.aborted) await once(session.signal, 'abort');
  return undefined;
}

/** A virtual board gets a port, so that jobs one after another find the same chip. */
async function boardAt(session: Session, given: string, kind: string | undefined) {
  const { describeBoard } = await import('../../open-board.js');
  const { kindOfBoard, tokenOf } = await import('../../hub/index.js');
  const { memloopVersion } = await import('../../telemetry/index.js');
  let url = given;
  let profile: string | undefined;
  if (given.startsWith('virtual:')) {
    const { parseVirtualUrl, spawnBoard } = await import('../../virtual-board/index.js');
    const virtual = parseVirtualUrl(given);
    profile = virtual.profile;
    const served = await spawnBoard(virtual);
    session.atEnd(() => served.close());
    url = served.port;
  }
  const { description } = await describeBoard(url, { reconnect: 0 });
  const { boardSerial, arraySerials, rows, columns, neurons, firmwareVersion, caveats, deadManTime } =
    description;
  return {
    url,
    description: {
      board: tokenOf(boardSerial),
      serial: boardSerial,
      kind: tokenOf(kind ?? profile ?? kindOfBoard(description)),
      arraySerials,
      rows,
      columns,
      neurons,
      firmwareVersion,
      caveats: [...caveats],
      deadManTime: Number.isFinite(deadManTime) ? deadManTime : null,
      memloop: memloopVersion(),
    },
  };
}
