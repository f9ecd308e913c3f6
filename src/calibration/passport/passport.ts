/**
 * What is known of one chip, and where it is kept: a folder per board in the platform's data folder
 * (`MEMLOOP_HOME` overrides) with `board.json` (converters) and `array-SERIAL.json` for each array. Files are
 * written beside and renamed, so a kill leaves the old or the new one; a journal of pulses about to be sent
 * (`pulse-log.ts`) carries the totals over a kill in between.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import envPaths from 'env-paths';
import { z } from 'zod';
import type { BoardDescription } from '../../driver/board/board.js';
import { mifSchema } from '../../model/devices/mif.js';
import { MemloopError } from '../../shared/errors.js';
import { fileVersion } from '../../shared/file-version.js';
import { writeAtomically } from '../../shared/files.js';
import { readJson } from '../../shared/json.js';
import type { ConverterCalibration } from '../converters/types.js';
import type { NeuronCalibration } from '../neurons/types.js';
import type { Totals } from './job-budget.js';

const line = z.object({
  offset: z.number(),
  offsetSigma: z.number().nonnegative(),
  gain: z.number(),
  gainSigma: z.number().nonnegative(),
});

const converterSchema = z.object({
  boardSerial: z.string(),
  measured: z.iso.datetime(),
  rows: z.array(line),
  columns: z.array(z.array(line)),
  residuals: z.array(z.number().nonnegative()),
  reads: z
    .object({
      voltage: z.number().positive(),
      columns: z.array(
        z.object({
          scale: z.number().positive(),
          exponent: z.number().positive(),
          offset: z.number(),
          residual: z.number().nonnegative(),
        }),
      ),
    })
    .optional(),
});

const neuronSchema = z.object({
  boardSerial: z.string(),
  measured: z.iso.datetime(),
  neurons: z.array(
    z.object({
      parameters: mifSchema,
      driveOffset: z.number(),
      sigma: mifSchema.extend({ driveOffset: z.number() }),
      residual: z.number().nonnegative(),
      noise: z.number().nonnegative(),
    }),
  ),
});

/** The part of a board's description that its passport keeps, so that it can be read without the board. */
const chipSchema = z.object({
  arraySerials: z.array(z.string()),
  rows: z.number().int().positive(),
  columns: z.number().int().positive(),
  /** 0: the host runs them. */
  neurons: z.number().int().nonnegative(),
  /** Ω; absent in passports of before boards could be without. */
  references: z.array(z.number().positive()).optional(),
});

/** A board's passport, `board.json`. */
export const boardSchema = z.object({
  memloopPassport: fileVersion(1),
  kind: z.literal('board'),
  boardSerial: z.string(),
  /** Absent in passports of before neurons were calibrated. */
  chip: chipSchema.optional(),
  converters: converterSchema.nullable(),
  neurons: neuronSchema.nullable().default(null),
});

/** What a passport must know of its board. */
export type ChipDescription = Pick<
  BoardDescription,
  'boardSerial' | 'arraySerials' | 'rows' | 'columns' | 'neurons'
> & {
  references?: BoardDescription['references'] | undefined;
};

/** Rows of numbers; null is "not known". */
const table = z.array(z.array(z.number().nullable()));

const cellTables = [
  'pulses',
  'energy',
  'conductance',
  'windowLow',
  'windowHigh',
  'von',
  'vonSigma',
  'voff',
  'voffSigma',
  'tau',
  'tauSigma',
] as const;
export type CellTable = (typeof cellTables)[number];

const health = z.enum(['stuck low', 'stuck high', 'write fails', 'erase fails', 'quarantined']);
export type CellHealth = z.infer<typeof health>;

/** An array's passport, `array-SERIAL.json`. */
export const arraySchema = z.object({
  memloopPassport: fileVersion(1),
  kind: z.literal('array'),
  boardSerial: z.string(),
  arraySerial: z.string(),
  rows: z.number().int().positive(),
  columns: z.number().int().positive(),
  updated: z.iso.datetime(),
  /** Sequence number of the last pulse-log entry that the totals contain. */
  pulseLog: z.number().int().nonnegative(),
  /** Conductance range of a healthy cell of this array, S. */
  window: z.object({ low: z.number(), high: z.number() }).nullable(),
  /** Pulses that each cell may have in its life; null: no such limit. Absent in older passports. */
  budget: z.number().int().positive().nullable().default(null),
  unhealthy: z.array(
    z.object({
      row: z.number().int().nonnegative(),
      column: z.number().int().nonnegative(),
      health,
      since: z.iso.datetime(),
    }),
  ),
  cells: z.object(
    Object.fromEntries(cellTables.map((name) => [name, table])) as Record<CellTable, typeof table>,
  ),
});

/** `MEMLOOP_HOME`, or the platform's folder for application data. */
export const dataFolder = (): string => process.env.MEMLOOP_HOME ?? envPaths('memloop', { suffix: '' }).data;

const fileName = (serial: string): string => serial.replaceAll(/[^\w.-]/g, '_') || '_';

const readPassport = <S extends z.ZodType>(path: string, schema: S) =>
  readJson(path, schema, {
    what: `the passport ${path}`,
    hint: 'mend it or move it away',
    missing: 'undefined',
  });

/** JSON with one line per table row: short, and readable beside the chip. */
function formatPassport(value: unknown): string {
  const rows: string[] = [];
  const isRow = (v: unknown) =>
    Array.isArray(v) && v.length > 0 && v.every((one) => one === null || typeof one === 'number');
  const outline = JSON.stringify(
    value,
    (_, v) => (isRow(v) ? `\0${rows.push(JSON.stringify(v).replaceAll(',', ', ')) - 1}` : v),
    1,
  );
  return `${outline.replaceAll(/"\\u0000(\d+)"/g, (_, row: string) => rows[Number(row)])}\n`;
}

/** What is known of one array. Tables are row by row, NaN where nothing is known. */
export class ArrayPassport {
  readonly tables: Record<CellTable, Float64Array>;
  /** By cell index row x columns + column. */
  readonly unhealthy = new Map<number, { health: CellHealth; since: string }>();
  window: { low: number; high: number } | undefined;
  /** Pulses that each cell may have in its life; undefined: no such limit. */
  budget: number | undefined;
  pulseLog = 0;

  constructor(
    readonly path: string,
    readonly boardSerial: string,
    readonly arraySerial: string,
    readonly rows: number,
    readonly columns: number,
  ) {
    const cells = rows * columns;
    this.tables = Object.fromEntries(
      cellTables.map((name) => [
        name,
        new Float64Array(cells).fill(name === 'pulses' || name === 'energy' ? 0 : Number.NaN),
      ]),
    ) as Record<CellTable, Float64Array>;
  }

  static load(
    path: string,
    boardSerial: string,
    arraySerial: string,
    rows: number,
    columns: number,
  ): ArrayPassport {
    const passport = new ArrayPassport(path, boardSerial, arraySerial, rows, columns);
    const file = readPassport(path, arraySchema);
    if (!file) return passport;
    if (file.boardSerial !== boardSerial || file.arraySerial !== arraySerial) {
      throw new MemloopError(
        'bad-file',
        `the passport ${path} is of array ${file.arraySerial} on board ${file.boardSerial}, not of ${arraySerial} on ${boardSerial}; move it away`,
      );
    }
    if (file.rows !== rows || file.columns !== columns) {
      throw new MemloopError(
        'bad-file',
        `the passport ${path} is of a ${file.rows}x${file.columns} array, this one has ${rows}x${columns}; move it away`,
      );
    }
    for (const name of cellTables) {
      const rowsOfTable = file.cells[name];
      if (rowsOfTable.length !== rows || rowsOfTable.some((row) => row.length !== columns)) {
        throw new MemloopError(
          'bad-file',
          `the passport ${path} is damaged: table ${name} is not ${rows}x${columns}; mend it or move it away`,
        );
      }
      rowsOfTable.forEach((row, r) => {
        row.forEach((value, c) => {
          passport.tables[name][r * columns + c] =
            value ?? (name === 'pulses' || name === 'energy' ? 0 : Number.NaN);
        });
      });
    }
    for (const { row, column, health, since } of file.unhealthy) {
      passport.unhealthy.set(row * columns + column, { health, since });
    }
    passport.window = file.window ?? undefined;
    passport.budget = file.budget ?? undefined;
    passport.pulseLog = file.pulseLog;
    return passport;
  }

  /** Why a cell may not have this many more pulses; undefined: it may. */
  refusal(cell: number, pulses = 1): 'QUARANTINED' | 'BUDGET' | undefined {
    if (this.unhealthy.get(cell)?.health === 'quarantined') return 'QUARANTINED';
    return this.budget !== undefined && this.tables.pulses[cell] + pulses > this.budget
      ? 'BUDGET'
      : undefined;
  }

  /** A cell with a `health` is skipped by programming; `undefined` gives it another chance. */
  setHealth(cell: number, state: CellHealth | undefined): void {
    if (state === undefined) this.unhealthy.delete(cell);
    else if (this.unhealthy.get(cell)?.health !== state) {
      this.unhealthy.set(cell, { health: state, since: new Date().toISOString() });
    }
  }

  toJSON(): z.infer<typeof arraySchema> {
    // Counts stay exact.
    const rounded = (value: number) =>
      Number.isInteger(value) ? value : Number.isFinite(value) ? Number(value.toPrecision(6)) : null;
    return {
      memloopPassport: 1,
      kind: 'array',
      boardSerial: this.boardSerial,
      arraySerial: this.arraySerial,
      rows: this.rows,
      columns: this.columns,
      updated: new Date().toISOString(),
      pulseLog: this.pulseLog,
      window: this.window ?? null,
      budget: this.budget ?? null,
      unhealthy: [...this.unhealthy]
        .sort(([a], [b]) => a - b)
        .map(([cell, { health, since }]) => ({
          row: Math.floor(cell / this.columns),
          column: cell % this.columns,
          health,
          since,
        })),
      cells: Object.fromEntries(
        cellTables.map((name) => [
          name,
          Array.from({ length: this.rows }, (_, r) =>
            Array.from(this.tables[name].subarray(r * this.columns, (r + 1) * this.columns), rounded),
          ),
        ]),
      ) as Record<CellTable, (number | null)[][]>,
    };
  }

  save(): void {
    writeAtomically(this.path, formatPassport(this.toJSON()));
  }
}

/** What is known of a board and its arrays. */
export class Passport {
  converters: ConverterCalibration | undefined;
  neurons: NeuronCalibration | undefined;
  readonly #loaded = new Map<number, ArrayPassport>();

  private constructor(
    readonly folder: string,
    readonly description: ChipDescription,
  ) {}

  /** Opens (or begins) the passport of the board described. Throws `bad-file` if one is damaged or of another chip. */
  static open(description: ChipDescription, home: string = dataFolder()): Passport {
    const folder = join(home, 'passports', fileName(description.boardSerial));
    try {
      mkdirSync(folder, { recursive: true });
    } catch (error) {
      throw new MemloopError(
        'disk',
        `cannot make the passport folder ${folder}: ${(error as Error).message}; set MEMLOOP_HOME`,
      );
    }
    return new Passport(folder, description).#load(readPassport(join(folder, 'board.json'), boardSchema));
  }

  /**
   * The passport of a board that is not there, by its serial number or its folder. Throws `bad-input` if there is none.
   */
  static stored(serialOrFolder: string, home: string = dataFolder()): Passport {
    const named = join(home, 'passports', fileName(serialOrFolder));
    const folder = existsSync(join(serialOrFolder, 'board.json')) ? serialOrFolder : named;
    const path = join(folder, 'board.json');
    const file = readPassport(path, boardSchema);
    if (!file?.chip)
      throw new MemloopError(
        'bad-input',
        `${file ? `the passport ${path} does not say how large the chip is` : `there is no passport ${path}`}: run \`memloop calibrate\` on the board`,
      );
    return new Passport(folder, { boardSerial: file.boardSerial, ...file.chip }).#load(file);
  }

  #load(file: z.infer<typeof boardSchema> | undefined): this {
    if (!file) return this;
    if (file.boardSerial !== this.boardSerial) {
      throw new MemloopError(
        'bad-file',
        `the passport ${join(this.folder, 'board.json')} is of board ${file.boardSerial}, not of ${this.boardSerial}; move it away`,
      );
    }
    this.converters = file.converters ?? undefined;
    this.neurons = file.neurons ?? undefined;
    return this;
  }

  get boardSerial(): string {
    return this.description.boardSerial;
  }

  /** File of an array's passport. */
  pathOf(index: number): string {
    return join(this.folder, `array-${fileName(this.description.arraySerials[index])}.json`);
  }

  array(index: number): ArrayPassport {
    const { arraySerials, rows, columns, boardSerial } = this.description;
    const serial = arraySerials[index];
    if (serial === undefined) {
      throw new MemloopError(
        'bad-input',
        `there is no array ${index}: the board has ${arraySerials.length}, counted from 0`,
      );
    }
    let found = this.#loaded.get(index);
    if (!found) {
      found = ArrayPassport.load(this.pathOf(index), boardSerial, serial, rows, columns);
      this.#loaded.set(index, found);
    }
    return found;
  }

  /** Pulses that all cells have had, and what they took, J. */
  totals(): Totals {
    const total = { pulses: 0, energy: 0 };
    for (const index of this.description.arraySerials.keys()) {
      const { pulses, energy } = this.array(index).tables;
      total.pulses += pulses.reduce((a, b) => a + b, 0);
      total.energy += energy.reduce((a, b) => a + b, 0);
    }
    return total;
  }

  saveConverters(converters: ConverterCalibration): void {
    this.converters = converters;
    this.saveBoard();
  }

  saveNeurons(neurons: NeuronCalibration): void {
    this.neurons = neurons;
    this.saveBoard();
  }

  /** Writes what is known of the board itself; arrays are kept apart. */
  saveBoard(): void {
    const { boardSerial, arraySerials, rows, columns, neurons, references } = this.description;
    const file: z.infer<typeof boardSchema> = {
      memloopPassport: 1,
      kind: 'board',
      boardSerial,
      chip: { arraySerials, rows, columns, neurons, references },
      converters: this.converters ?? null,
      neurons: this.neurons ?? null,
    };
    writeAtomically(join(this.folder, 'board.json'), formatPassport(file));
  }
}
