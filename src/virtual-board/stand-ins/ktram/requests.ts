/** The server's requests, one at a time, as what they do and answer. */
import { z } from 'zod';
import { CALIBRATIONS, type Cell, type KtramDriver, ServerError } from './driver.js';

const FORMATS = ['RESISTANCE', 'CONDUCTANCE', 'CURRENT', 'VOLTAGE'] as const;
type Format = (typeof FORMATS)[number];

const cellsSchema = z.array(
  z.object({
    module: z.int(),
    unit: z.int(),
    array: z.int(),
    column: z.int(),
    row: z.int(),
  }),
);

/** Steps that each do a part of the work, and what is answered in the end: undefined for 204. */
export interface Work {
  kind: 'write' | 'read' | 'other';
  steps: (() => void)[];
  answer: () => unknown;
}

const nothing = (answer: unknown): Work => ({ kind: 'other', steps: [], answer: () => answer });

export class KtramRequests {
  readonly #driver: KtramDriver;
  readonly #calibrated: boolean;
  readonly #serial: number;
  /** The active set. */
  #active: Cell[] = [];

  constructor(driver: KtramDriver, calibrated: boolean) {
    this.#driver = driver;
    this.#calibrated = calibrated;
    this.#serial = Number.parseInt(driver.chip.identity.slice(0, 6), 16);
  }

  /** Undefined: there is no such request. Throws `ServerError`. */
  work(method: string, parts: readonly string[], body: unknown): Work | undefined {
    const [name, ...rest] = parts;
    if (method === 'POST') return this.#post(name, rest, body);
    if (method !== 'GET') return undefined;
    switch (name) {
      case 'get-board-info':
        return nothing(this.#product('kT-RAM Server', null, 0));
      case 'get-driver-info':
        return nothing(this.#product('kT-RAM Server Pulse Driver', null, 1));
      case 'get-module-info':
        return nothing(this.#module(Number(rest[0])));
      case 'get-all-calibration-profiles':
        return nothing(this.#calibrated ? CALIBRATIONS : []);
      case 'get-calibration-profile':
        return nothing(this.#calibration(rest));
      case 'clear':
        this.#active = [];
        return nothing(true);
      case 'set':
        return this.#set(rest);
      case 'pulse-read':
        return this.#read(rest, this.#active, true, (rows) => rows[0]);
      case 'pulse-write':
        return this.#write(rest, this.#active, true);
      default:
        return undefined;
    }
  }

  #post(name: string, rest: readonly string[], body: unknown): Work | undefined {
    const together = rest.at(-1) === 'true';
    const cells = () => {
      const parsed = cellsSchema.safeParse(body);
      if (!parsed.success) throw new ServerError('Malformed activations');
      return parsed.data;
    };
    if (name === 'pulse-read-activations') return this.#read(rest, cells(), together, (rows) => rows);
    if (name === 'pulse-write-activations') return this.#write(rest, cells(), together);
    return undefined;
  }

  #set(rest: readonly string[]): Work {
    const [module, unit, array, columns, rows] = rest.map((text) => text.split(',').map(Number));
    const cells = (columns ?? []).flatMap((column) =>
      (rows ?? []).map((row) => ({ module: module[0], unit: unit[0], array: array[0], column, row })),
    );
    this.#driver.checkCells(cells, false);
    this.#active.push(...cells);
    return nothing(true);
  }

  #write(rest: readonly string[], cells: readonly Cell[], together: boolean): Work {
    const [voltage, micros, series, count] = rest.map(Number);
    this.#driver.checkPulse(voltage, micros, series);
    this.#driver.checkCells(cells, together);
    const steps = Array.from({ length: count }, () =>
      cells.map((cell) => () => this.#driver.write(cell, voltage, micros, series)),
    ).flat();
    return { kind: 'write', steps, answer: () => true };
  }

  #read(
    rest: readonly string[],
    cells: readonly Cell[],
    together: boolean,
    shape: (rows: number[][]) => unknown,
  ): Work {
    const format = FORMATS.find((one) => one === rest[5]);
    const count = Number(rest[4]);
    if (!format || !(count >= 1)) throw new ServerError('Malformed read properties');
    const how = this.#calibration(rest);
    this.#driver.checkCells(cells, together);
    const groups = together ? [cells] : cells.map((cell) => [cell]);
    const rows: number[][] = groups.map(() => []);
    const steps = groups.map((group, i) => () => {
      for (let n = 0; n < count; n++)
        rows[i].push(inFormat(format, this.#driver.read(group, how), how.readVoltage));
    });
    return { kind: 'read', steps, answer: () => shape(rows) };
  }

  #calibration(rest: readonly string[]) {
    const [voltage, micros, series, gain] = rest.map(Number);
    if (!this.#calibrated) throw new ServerError('No calibration profile');
    return this.#driver.calibrationOf(voltage, micros, series, gain);
  }

  #module(slot: number) {
    if (!this.#driver.hasModule(slot)) return undefined;
    return this.#product('Memristor Crossbar Module', this.#driver.variant, 10 + slot);
  }

  #product(name: string, varient: string | null, offset: number) {
    return {
      name,
      version: 1,
      varient,
      dateOfManufacture: 1597721365192,
      description: 'Simulated by memloop.',
      serialNumber: this.#serial + offset,
    };
  }
}

function inFormat(format: Format, { sense, ohms }: { sense: number; ohms: number }, voltage: number): number {
  const single = (value: number) => Number(Math.fround(value).toPrecision(8));
  if (format === 'RESISTANCE') return single(ohms);
  if (format === 'CONDUCTANCE') return single(1 / ohms);
  return single(format === 'CURRENT' ? voltage / ohms : sense);
}
