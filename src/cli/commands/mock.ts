import { once } from 'node:events';
import { type Command, InvalidArgumentError } from 'commander';
import { action, type Session, writeLine } from '../command.js';
import { wholeNumber } from '../numbers.js';

interface Options {
  profile?: string;
  as?: string;
  seed: number;
  pty?: boolean;
  link?: string;
  tcp?: { host: string; port: number };
  trace?: string;
  realTime?: boolean;
  qemu?: boolean | string;
  pico?: boolean | string;
  faults?: string;
}

const hostAndPort = (text: string): { host: string; port: number } => {
  const match = /^(?:tcp:\/\/)?\[?([^\]/]+?)\]?:(\d+)$/.exec(text);
  const port = Number(match?.[2]);
  if (!match || port > 65535) throw new InvalidArgumentError('Give HOST:PORT, such as 127.0.0.1:5555.');
  return { host: match[1], port };
};

export function register(program: Command): void {
  program
    .command('mock')
    .description('serve a virtual board until Ctrl-C')
    .option('--profile <name>', 'built-in profile, or the path of a JSON file (docs/reference/profiles.md)')
    .option('--as <kind>', "stand in for a foreign board, with that board's own interface")
    .option('--seed <n>', 'decides the chip and its noise', wholeNumber(0, Number.MAX_SAFE_INTEGER), 1)
    .option('--pty', 'on a pseudo-terminal (default)')
    .option('--link <path>', 'symbolic link to the pseudo-terminal')
    .option('--tcp <host:port>', 'on a TCP port; port 0 takes a free one', hostAndPort)
    .option('--trace <file>', 'append one JSON line for each pulse that the cells received')
    .option('--faults <file>', 'what goes wrong on the line and the board, and when (docs/reference/link.md)')
    .option('--real-time', 'operations take as long as on a real board')
    .option(
      '--qemu [elf]',
      'firmware on an emulated Cortex-M4; needs qemu-system-arm and `npm run firmware:netduinoplus2`',
    )
    .option(
      '--pico [uf2]',
      'a Raspberry Pi Pico with the front end of docs/how-to/build-a-board.md, emulated; profile pico-8x8 by default',
    )
    .action(action(mock));
}

async function mock(session: Session, options: Options) {
  const { MemloopError } = await import('../../shared/errors.js');
  const { servePty, serveTcp } = await import('../../virtual-board/index.js');
  if (options.as !== undefined) return standIn(session, options, options.as);
  const { profile, realTime, qemu, pico, tcp } = options;
  if (profile === undefined && !pico)
    throw new MemloopError('usage', 'give --profile NAME: `memloop mock --profile w-sdc-8x8x4`');
  if (tcp && (options.pty || options.link !== undefined))
    throw new MemloopError('usage', 'give either --tcp or --pty (with --link), not both');
  if ((qemu || pico) && realTime)
    throw new MemloopError(
      'usage',
      'give no --real-time with --qemu or --pico: an emulator has its own time',
    );
  if (qemu && pico) throw new MemloopError('usage', 'give either --qemu or --pico, not both');
  const { board, stackUsed: used } = await boardOf(options);
  session.atEnd(() => board.close());
  const served = tcp ? await serveTcp(board, tcp) : await servePty(board, options);
  session.atEnd(() => served.close());
  writeLine(JSON.stringify({ type: 'ready', port: served.port }));
  if (!session.signal.aborted) await once(session.signal, 'abort');
  const stackUsed = used?.();
  const result = {
    ...(board.faultCounts && { faults: board.faultCounts }),
    ...(stackUsed && { stackUsed }),
  };
  const lines = Object.entries(result).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  return lines.length > 0 ? { result, text: lines.join('\n') } : undefined;
}

/** The board that was asked for, and how much of its stack an emulated one has used, bytes. */
async function boardOf({ profile, seed, trace, faults, realTime, qemu, pico }: Options) {
  const { createPicoBoard, createVirtualBoard, emulatorOf, startQemuBoard } = await import(
    '../../virtual-board/index.js'
  );
  const chip = { seed, trace, faults };
  if (pico) {
    const firmware = typeof pico === 'string' ? pico : undefined;
    const board = createPicoBoard({ ...chip, profile, firmware });
    return { board, stackUsed: () => emulatorOf(board.frontEnd)?.stackUsed };
  }
  if (!qemu) return { board: createVirtualBoard({ ...chip, profile: profile!, realTime }) };
  let stackUsed: number | undefined;
  const onStackUsed = (bytes: number) => {
    stackUsed = bytes;
  };
  const firmware = typeof qemu === 'string' ? qemu : undefined;
  const board = await startQemuBoard({ ...chip, profile: profile!, firmware, onStackUsed });
  return { board, stackUsed: () => stackUsed };
}

async function standIn(session: Session, options: Options, name: string) {
  const { MemloopError } = await import('../../shared/errors.js');
  const { standInOf } = await import('../../virtual-board/index.js');
  const { qemu, pico, realTime, pty: _, as: __, ...others } = options;
  if (qemu || pico || realTime)
    throw new MemloopError('usage', '--qemu, --pico and --real-time are for memloop boards, not for --as');
  const kind = standInOf(name);
  const { port, environment, close } = await kind.serve({ profile: kind.profile, ...others });
  session.atEnd(close);
  writeLine(JSON.stringify({ type: 'ready', port, ...(environment && { environment }) }));
  if (!session.signal.aborted) await once(session.signal, 'abort');
  return undefined;
}
