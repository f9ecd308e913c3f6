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
    .action(action(mock));
}

async function mock(session: Session, options: Options) {
  const { MemloopError } = await import('../../shared/errors.js');
  const { createVirtualBoard, servePty, serveTcp, startQemuBoard } = await import(
    '../../virtual-board/index.js'
  );
  if (options.as !== undefined) return standIn(session, options, options.as);
  const { profile, seed, trace, realTime, faults, qemu, tcp } = options;
  if (profile === undefined)
    throw new MemloopError('usage', 'give --profile NAME: `memloop mock --profile w-sdc-8x8x4`');
  if (tcp && (options.pty || options.link !== undefined))
    throw new MemloopError('usage', 'give either --tcp or --pty (with --link), not both');
  if (qemu && realTime)
    throw new MemloopError('usage', 'give either --qemu or --real-time: QEMU has its own time');
  const firmware = typeof qemu === 'string' ? qemu : undefined;
  let stackUsed: number | undefined;
  const onStackUsed = (bytes: number) => {
    stackUsed = bytes;
  };
  const board = qemu
    ? await startQemuBoard({ profile, seed, trace, faults, firmware, onStackUsed })
    : createVirtualBoard({ profile, seed, trace, realTime, faults });
  session.atEnd(() => board.close());
  const served = tcp ? await serveTcp(board, tcp) : await servePty(board, options);
  session.atEnd(() => served.close());
  writeLine(JSON.stringify({ type: 'ready', port: served.port }));
  if (!session.signal.aborted) await once(session.signal, 'abort');
  const result = {
    ...(board.faultCounts && { faults: board.faultCounts }),
    ...(stackUsed && { stackUsed }),
  };
  const lines = Object.entries(result).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  return lines.length > 0 ? { result, text: lines.join('\n') } : undefined;
}

async function standIn(session: Session, options: Options, name: string) {
  const { MemloopError } = await import('../../shared/errors.js');
  const { standInOf } = await import('../../virtual-board/index.js');
  const { qemu, realTime, pty: _, as: __, ...others } = options;
  if (qemu || realTime)
    throw new MemloopError('usage', '--qemu and --real-time are for memloop boards, not for --as');
  const kind = standInOf(name);
  const { port, environment, close } = await kind.serve({ profile: kind.profile, ...others });
  session.atEnd(close);
  writeLine(JSON.stringify({ type: 'ready', port, ...(environment && { environment }) }));
  if (!session.signal.aborted) await once(session.signal, 'abort');
  return undefined;
}
