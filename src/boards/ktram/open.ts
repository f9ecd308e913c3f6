/** Finds out what is behind the address, and describes it. */
import { readFileSync } from 'node:fs';
import type { Board, BoardDescription } from '../../driver/board/board.js';
import { largestEnergy } from '../../driver/board/limits.js';
import { MemloopError } from '../../shared/errors.js';
import { clean, quantity } from '../../shared/text.js';
import { BARE, checkLeastRead, ForeignBoard } from '../foreign-board.js';
import type { ForeignOptions } from '../kind.js';
import { Lost } from './http.js';
import { type ArrayPlace, Ktram, WRITE_MOST } from './ktram.js';
import { type CalibrationProfile, KtramServer, type Product } from './server.js';
import { type KtramSettings, PASSWORD, parseKtramUrl, type ReadPulse, USER } from './url.js';

const SLOTS = [0, 1, 2, 3, 4, 5];
const UNITS = [0, 1];
/** Of the first driver, s. */
const [MIN_WIDTH, MAX_WIDTH] = [2.5e-6, 500e-6];
/** Pulses on this grid can share a request, V. */
const VOLTAGE_STEP = 5e-3;
/** What the sense voltage is taken to be resolved to, V (not confirmed on a real one). */
const SENSE_STEP = 1e-3;

/** Errors: `usage`, `bad-input`, `port-not-found`, `not-a-board`, `service`, `calibration`. */
export async function openKtram(url: string, options: ForeignOptions): Promise<Board> {
  const { emit, reconnect = 0, limits } = options;
  const settings = parseKtramUrl(url);
  const server = connect(settings);
  try {
    const found = await discover(server, settings);
    checkLeastRead(limits, found.read.voltage);
    await server.clear();
    const warning = insecurity(settings);
    if (warning !== undefined) emit?.({ type: 'log', level: 'warning', message: warning });
    if (found.leftOut !== undefined) emit?.({ type: 'log', level: 'warning', message: found.leftOut });
    const { profile, places } = found;
    const instrument = new Ktram({
      server,
      description: describe(settings, found),
      places,
      read: found.read,
      lowest: Math.min(...profile.calibrationData[1]),
      identify: async () => identityOf(await look(server)),
      identity: identityOf(found),
      reconnect,
    });
    return new ForeignBoard(instrument, options);
  } catch (error) {
    server.close();
    throw explain(error, settings);
  }
}

function connect(settings: KtramSettings): KtramServer {
  const { ca, name } = settings;
  const { [USER]: user, [PASSWORD]: password } = process.env;
  if (user?.includes(':')) throw new MemloopError('usage', `${USER} must not contain a colon`);
  let certificates: string | undefined;
  try {
    if (ca !== undefined) certificates = readFileSync(ca, 'utf8');
  } catch (error) {
    throw new MemloopError(
      'bad-input',
      `cannot read the certificate ${ca} of the kT-RAM server ${name}: ${(error as Error).message}`,
      { cause: error },
    );
  }
  return new KtramServer({
    ...settings,
    ca: certificates,
    login: user === undefined ? undefined : { user, password: password ?? '' },
  });
}

interface Products {
  board: Product;
  driver: Product;
  modules: { slot: number; product: Product }[];
}

/** Throws `Lost`, `not-a-board`, `service`. */
async function look(server: KtramServer): Promise<Products> {
  const board = await server.boardInfo();
  const driver = await server.driverInfo();
  if (!board || !driver)
    throw new MemloopError(
      'not-a-board',
      `the kT-RAM server ${server.name} has no ${board ? 'driver module' : 'board'}: put it in, and restart the server`,
    );
  const modules: Products['modules'] = [];
  for (const slot of SLOTS) {
    const product = await server.moduleInfo(slot);
    if (product) modules.push({ slot, product });
  }
  return { board, driver, modules };
}

const identityOf = ({ board, driver, modules }: Products): string =>
  JSON.stringify([
    board.serialNumber,
    driver.serialNumber,
    modules.map(({ slot, product }) => [slot, product.serialNumber, product.varient]),
  ]);

interface Found extends Products {
  read: ReadPulse;
  profile: CalibrationProfile;
  size: Size;
  places: ArrayPlace[];
  arraySerials: string[];
  /** What of the server is not used, for people. */
  leftOut: string | undefined;
}

interface Size {
  rows: number;
  columns: number;
  /** Arrays a unit. */
  arrays: number;
}

async function discover(server: KtramServer, settings: KtramSettings): Promise<Found> {
  const products = await look(server);
  const sized = products.modules.flatMap(({ slot, product }) => {
    const size = sizeOf(product);
    return size ? [{ slot, product, size }] : [];
  });
  const wanted = settings.module;
  const [first] = wanted === undefined ? sized : sized.filter(({ slot }) => slot === wanted);
  if (!first) throw noModule(server, settings, products);
  const { size } = first;
  const used = sized.filter(
    (one) =>
      (wanted === undefined || one.slot === wanted) && JSON.stringify(one.size) === JSON.stringify(size),
  );
  const others = products.modules
    .map(({ slot }) => slot)
    .filter((slot) => !used.some((one) => one.slot === slot));
  const places: ArrayPlace[] = [];
  const arraySerials: string[] = [];
  for (const { slot, product } of used)
    for (const unit of UNITS)
      for (let array = 0; array < size.arrays; array++) {
        places.push({ module: slot, unit, array });
        arraySerials.push(`${serialText(product)}-${slot}-${unit}-${array}`);
      }
  return {
    ...products,
    ...(await readingBy(server, settings.read)),
    size,
    places,
    arraySerials,
    leftOut:
      others.length > 0 && wanted === undefined
        ? `modules in slots ${others.join(', ')} are of another size than that in slot ${first.slot} and are left out: give module=SLOT in the URL to use one of them`
        : undefined,
  };
}

/** `8x8x4 W+SDC`: rows, columns, arrays a unit. */
function sizeOf({ varient }: Product): Size | undefined {
  const [, rows, columns, arrays] = /^\s*(\d+)x(\d+)x(\d+)\b/i.exec(varient ?? '')?.map(Number) ?? [];
  const sound = rows >= 1 && rows <= 32 && columns >= 1 && columns <= 32 && arrays >= 1 && arrays <= 16;
  return sound ? { rows, columns, arrays } : undefined;
}

function noModule(server: KtramServer, { module }: KtramSettings, { modules }: Products): MemloopError {
  const seen = modules.map(({ slot, product }) => `slot ${slot}: ${clean(product.varient ?? 'no variant')}`);
  const where = module === undefined ? '' : ` in slot ${module}`;
  return new MemloopError(
    'not-a-board',
    `the kT-RAM server ${server.name} has no array module${where}${seen.length > 0 ? ` of a known size (${seen.join('; ')})` : ''}: put one in, restart the server, and see that your account may use it`,
  );
}

/**
 * The read pulse asked for and its profile. Without a wish it is the one of the lowest voltage, of these the shortest: reads
 * move weak cells, and there are many of them.
 */
async function readingBy(
  server: KtramServer,
  wanted: ReadPulse | undefined,
): Promise<{ read: ReadPulse; profile: CalibrationProfile }> {
  const near = (a: number, b: number) => Math.abs(a - b) <= 1e-4 * Math.abs(b);
  const usable = (await server.profiles())
    .filter(
      ({ calibrationData: [volts = [], ohms = []] }) =>
        volts.length === ohms.length && ohms.every((one) => one > 0),
    )
    .map((profile) => ({
      profile,
      read: {
        voltage: profile.readVoltage,
        width: profile.readPulseWidth / 1e6,
        series: profile.seriesResistor,
        gain: profile.gain,
      },
    }))
    .toSorted((a, b) => a.read.voltage - b.read.voltage || a.read.width - b.read.width);
  const found = usable.find(
    ({ read }) =>
      wanted === undefined ||
      (['voltage', 'width', 'series', 'gain'] as const).every((name) => near(read[name], wanted[name])),
  );
  if (found) return found;
  const text = ({ voltage, width, series, gain }: ReadPulse) =>
    [voltage, Number((width * 1e6).toFixed(3)), series, gain].join(',');
  throw new MemloopError(
    'calibration',
    `the kT-RAM server ${server.name} is not calibrated for reads${wanted ? ` by ${text(wanted)} (V, µs, Ω, gain)` : ''}: ${
      usable.length > 0
        ? `give one that it knows, such as read=${text(usable[0].read)}, in the URL`
        : 'have its administrator make a calibration profile'
    }`,
  );
}

const serialText = ({ serialNumber }: Product): string =>
  String(serialNumber).replaceAll(/[^\w.-]/g, '_') || '_';

/** What an eavesdropper could do; undefined where the certificate is checked. */
const insecurity = ({ secure, insecure, name }: KtramSettings): string | undefined => {
  if (!secure)
    return `the connection to ${name} is not encrypted: whoever is on the network sees the password and can pulse the cells`;
  if (insecure)
    return `the certificate of ${name} is not checked (insecure=1): another server could take its place, and the password`;
  return undefined;
};

function caveatsOf(settings: KtramSettings, read: ReadPulse): string[] {
  const { voltage, width, series, gain } = read;
  const insecure = insecurity(settings);
  return [
    'Unselected lines float: the other cells on the row and the column of a pulse see about half of the voltage across the pulsed cell.',
    `A cell is always read by the pulse that is calibrated, ${quantity(voltage, 'V')} for ${quantity(width, 's')} behind ${quantity(series, 'Ω')} (gain ${gain}), whatever lower voltage was asked for.`,
    'The server says only that a write was done: voltage, width and cell of a pulse are not confirmed.',
    `The fate of a write whose answer is lost cannot be told afterwards: its pulses (up to ${WRITE_MOST}) are counted as applied, and a server that was only slow may still apply them.`,
    'It has no dead-man: a write that has reached it is done to its end, whatever becomes of the host.',
    'Others with an account on the server can pulse the same cells; passports do not know of it.',
    ...(insecure === undefined ? [] : [`${insecure.charAt(0).toUpperCase()}${insecure.slice(1)}.`]),
  ];
}

function describe(settings: KtramSettings, found: Found): BoardDescription {
  const { series, min, max } = settings;
  const { board, driver, profile, read, size, arraySerials } = found;
  return {
    ...BARE,
    kind: 'KNOWM kT-RAM server',
    boardSerial: serialText(board),
    firmwareVersion: `board ${board.version ?? '?'}, driver ${driver.version ?? '?'}`,
    caveats: caveatsOf(settings, read),
    arraySerials,
    arrays: arraySerials.length,
    rows: size.rows,
    columns: size.columns,
    products: 'none',
    rowVoltageStep: VOLTAGE_STEP,
    rowVoltageMax: Math.max(max, -min),
    currentRanges: [currentRange(profile, read)],
    seriesResistance: series,
    halfSelect: 0.5,
    linesFloat: true,
    limits: {
      maxVoltage: max,
      minVoltage: min,
      maxReadVoltage: read.voltage,
      minWidth: MIN_WIDTH,
      maxWidth: MAX_WIDTH,
      // What the other limits allow.
      maxEnergy: largestEnergy(Math.max(max, -min), MAX_WIDTH, series),
      maxPulses: Number.POSITIVE_INFINITY,
    },
    widthStep: MIN_WIDTH,
    readTime: read.width,
  };
}

/** From the resistors that the read pulse was calibrated with: the most at the lowest, one step at the highest. */
function currentRange(
  { calibrationData: [voltages, ohms], curveFitParameters: [, , , exponent] }: CalibrationProfile,
  { voltage }: ReadPulse,
): { step: number; max: number } {
  const highest = Math.max(...ohms);
  const sensed = voltages[ohms.indexOf(highest)];
  // R falls with the power `exponent` of the sense voltage there.
  const step = (voltage / highest) * Math.abs((exponent * SENSE_STEP) / sensed);
  return { step, max: voltage / Math.min(...ohms) };
}

const CERTIFICATE = /CERT|SELF_SIGNED|ISSUER|VERIFY|ALTNAME/;
const NAMELESS = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_NODATA', 'EAI_NONAME']);

/** What kept it from being opened, with the remedy. */
function explain(error: unknown, { name, path, secure, ca }: KtramSettings): unknown {
  if (error instanceof MemloopError) return error;
  if (!(error instanceof Lost)) return error;
  const { code, message } = error;
  const say = (reason: 'port-not-found' | 'not-a-board' | 'service', what: string) =>
    new MemloopError(reason, clean(what), { cause: error });
  if (NAMELESS.has(code))
    return say(
      'port-not-found',
      `no machine is known as ${name}: check the name of the kT-RAM server, and the network`,
    );
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return say(
      'service',
      `the certificate that ${name} shows is for another name (${message}): use the name in it`,
    );
  if (secure && CERTIFICATE.test(code))
    return say(
      'service',
      `the certificate of the kT-RAM server ${name} is not trusted (${message}): ${ca === undefined ? 'give ca=FILE with it, or with that of its authority,' : `${ca} does not vouch for it; get the right file from its administrator and give it as ca=FILE`} in the URL`,
    );
  if (code === 'EPROTO' || code.startsWith('ERR_SSL'))
    return say(
      'not-a-board',
      `${name} does not speak TLS: is it ktram+http, or another port (4242 as a rule)?`,
    );
  if (code.startsWith('HPE_') || code === 'NOT_AN_ANSWER' || code === 'TOO_LONG')
    return say(
      'not-a-board',
      `no kT-RAM server answers at ${name}${path} (${message}): check host, port (4242 as a rule), path and whether it is https`,
    );
  if (code === 'SERVER_ERROR')
    return say('service', `the kT-RAM server ${name} fails: ${message}; have its administrator look at it`);
  return say(
    'port-not-found',
    `no kT-RAM server at ${name}: ${message}; see that it runs and that host and port are right`,
  );
}
