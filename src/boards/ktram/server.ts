/** The server's requests, each answer checked. */
import { z } from 'zod';
import { MemloopError } from '../../shared/errors.js';
import { clean } from '../../shared/text.js';
import { type Answer, HttpClient, type HttpOptions, Lost } from './http.js';
import { PASSWORD, type ReadPulse, USER } from './url.js';

/** What a pulse of a list and the work around it may take the server at most, s (not confirmed on a real one). */
const OVERHEAD = 0.01;
/** Silence while the lines are put to rest, s. */
const REST_PATIENCE = 3;

/** Of the board, its driver or a module. */
const productSchema = z.object({
  name: z.string().max(200).nullish(),
  version: z.number().nullish(),
  /** As the server spells it. */
  varient: z.string().max(200).nullish(),
  serialNumber: z.union([z.number(), z.string().max(80)]),
});
export type Product = z.infer<typeof productSchema>;

const listOf = z.array(z.number()).max(10_000);
const profileSchema = z.object({
  readVoltage: z.number(),
  readPulseWidth: z.number(),
  seriesResistor: z.number(),
  gain: z.number(),
  /** Sense voltages, V, and the resistors that gave them, Ω. */
  calibrationData: z.tuple([listOf.min(2), listOf.min(2)]),
  /** R(v) = a0·(a1/v^a3 + a2) */
  curveFitParameters: z.tuple([z.number(), z.number(), z.number(), z.number()]),
});
export type CalibrationProfile = z.infer<typeof profileSchema>;

/** Ω. Where nothing flows the curve gives no number. */
const reading = z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity']), z.null()]);
const messageSchema = z.object({ message: z.string() });

/** As the server addresses a cell. Columns are the top electrodes: positive, they raise conductance. */
export interface Activation {
  module: number;
  unit: number;
  array: number;
  column: number;
  row: number;
}

export type WriteAnswer =
  | { applied: true }
  /** Certain that nothing was applied. */
  | { applied: false; reason: string }
  | { applied: undefined; reason: string };

export class KtramServer {
  /** HOST:PORT, for people. */
  readonly name: string;
  readonly #http: HttpClient;
  readonly #timeout: number;

  constructor(options: HttpOptions & { name: string; timeout: number }) {
    this.name = options.name;
    this.#http = new HttpClient(options);
    this.#timeout = options.timeout;
  }

  get requests(): number {
    return this.#http.requests;
  }

  boardInfo(): Promise<Product | undefined> {
    return this.#product('get-board-info/');
  }

  driverInfo(): Promise<Product | undefined> {
    return this.#product('get-driver-info/');
  }

  /** Undefined: nothing is in the slot. */
  moduleInfo(slot: number): Promise<Product | undefined> {
    return this.#product(`get-module-info/${slot}`);
  }

  profiles(): Promise<CalibrationProfile[]> {
    return this.#get('get-all-calibration-profiles/', z.array(profileSchema).max(1000));
  }

  async rest(): Promise<void> {
    const { status, text } = await this.#http.ask('clear/', REST_PATIENCE);
    if (status !== 200) throw new Lost(said(status, text), 'SERVER_ERROR', true);
  }

  async clear(): Promise<void> {
    await this.#get('clear/', z.literal(true));
  }

  /** Resistances, Ω, activations × samples; infinite where nothing flows. */
  async read(pulse: ReadPulse, samples: number, activations: readonly Activation[]): Promise<number[][]> {
    const { voltage, width, series, gain } = pulse;
    const path = `pulse-read-activations/${voltage}/${micros(width)}/${series}/${gain}/${samples}/RESISTANCE/false`;
    const patience = this.#timeout + activations.length * samples * (width + OVERHEAD);
    const schema = z.array(z.array(reading).length(samples)).length(activations.length);
    const rows = parse(check(await this.#http.ask(path, patience, activations), this.name), schema);
    return rows.map((row) => row.map((ohms) => (typeof ohms === 'number' && ohms > 0 ? ohms : Infinity)));
  }

  /** One pulse on each. Throws `Lost`. */
  async write(
    { voltage, width, series }: { voltage: number; width: number; series: number },
    activations: readonly Activation[],
  ): Promise<WriteAnswer> {
    const path = `pulse-write-activations/${voltage}/${micros(width)}/${series}/1/false`;
    const patience = this.#timeout + activations.length * (width + OVERHEAD);
    const { status, text } = await this.#http.ask(path, patience, activations);
    if (status === 401) return { applied: false, reason: denied(this.name) };
    if (status === 200 && text.trim() === 'true') return { applied: true };
    return { applied: undefined, reason: status === 200 ? `it answers ${quote(text)}` : said(status, text) };
  }

  close(): void {
    this.#http.close();
  }

  async #product(path: string): Promise<Product | undefined> {
    const answer = await this.#http.ask(path, this.#timeout);
    if (answer.status === 204) return undefined;
    return parse(check(answer, this.name), productSchema);
  }

  async #get<S extends z.ZodType>(path: string, schema: S): Promise<z.output<S>> {
    return parse(check(await this.#http.ask(path, this.#timeout), this.name), schema);
  }
}

/** In µs, as the server has them. */
const micros = (seconds: number): number => Number((seconds * 1e6).toFixed(3));

const quote = (text: string): string => `"${clean(text).slice(0, 100)}"`;

const said = (status: number, text: string): string => {
  let message = text;
  try {
    message = messageSchema.parse(JSON.parse(text)).message;
  } catch {
    // Not of the server's own errors.
  }
  return `it answers ${status}, ${quote(message)}`;
};

export const denied = (name: string): string =>
  `the kT-RAM server ${name} does not accept user and password: put those of your account into ${USER} and ${PASSWORD}`;

/** The answer's text. Throws `service` without access, `Lost` for everything else that is no answer. */
function check({ status, text }: Answer, name: string): string {
  if (status === 200) return text;
  if (status === 401) throw new MemloopError('service', denied(name));
  throw new Lost(
    said(status, text),
    status >= 500 || status === 403 ? 'SERVER_ERROR' : 'NOT_AN_ANSWER',
    true,
  );
}

/** Throws `Lost` for what is no such answer: it may have been torn on the way. */
function parse<S extends z.ZodType>(text: string, schema: S): z.output<S> {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    throw new Lost(`it answers ${quote(text)}`, 'NOT_AN_ANSWER', true);
  }
}
