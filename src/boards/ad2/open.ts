/** `ad2:SERIAL?mode=1&series=10000`: an Analog Discovery with the Memristor Discovery board V2, by URL. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Board, BoardDescription } from '../../driver/board/board.js';
import { MemloopError } from '../../shared/errors.js';
import { BARE, checkLeastRead, ForeignBoard } from '../foreign-board.js';
import type { ForeignOptions, FoundBoard } from '../kind.js';
import type { Mode } from './circuit.js';
import { Device, listDevices, plainSerial } from './device.js';
import type { Dwf } from './dwf.js';
import { Ad2Instrument, equivalentSeries, PRODUCT_TIME, READ_WIDTH } from './instrument.js';
import { CHECK, checkBoard } from './self-check.js';

/** Beyond this the scope's finer range is left, V. */
const VOLTAGE_MOST = 2.5;
/** The finest step of scope and generator, V. */
const SCOPE_STEP = 5 / 2 ** 14;
const GENERATOR_STEP = 2.5 / 2 ** 14;

export interface Ad2Url {
  serial: string | undefined;
  mode: Mode;
  series: number;
  min: number;
  max: number;
  /** Name of the chip in the socket, which cannot be asked. */
  chip: string | undefined;
}

const EXAMPLE = 'ad2:?mode=1&series=10000';

/** Throws `usage`. */
export function parseAd2Url(url: string): Ad2Url {
  const [path, query = '', ...rest] = url.replace(/^[a-z0-9-]+:/i, '').split('?');
  const parameters = new URLSearchParams(query);
  const bad = (why: string) =>
    new MemloopError(
      'usage',
      `${url}: ${why}; write ${EXAMPLE} or ad2:SERIAL?mode=2&series=20000, and min=, max= (V), chip=NAME where needed`,
    );
  for (const name of parameters.keys())
    if (!['mode', 'series', 'min', 'max', 'chip'].includes(name)) throw bad(`unknown parameter "${name}"`);
  if (rest.length > 0 || !/^(SN:)?[\w-]*$/i.test(path)) throw bad(`"${path}" is no serial number`);
  const mode = Number(parameters.get('mode') ?? 1);
  if (mode !== 1 && mode !== 2) throw bad('mode is 1 or 2');
  const number = (name: string, otherwise: number, low: number, high: number) => {
    const text = parameters.get(name);
    const value = text === null ? otherwise : Number(text);
    if (text?.trim() === '' || !(value >= low && value <= high))
      throw bad(`${name} is from ${low} to ${high}`);
    return value;
  };
  const chip = parameters.get('chip') ?? undefined;
  if (chip !== undefined && !/^[\w.-]{1,40}$/.test(chip))
    throw bad('chip is letters, digits, ".", "-" and "_"');
  return {
    serial: path === '' ? undefined : plainSerial(path),
    mode,
    series: number('series', mode === 1 ? 10e3 : 20e3, 1e3, 1e5),
    min: number('min', -1, -VOLTAGE_MOST, -0.05),
    max: number('max', 0.75, 0.05, VOLTAGE_MOST),
    chip,
  };
}

export interface Ad2Options extends ForeignOptions {
  /** For stand-ins in this process, which need no time. */
  pause?: (seconds: number) => Promise<void>;
}

/** Opens the board through a library. Errors as `BoardKind.open`. */
export async function openAd2(dwf: Dwf, url: Ad2Url, options: Ad2Options = {}): Promise<Board> {
  const pause = options.pause ?? (async (seconds) => (seconds > 0 ? sleep(seconds * 1e3) : undefined));
  checkLeastRead(options.limits, CHECK);
  const device = await Device.open(dwf, { serial: url.serial, pause });
  try {
    await device.prepare();
    const circuit = await checkBoard(device, url);
    const settings = {
      circuit,
      description: describe(device, url),
      reconnect: options.reconnect ?? 0,
      pause,
    };
    return new ForeignBoard(new Ad2Instrument(device, settings), options);
  } catch (error) {
    await device.rest().catch(() => {});
    await device.close().catch(() => {});
    if (error instanceof MemloopError) throw error;
    throw new MemloopError(
      'not-a-board',
      `Analog Discovery ${device.serial} cannot be used (${(error as Error).message}): unplug it, plug it in again, and try once more`,
      { cause: error },
    );
  }
}

function describe(device: Device, { mode, series, min, max, chip }: Ad2Url): BoardDescription {
  const through = equivalentSeries(series);
  return {
    ...BARE,
    kind: `${device.name} with KNOWM's Memristor Discovery board V2, mode ${mode}`,
    boardSerial: device.serial,
    firmwareVersion: `WaveForms ${device.version}`,
    caveats: mode === 2 ? [...CAVEATS, UNSEEN_SOURCE] : CAVEATS,
    arraySerials: [chip ?? device.serial],
    arrays: 1,
    rows: 8,
    columns: 2,
    products: mode === 2 ? 'bit-planes' : 'none',
    rowVoltageStep: GENERATOR_STEP,
    rowVoltageMax: Math.max(max, -min),
    currentRanges: [{ step: SCOPE_STEP / series, max: VOLTAGE_MOST / series }],
    seriesResistance: through,
    halfSelect: 0,
    linesFloat: false,
    limits: {
      minVoltage: min,
      maxVoltage: max,
      maxReadVoltage: 0.2,
      minWidth: 10e-6,
      maxWidth: 0.1,
      maxEnergy: 1e-5,
      maxPulses: Number.POSITIVE_INFINITY,
    },
    widthStep: 1e-7,
    readTime: READ_WIDTH,
    productTime: PRODUCT_TIME,
  };
}

const CAVEATS = [
  'Nothing of this was tried on a real board yet.',
  'Limits of voltage, width and energy are kept by this computer alone: the board enforces none.',
  'The board does not count pulses: those that were on their way when this computer failed are counted as applied.',
  'After a kill the pulse that runs ends by itself and W1 returns to 0 V, but switches stay as they are until the board is opened again.',
  'The chip in the socket has no serial number: give each its own by chip=NAME.',
  'Cells under 0.5 µS conduct hardly more than an open switch: a pulse on one is proven only by the other cells, which show that the switches work.',
];
const UNSEEN_SOURCE =
  'During products the scope does not see W1: it is taken to give the voltage that was measured when the board was opened.';

/** Errors as `BoardKind.open`. */
export async function openByUrl(url: string, options: ForeignOptions): Promise<Board> {
  const settings = parseAd2Url(url);
  const { loadDwf } = await import('./library.js');
  return openAd2(loadDwf(), settings, options);
}

/** The devices that are plugged in, whatever board they are on; none where the library is not installed. */
export async function findDevices(): Promise<FoundBoard[]> {
  const { loadDwf } = await import('./library.js');
  let dwf: Dwf;
  try {
    dwf = loadDwf();
  } catch {
    return [];
  }
  const devices = await listDevices(dwf).catch(() => []);
  return devices.map(({ serial, name, inUse }) => ({
    url: `ad2:${serial}?mode=1&series=10000`,
    what: `${name}${inUse ? ', in use by another program' : ''}`,
  }));
}
