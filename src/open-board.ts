/** Opens a board by URL, behind the gate for pulses: the one place where driver, boards and passports meet. */
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BOARD_KINDS, type BoardKind, kindOf } from './boards/kinds.js';
import type { GateOptions, GuardedBoard } from './calibration/passport/gate.js';
import { budgetSchema, type JobBudget } from './calibration/passport/job-budget.js';
import type { Board, BoardDescription, BoardHealth } from './driver/board/board.js';
import { boardEvent } from './driver/board/describe.js';
import { type ConnectOptions, connectBoard } from './driver/board/protocol-board.js';
import { openTransport, registerTransport, schemeOf } from './driver/transport/registry.js';
import type { Claim, Transport } from './driver/transport/transport.js';
import { MemloopError } from './shared/errors.js';
import { parseJson } from './shared/json.js';

/** The gate's options, and those of `connectBoard`. */
export interface OpenOptions extends GateOptions, Omit<ConnectOptions, 'emit' | 'readOnly' | 'reconnect'> {
  /** Time for which a lost port is tried again, s; 0, the default, ends the work at once. */
  reconnect?: number | undefined;
}

type Opener = (url: string, options: OpenOptions) => Promise<Board>;

/**
 * Boards without hardware by the scheme of their URL. Other schemes are looked for among the foreign boards; any other URL
 * names a port with a memloop board behind it.
 */
const VIRTUAL: Readonly<Record<string, Opener>> = {
  virtual: openVirtual,
  'virtual-ad2': openVirtualAd2,
};

registerTransport('hub', openHubPort, 'hub:BENCH/BOARD');

/**
 * @param url a device path, `serial:PATH?baud=N`, `tcp://HOST:PORT`, `hub:BENCH/BOARD`, `replay:FILE`, or `virtual:PROFILE?seed=N` or
 * `virtual-ad2:?seed=N` for a virtual board inside this process, or the URL of a foreign board.
 */
export async function openBoard(url: string, options: OpenOptions = {}): Promise<GuardedBoard> {
  const board = await connect(url, options);
  const { guardBoard } = await import('./calibration/passport/gate.js');
  const budget = options.budget ?? budgetOf(process.env.MEMLOOP_BUDGET);
  const home = schemeOf(url) === 'replay' ? await copyOfPassports(options.home) : options.home;
  return guardBoard(board, { ...options, home, budget });
}

/**
 * What a board says of itself, and whether it has a scope (`Board.trace`): connects, asks and closes. No pulse can come of
 * it, so it loads no passports.
 */
export async function describeBoard(
  url: string,
  options: OpenOptions = {},
): Promise<{ description: BoardDescription; health: BoardHealth; trace: boolean }> {
  const board = await connect(url, options);
  try {
    const trace = board.trace !== undefined;
    return { description: board.description, health: await board.health(), trace };
  } finally {
    await board.close();
  }
}

/**
 * What the passports and the board's own counter say of its pulses, after what was uncertain is settled; and the files of
 * the passports. Pulses nothing. Energy in J, uptime in s.
 */
export async function countPulses(url: string, options: OpenOptions = {}) {
  const board = await openBoard(url, { ...options, readOnly: true });
  try {
    await board.settle();
    const { passport, description } = board;
    const { pulsesApplied = null, uptime } = await board.health();
    const files = [...description.arraySerials.keys()].map((index) => passport.pathOf(index));
    return {
      counts: { ...passport.totals(), counter: pulsesApplied, uptime },
      passports: files.filter((path) => existsSync(path)),
    };
  } finally {
    await board.close();
  }
}

function connect(url: string, options: OpenOptions): Promise<Board> {
  const scheme = schemeOf(url) ?? '';
  if (Object.hasOwn(VIRTUAL, scheme)) return VIRTUAL[scheme](url, options);
  const kind = kindOf(scheme);
  return kind ? openForeign(kind, url, options) : openPort(url, options);
}

async function openForeign(kind: BoardKind, url: string, options: OpenOptions): Promise<Board> {
  const { emit, reconnect, limits } = options;
  checkNotRecorded(kind.name, options);
  const board = await kind.open(url, { emit, reconnect, limits });
  emit?.(boardEvent(url, board.description));
  return board;
}

/** Throws `usage`. */
function checkNotRecorded(name: string, { record }: OpenOptions): void {
  if (record === undefined) return;
  throw new MemloopError(
    'usage',
    `--record keeps the bytes of a memloop board's link; a ${name} has none: leave it out`,
  );
}

async function openPort(url: string, options: OpenOptions): Promise<Board> {
  const { reconnect = 0, emit, limits, link, claim, repeatRuns, record } = options;
  // A recording cannot come back.
  const mayReturn = reconnect > 0 && schemeOf(url) !== 'replay';
  const foreign = BOARD_KINDS.map(({ example }) => example);
  return connectBoard(await openTransport(url, foreign), {
    emit,
    limits,
    link,
    claim: claim ?? claimOfJob(),
    repeatRuns,
    record,
    reconnect: mayReturn ? { within: reconnect } : undefined,
  });
}

/** With the key that MEMLOOP_HUB_KEY names, or that `memloop hub serve` made on this machine. */
async function openHubPort(url: string): Promise<Transport> {
  const { openHub, readKey } = await import('./hub/index.js');
  const { dataFolder } = await import('./calibration/passport/passport.js');
  return openHub(url, readKey({ home: dataFolder(), name: 'me' }));
}

/** Of the job that this process does, as the bench's agent gives it. */
const claimOfJob = (): Claim | undefined => {
  const token = process.env.MEMLOOP_FENCE;
  return token && /^\d+$/.test(token) ? BigInt(token) : undefined;
};

async function openVirtual(url: string, options: OpenOptions): Promise<Board> {
  const { openVirtualTransport } = await import('./virtual-board/open.js');
  const { emit, limits, link, claim, repeatRuns, record } = options;
  return connectBoard(openVirtualTransport(url), { emit, limits, link, claim, repeatRuns, record });
}

async function openVirtualAd2(url: string, options: OpenOptions): Promise<Board> {
  const { emit, reconnect, limits } = options;
  checkNotRecorded('simulated Discovery board', options);
  const { openAd2, parseAd2Url } = await import('./boards/ad2/open.js');
  const { virtualWaveForms } = await import('./virtual-board/stand-ins/ad2/virtual.js');
  const { library, rest } = virtualWaveForms(url);
  // It needs no time, but timers and signals get their turn.
  const pause = () => new Promise<void>((resolve) => setImmediate(resolve));
  const board = await openAd2(library, parseAd2Url(rest), { emit, reconnect, limits, pause });
  emit?.(boardEvent(url, board.description));
  return board;
}

/** The budget of the job that this process does, as the bench's agent gives it. */
function budgetOf(text: string | undefined): JobBudget | undefined {
  if (!text) return undefined;
  return parseJson(text, budgetSchema, {
    what: 'MEMLOOP_BUDGET',
    hint: 'only `memloop bench serve` sets it',
  });
}

/** A recording applies no pulse, so nothing of it goes into the chip's own passport. Returns the folder of a copy. */
async function copyOfPassports(given: string | undefined): Promise<string> {
  const { dataFolder } = await import('./calibration/passport/passport.js');
  const home = given ?? dataFolder();
  const copy = mkdtempSync(join(tmpdir(), 'memloop-replay-'));
  process.once('exit', () => rmSync(copy, { recursive: true, force: true }));
  const passports = join(home, 'passports');
  if (existsSync(passports)) cpSync(passports, join(copy, 'passports'), { recursive: true });
  return copy;
}
