/** Opens an ArC ONE. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Board, BoardDescription } from '../../driver/board/board.js';
import { largestEnergy } from '../../driver/board/limits.js';
import { listPorts } from '../../driver/transport/ports.js';
import { openTransport } from '../../driver/transport/registry.js';
import { MemloopError } from '../../shared/errors.js';
import { BARE, checkLeastRead, ForeignBoard } from '../foreign-board.js';
import type { ForeignOptions } from '../kind.js';
import { ArcOne } from './arc-one.js';
import { SerialLine } from './line.js';
import type { Spelling } from './numbers.js';
import { FIRST_VOLTAGE, type Protocol, startProtocol } from './protocol.js';
import { type ArcOneSettings, parseArcOneUrl } from './url.js';

/** How often a lost port is looked for, ms. */
const RETRY = 100;

/** @param url see `parseArcOneUrl`. Errors: `usage`, `limit`, `port-not-found`, `port-in-use`, `not-a-board`. */
export async function openArcOne(url: string, options: ForeignOptions): Promise<Board> {
  const { reconnect = 0, limits } = options;
  const settings = parseArcOneUrl(url);
  checkLeastRead(limits, FIRST_VOLTAGE);
  const protocol = await start(settings);
  try {
    const instrument = new ArcOne(
      settings,
      protocol,
      await describeArcOne(settings, protocol),
      reconnect > 0 ? () => restart(settings, reconnect) : undefined,
    );
    return new ForeignBoard(instrument, options);
  } catch (error) {
    await protocol.close();
    throw error;
  }
}

async function start(settings: ArcOneSettings): Promise<Protocol> {
  const transport = await openTransport(`serial:${settings.path}?baud=921600&parity=even`);
  return startProtocol(new SerialLine(transport), settings);
}

/** Until it is there again, or `within` s have passed: then as it failed last. */
async function restart(settings: ArcOneSettings, within: number): Promise<Protocol> {
  for (const end = performance.now() + within * 1000; ; ) {
    try {
      return await start(settings);
    } catch (error) {
      if (!(error instanceof MemloopError) || performance.now() > end) throw error;
      await sleep(RETRY);
    }
  }
}

const CAVEATS = [
  'Its protocol has no checksum: a character that goes wrong on the line can make another voltage (never more than 1 V), another width (never more than 100 times as long) or another cell of a pulse, or another read voltage (never more than 1 V). On a simulated instrument one such character in five went unnoticed.',
  'A pulse counts as applied when it was answered and a second reading of the cell agrees with the answer; that its voltage and width were as asked is never confirmed.',
  'The instrument enforces no limits: those shown here are kept by memloop alone, and other software on it is bound by none.',
  'It has no dead-man: a pulse that has begun ends by itself, and what is then on its lines when the host falls silent was not confirmed.',
  'It counts no pulses: the fate of one whose answer was lost cannot be told afterwards, so it is counted as applied.',
  'It does not know the chip in its package: name each by chip=NAME in the URL, or their passports mix.',
];
const PLAIN_CAVEAT =
  'This firmware does not read guarded numbers: after a lost line another number can be taken for a voltage, so cells are read one by one.';
const noResistor = (current: number): string =>
  `No series resistor (series=0): only memloop's estimate from the last reading keeps a pulse below ${current * 1e3} mA; put resistors into the package adapter and give series=Ω.`;

/** What a board without a resistor is described with, Ω: lines and switches have at least that (not confirmed). */
const LEAST_SERIES = 100;
/** s */
const MAX_WIDTH = 5e-4;

async function describeArcOne(
  settings: ArcOneSettings,
  { version, spelling }: { version: string; spelling: Spelling },
): Promise<BoardDescription> {
  const { path, rows, columns, sneak, series, current, min, max, chip } = settings;
  const usb = (await listPorts()).find((port) => port.path === path)?.serialNumber;
  const boardSerial = usb === undefined ? 'ARC1' : `ARC1-${usb}`;
  const seriesResistance = Math.max(series, LEAST_SERIES);
  return {
    ...BARE,
    kind: 'ArC ONE',
    boardSerial,
    firmwareVersion: version,
    caveats: [
      ...CAVEATS,
      ...(spelling === 'plain' ? [PLAIN_CAVEAT] : []),
      ...(series === 0 ? [noResistor(current)] : []),
    ],
    arraySerials: [`${boardSerial}-${chip}`],
    arrays: 1,
    rows,
    columns,
    products: 'none',
    rowVoltageStep: 1e-3,
    rowVoltageMax: 1,
    // Its TIA finds its own range. The step is the noise that is reckoned with, not a resolution that it states.
    currentRanges: [{ step: 1e-9, max: 1e-2 }],
    seriesResistance,
    halfSelect: sneak === 'v3' ? 1 / 3 : 1 / 2,
    linesFloat: false,
    limits: {
      maxVoltage: max,
      minVoltage: min,
      maxReadVoltage: 0.2,
      minWidth: 2.5e-6,
      maxWidth: MAX_WIDTH,
      // What the other limits allow: a resistor bounds it, the instrument does not.
      maxEnergy: largestEnergy(Math.max(max, -min), MAX_WIDTH, seriesResistance),
      maxPulses: Number.POSITIVE_INFINITY,
    },
    widthStep: 1e-7,
    readTime: 1e-3,
  };
}
