/** `ktram+https://HOST:4242/kt-ram-server?series=20000&ca=FILE`. User and password come from the environment only. */
import { z } from 'zod';
import { MemloopError } from '../../shared/errors.js';

export const EXAMPLE = 'ktram+https://HOST:4242/kt-ram-server?series=20000&ca=FILE';
export const [USER, PASSWORD] = ['MEMLOOP_KTRAM_USER', 'MEMLOOP_KTRAM_PASSWORD'];

/** How a cell is read: the server knows a calibration for each such pulse, and only for those. */
export interface ReadPulse {
  /** V */
  voltage: number;
  /** s */
  width: number;
  /** Ω */
  series: number;
  gain: number;
}

/** The servers' own default limits of an array, V; an administrator may have set others. */
const [MIN_VOLTAGE, MAX_VOLTAGE] = [-1, 0.75];
/** Limits closer to 0 leave nothing to program by, V. */
const LEAST = 0.05;

const number = z
  .string()
  .regex(/^-?\d*\.?\d+(e-?\d+)?$/i, 'not a number')
  .transform(Number);
const flag = z.enum(['0', '1']).transform((text) => text === '1');

const parameters = z.strictObject({
  /** In series with a cell during a pulse, Ω: not below the servers' own default limit, nor above what the driver has. */
  series: number.pipe(z.number().min(20e3).max(50e3)).default(20e3),
  /** Read pulse: V, µs, Ω, gain; without it the gentlest that the server is calibrated for. */
  read: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.tuple([number, number, number, number]))
    .transform(
      ([voltage, micros, series, gain]): ReadPulse => ({ voltage, width: micros / 1e6, series, gain }),
    )
    .optional(),
  /** Limits of a pulse, V: not beyond the servers' own default ones. */
  min: number.pipe(z.number().min(MIN_VOLTAGE).max(-LEAST)).default(MIN_VOLTAGE),
  max: number.pipe(z.number().min(LEAST).max(MAX_VOLTAGE)).default(MAX_VOLTAGE),
  /** Slot of the one module to use; without it all that are of the first one's size. */
  module: number.pipe(z.int().min(0).max(5)).optional(),
  /** File of the certificate, or of the authority that signed it (PEM). */
  ca: z.string().min(1).optional(),
  /** 1: any certificate will do. */
  insecure: flag.default(false),
  /** How long an answer may take, s, beside the pulses themselves. */
  timeout: number.pipe(z.number().min(0.05).max(600)).default(10),
});

export type KtramSettings = z.infer<typeof parameters> & {
  secure: boolean;
  host: string;
  port: number;
  /** With a slash at both ends. */
  path: string;
  /** HOST:PORT, for people. */
  name: string;
};

/** Throws `usage`; the text of a URL that may hold a password is in no error. */
export function parseKtramUrl(text: string): KtramSettings {
  const usage = (fault: string) =>
    new MemloopError('usage', `${fault}; write ${EXAMPLE} (docs/how-to/ktram.md lists the parameters)`);
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw usage('cannot read the URL of the kT-RAM server');
  }
  if (url.username || url.password || /^[^?]*@/.test(text))
    throw usage(`user and password do not belong in a URL: put them into ${USER} and ${PASSWORD}`);
  if (url.hostname === '') throw usage('the URL of a kT-RAM server needs its host');
  const secure = url.protocol === 'ktram+https:';
  const parsed = parameters.safeParse(Object.fromEntries(url.searchParams));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const fault =
      issue.code === 'unrecognized_keys'
        ? `unknown parameter "${issue.keys[0]}"`
        : `parameter ${issue.path.join('.')}: ${issue.message}`;
    throw usage(`kT-RAM server ${url.host}: ${fault}`);
  }
  if (url.hash !== '') throw usage(`kT-RAM server ${url.host}: # has no meaning`);
  if (!secure && (parsed.data.ca !== undefined || parsed.data.insecure))
    throw usage(`kT-RAM server ${url.host}: ca and insecure are for ktram+https`);
  const port = url.port === '' ? 4242 : Number(url.port);
  const path = url.pathname.replace(/\/*$/, '/');
  return {
    ...parsed.data,
    secure,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port,
    path: path === '/' ? '/kt-ram-server/' : path,
    name: `${url.hostname}:${port}`,
  };
}
