/** Cells on the Memristor Discovery board: pulses that the scope proves, reads, traces, and products by bit planes. */
import type {
  BoardDescription,
  CellAddress,
  CellOperation,
  CellOutcome,
  CellTrace,
} from '../../driver/board/board.js';
import { refusal, unknownFate } from '../../driver/board/outcomes.js';
import { MemloopError } from '../../shared/errors.js';
import type { Instrument } from '../foreign-board.js';
import {
  behindSwitch,
  type Channel,
  type Circuit,
  conductanceAt,
  INPUT_RESISTANCE,
  levelOf,
  plateauOf,
  traceOf,
  widthOf,
  zerosOf,
} from './circuit.js';
import { BUFFER, type Device, NotProven, proven, type Wave } from './device.js';
import { ALL, CHECK, CHIP, checkBoard, noChip } from './self-check.js';
import { pulseWave, sampledWave } from './waves.js';

/** How long a read lasts, s: many time constants of the node, and short for the cell. */
export const READ_WIDTH = 200e-6;
/** Share of a read after which its plateau counts. */
const SETTLED = 0.3;
/** Samples of a capture of a pulse, and of all cells of a product. */
const PULSE_SAMPLES = 2048;
/** What does not move a cell is tried so often. */
const READ_TRIES = 3;
/** Reads' captures hold thousands of samples: so many samples that are asked for are one capture. */
const SAMPLES_A_CAPTURE = 16;
/** A captured pulse may miss what was asked for by so much: share, V, scope samples. */
const MISS = { share: 0.03, volts: 3e-3, samples: 3 } as const;
/** A pulse that less flows in than this, S, may have found its switch open. */
const FLOWS = 0.5e-6;
/** Bits of the inputs of a product, of the vector's largest. */
const PLANES = 6;
/** Of one vector, s: switches settle for 5 ms in each plane; the rest is for W1, the scope and USB, and was not measured. */
export const PRODUCT_TIME = PLANES * 7.5e-3;
/** Between two attempts to reach a device, s. */
const RETRY = 0.1;

export interface Ad2Settings {
  circuit: Circuit;
  description: BoardDescription;
  /** How long an unplugged device is waited for, s. */
  reconnect: number;
  pause: (seconds: number) => Promise<void>;
}

const maskOf = ({ row, column }: { row: number; column: number }): number => 1 << (row + 8 * column);

export class Ad2Instrument implements Instrument {
  description: BoardDescription;
  readonly multiply?: NonNullable<Instrument['multiply']>;
  readonly #device: Device;
  readonly #reconnect: number;
  readonly #pause: (seconds: number) => Promise<void>;
  #circuit: Circuit;
  /** Why the device has to be made ready again before it is used. */
  #doubt: string | undefined;

  constructor(device: Device, { circuit, description, reconnect, pause }: Ad2Settings) {
    this.#device = device;
    this.#circuit = circuit;
    this.description = description;
    this.#reconnect = reconnect;
    this.#pause = pause;
    if (description.products !== 'none')
      this.multiply = (_array, voltages, samples) => this.#multiply(voltages, samples);
  }

  get requests(): number {
    return this.#device.requests;
  }

  async cells([operation]: readonly CellOperation[]): Promise<CellOutcome[]> {
    try {
      await this.#ready();
    } catch (error) {
      if (!isLost(error)) throw error;
      return [refusal('NOT_SENT')];
    }
    return [await this.#one(operation)];
  }

  async readRows(
    _array: number,
    firstRow: number,
    rowCount: number,
    voltage: number,
    samples: number,
  ): Promise<Float32Array> {
    const { columns } = this.description;
    return this.#measuring(async () => {
      const currents = new Float32Array(rowCount * columns);
      for (let i = 0; i < currents.length; i++) {
        const cell = { row: firstRow + Math.floor(i / columns), column: i % columns };
        currents[i] = await this.#read(cell, voltage, samples);
      }
      return currents;
    });
  }

  async trace({ row, column }: CellAddress, samples: Float64Array, rate: number): Promise<CellTrace> {
    const time = samples.length / rate;
    if (!(time >= 100e-6 && time <= 100))
      throw new MemloopError('limit', `the wave lasts ${time} s: give one of 100 µs to 100 s`);
    return this.#measuring(async () => {
      await this.#device.switch(maskOf({ row, column }));
      const asked = sampledWave(
        samples.map((value) => -value),
        rate,
      );
      const capture = await this.#device.run(this.#driving(asked), BUFFER.scope);
      const { source, ...trace } = traceOf(this.#circuit, capture, column);
      this.#checkWave(asked, source);
      await this.#checkFlow({ row, column }, sizeOf(trace.current) / sizeOf(trace.voltage));
      return trace;
    });
  }

  async rest(): Promise<void> {
    try {
      await this.#device.rest();
    } catch (error) {
      throw this.#lost(error);
    }
  }

  close(): Promise<void> {
    return this.#device.close().catch(() => {});
  }

  async #one(operation: CellOperation): Promise<CellOutcome> {
    try {
      if (operation.kind === 'pulse') {
        await this.#pulse(operation);
        return { status: 'applied' };
      }
      const current = await this.#read(operation, operation.voltage, operation.samples);
      return { status: 'applied', current, saturated: false };
    } catch (error) {
      this.#doubt = (error as Error).message;
      // A read that cannot be had is not sent: it changes nothing.
      if (operation.kind === 'read') return refusal('NOT_SENT');
      const { started, code } =
        error instanceof NotProven ? error : { started: true, code: 'PROTOCOL_BREACH' as const };
      return started ? unknownFate(code) : refusal('NOT_SENT');
    }
  }

  /** Throws `NotProven` unless the scope has seen voltage and width at W1, and a current. */
  async #pulse({ row, column, voltage, width }: CellOperation & { kind: 'pulse' }): Promise<void> {
    const circuit = this.#circuit;
    await this.#device.switch(maskOf({ row, column }));
    const capture = await this.#device.run(this.#driving(pulseWave(-voltage, width)), PULSE_SAMPLES);
    const { source, conductance } = plateauOf(circuit, capture, column, width, {
      zeros: circuit.offsets,
      settled: 0.6,
    });
    const given = source / this.#loss(column);
    const lasted = widthOf(circuit, capture, column, voltage);
    if (
      Math.abs(given - voltage) > MISS.share * Math.abs(voltage) + MISS.volts ||
      Math.abs(lasted - width) > MISS.share * width + MISS.samples / capture.rate
    )
      throw breach(
        `a pulse of ${voltage} V for ${width} s was ${given.toPrecision(3)} V for ${lasted.toPrecision(3)} s`,
      );
    await this.#checkFlow({ row, column }, conductance);
  }

  /**
   * Throws where no current was seen, which the cell lets through otherwise: its switch was open. A dead cell conducts as
   * little: then the others tell whether the switches work.
   */
  async #checkFlow(cell: { row: number; column: number }, conductance: number): Promise<void> {
    if (conductance > FLOWS) return;
    const now = await this.#conductance(cell, Math.min(0.1, this.description.limits.maxReadVoltage));
    if (now > FLOWS) throw breach('W1 ran, and nothing flowed through the cell: its switch was open');
  }

  /** A at `voltage` (V) across the cell. */
  async #read(cell: { row: number; column: number }, voltage: number, samples: number): Promise<number> {
    const captures = Math.ceil(samples / SAMPLES_A_CAPTURE);
    let sum = 0;
    for (let i = 0; i < captures; i++) sum += voltage === 0 ? 0 : await this.#conductance(cell, voltage);
    return (sum / captures) * voltage;
  }

  /** S; measured again where the scope does not prove it, for a read does not move the cell. */
  async #conductance(cell: { row: number; column: number }, voltage: number): Promise<number> {
    let silent = false;
    for (let tries = 1; ; tries++) {
      try {
        const conductance = await this.#measured(maskOf(cell), cell.column, voltage);
        if (conductance > FLOWS || silent) return conductance;
        // Nothing flows: the cell is dead, or its switch is open. If the others conduct now, so must this one.
        if (!(await this.#conducts(cell.column))) throw noChip(this.#device.serial);
        silent = true;
      } catch (error) {
        if (tries >= READ_TRIES || !(error instanceof NotProven) || error.code !== 'PROTOCOL_BREACH')
          throw error;
      }
    }
  }

  /** Whether memristors conduct while all switches of the column's node are closed. */
  async #conducts(column: number): Promise<boolean> {
    const all = this.#circuit.mode === 1 ? ALL : 0xff << (8 * column);
    return (await this.#measured(all, column, CHECK)) > CHIP;
  }

  /** Of what these switches close, all of it behind one node, S. Throws `NotProven` unless W1 gave the voltage. */
  async #measured(switches: number, column: number, voltage: number): Promise<number> {
    await this.#device.switch(switches);
    const capture = await this.#device.run(this.#driving(pulseWave(-voltage, READ_WIDTH)), BUFFER.scope);
    const { source, conductance } = plateauOf(this.#circuit, capture, column, READ_WIDTH, {
      zeros: zerosOf(capture, READ_WIDTH),
      settled: SETTLED,
    });
    if (Math.abs(source / this.#loss(column) / voltage - 1) > 2 * MISS.share)
      throw breach(`a read at ${voltage} V was at ${source.toPrecision(3)} V`);
    return conductance;
  }

  /** Sums of both columns by bit planes of the inputs: the switches of a plane are closed at once. */
  #multiply(voltages: Float32Array, samples: number): Promise<Float32Array> {
    const { rows, columns } = this.description;
    return this.#measuring(async () => {
      const vectors = voltages.length / rows;
      const sums = new Float32Array(vectors * columns);
      for (let v = 0; v < vectors; v++) {
        const vector = voltages.subarray(v * rows, (v + 1) * rows);
        const step = vector.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / (2 ** PLANES - 1);
        if (step === 0) continue;
        for (const sign of [1, -1]) {
          const levels = Array.from(vector, (value) => Math.round(Math.max(0, sign * value) / step));
          for (let plane = 0; plane < PLANES; plane++) {
            const rowsOn = levels.reduce((mask, level, row) => mask | (((level >> plane) & 1) << row), 0);
            if (rowsOn === 0) continue;
            const weight = sign * step * 2 ** plane;
            const totals = await this.#totals(rowsOn, samples);
            for (let c = 0; c < columns; c++) sums[v * columns + c] += weight * totals[c];
          }
        }
      }
      return sums;
    });
  }

  /** Conductances of both columns with some of their rows on, S. */
  async #totals(rowsOn: number, samples: number): Promise<[number, number]> {
    const voltage = this.#productVoltage;
    await this.#device.switch(rowsOn | (rowsOn << 8));
    const totals: [number, number] = [0, 0];
    const captures = Math.ceil(samples / SAMPLES_A_CAPTURE);
    for (let i = 0; i < captures; i++) {
      const wave = this.#driving(pulseWave(-voltage, READ_WIDTH));
      const capture = await proven(() => this.#device.run(wave, PULSE_SAMPLES));
      const zeros = zerosOf(capture, READ_WIDTH);
      // W1 itself cannot be seen now: it gives what the self-check found.
      const source = wave.amplitude * this.#circuit.w1.gain * Math.sign(voltage);
      for (const node of [0, 1] as const) {
        const level = levelOf(capture, node, SETTLED * READ_WIDTH, 0.98 * READ_WIDTH, zeros[node]);
        totals[node] += behindSwitches(conductanceAt(this.#circuit, node, source, level), rowsOn) / captures;
      }
    }
    return totals;
  }

  get #productVoltage(): number {
    return Math.min(0.1, this.description.limits.maxReadVoltage);
  }

  /** What W1 is asked for, so that a cell is driven as through the described resistance by the described voltage. */
  #driving(wave: Wave): Wave {
    return { ...wave, amplitude: (wave.amplitude * this.#loss(0)) / this.#circuit.w1.gain };
  }

  /** The scope's input takes its share of the voltage: W1 gives so much more. */
  #loss(column: number): number {
    const { series, open, mode } = this.#circuit;
    const node: Channel = mode === 1 || column === 0 ? 0 : 1;
    return 1 + series * open[node];
  }

  /** Throws `NotProven` unless W1 followed the wave. */
  #checkWave({ data, amplitude }: Wave, source: Float64Array): void {
    const loss = this.#loss(0);
    const missed = source.map((value, i) => {
      const asked = data[Math.floor(((i + 0.5) / source.length) * data.length)];
      return value / loss + asked * amplitude;
    });
    if (sizeOf(missed) > MISS.share * amplitude + MISS.volts)
      throw breach(`W1 missed the wave by ${sizeOf(missed).toPrecision(3)} V`);
  }

  /** Work whose failure is one of the board, and after which all switches are open. */
  async #measuring<T>(work: () => Promise<T>): Promise<T> {
    await this.#ready();
    try {
      return await work();
    } catch (error) {
      if (error instanceof MemloopError && !(error.reason === 'board-refused')) throw error;
      this.#doubt = (error as Error).message;
      throw this.#lost(error);
    } finally {
      await this.rested();
    }
  }

  async rested(): Promise<void> {
    await this.#device.rest().catch((error: Error) => {
      this.#doubt ??= error.message;
    });
  }

  /** After anything that was not as it should be. Throws `board-lost`. */
  async #ready(): Promise<void> {
    if (this.#doubt === undefined) return;
    try {
      await this.#again();
    } catch (error) {
      throw this.#lost(error);
    }
    this.#doubt = undefined;
  }

  async #again(): Promise<void> {
    const tries = Math.max(READ_TRIES, Math.ceil(this.#reconnect / RETRY));
    for (let tried = 1; ; tried++) {
      try {
        if (tried > 1) await this.#device.reopen();
        await this.#device.prepare();
        this.#circuit = await checkBoard(this.#device, this.#circuit);
        return;
      } catch (error) {
        if (tried === tries) throw error;
        if (this.#reconnect > 0) await this.#pause(RETRY);
      }
    }
  }

  #lost(error: unknown): MemloopError {
    const { message } = error as Error;
    return new MemloopError(
      'board-lost',
      error instanceof MemloopError
        ? message
        : `the Analog Discovery ${this.#device.serial} does not answer as it should (${message}): check its cable and run the same command again`,
      { cause: error },
    );
  }
}

const breach = (message: string): NotProven =>
  new NotProven(message, { started: true, code: 'PROTOCOL_BREACH' });

/** RMS */
const sizeOf = (values: Float64Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

const isLost = (error: unknown): boolean => error instanceof MemloopError && error.reason === 'board-lost';

/** Cells in parallel, each behind its switch: as if they were alike. */
function behindSwitches(conductance: number, rowsOn: number): number {
  let cells = 0;
  for (let mask = rowsOn; mask !== 0; mask >>= 1) cells += mask & 1;
  return cells * behindSwitch(conductance / cells);
}

/** Of the whole between W1 and a cell with the scope's input beside it, Ω. */
export const equivalentSeries = (series: number): number => series / (1 + series / INPUT_RESISTANCE);
