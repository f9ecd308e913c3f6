/**
 * The instrument's commands: each a line with its name and a line for each number; answers are 32-bit floats, little end
 * first. A line that is lost leaves it waiting for ever, and it takes the next line, whatever that is, for the missing
 * number. So after anything odd it is reset, by a line that is 0 for whoever waits for a number.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { MemloopError } from '../../shared/errors.js';
import { LineLost, type SerialLine } from './line.js';
import { type Spelling, secondsText, voltsText, wholeText } from './numbers.js';
import type { ArcOneSettings } from './url.js';

const RESET = '00';
/** Resets in a row: no command wants more numbers. */
const RESETS = 16;
const STARTS = 3;
const PROBES = 3;
/** Its transimpedance amplifier, for positive and for negative read voltages. */
const READ_MODE = { positive: '2', negative: '3' };
const LOCAL_SESSION = '0';
const SNEAK = { v3: '0', v2: '1' };
/** Old firmware does not answer the question for its version, s. */
const VERSION_PATIENCE = 2;
/** Read voltage until another is asked for, V. */
export const FIRST_VOLTAGE = 0.05;
/** Two readings of a cell agree up to this share of the larger, or this much, S. */
const AGREEMENT = { share: 0.1, least: 5e-8 };
/** While it reads, a command that was taken for a read would have answered: so many times the slowest of late, s. */
const LISTENING = { times: 3, least: 2e-3, most: 0.2 };

export type PulseAnswer =
  /** Conductance after it, S; NaN where the answer makes no sense. */
  | { answered: number }
  /** Why it cannot be told what has happened. */
  | { lost: 'early' | 'late' };

export const agree = (a: number, b: number): boolean =>
  Math.abs(a - b) <= Math.max(AGREEMENT.share * Math.max(Math.abs(a), Math.abs(b)), AGREEMENT.least);

/** Throws `not-a-board`; the line is closed then. */
export async function startProtocol(line: SerialLine, settings: ArcOneSettings): Promise<Protocol> {
  const protocol = new Protocol(line, settings);
  try {
    await protocol.open();
    return protocol;
  } catch (error) {
    await line.close();
    if (!(error instanceof LineLost)) throw error;
    throw new MemloopError('port-not-found', `${settings.path}: ${error.message}`, { cause: error });
  }
}

export class Protocol {
  /** As it says, for people. */
  version = 'too old to tell';
  spelling: Spelling = 'plain';
  requests = 0;
  readonly #line: SerialLine;
  readonly #settings: ArcOneSettings;
  #voltage = FIRST_VOLTAGE;
  /** Of late, s. */
  readonly #readTimes: number[] = [];

  constructor(line: SerialLine, settings: ArcOneSettings) {
    this.#line = line;
    this.#settings = settings;
  }

  get lost(): string | undefined {
    return this.#line.lost;
  }

  async open(): Promise<void> {
    if (!(await this.#reset()) && !(await this.#started()))
      throw new MemloopError(
        'not-a-board',
        `nothing on ${this.#settings.path} answers as an ArC ONE: is it the right port (\`memloop ports\`), and is it switched on?`,
      );
    await this.#askVersion();
    await this.restart();
    await this.#chooseSpelling();
  }

  close(): Promise<void> {
    return this.#line.close();
  }

  /** From whatever state to one that is known. Throws `board-lost` where it does not answer, `LineLost`. */
  async restart(): Promise<void> {
    if (await this.#started()) return;
    throw new MemloopError(
      'board-lost',
      `the ArC ONE on ${this.#settings.path} does not answer any more: switch it off and on again, and read the cells before you go on`,
    );
  }

  /** For the readings that follow, V; not 0. */
  async setVoltage(voltage: number): Promise<void> {
    if (voltage === this.#voltage) return;
    this.#voltage = voltage;
    await this.#line.send('01', this.#readMode(), voltsText(voltage));
  }

  /** S; NaN where the answer makes no sense, as of an open cell; undefined where it is lost. Throws `board-lost`, `LineLost`. */
  async read(row: number, column: number): Promise<number | undefined> {
    await this.#begin();
    await this.#line.send('1', ...this.#address(row, column));
    const began = performance.now();
    const bytes = await this.#line.receive(4, this.#settings.timeout);
    if (!bytes) {
      await this.restart();
      return undefined;
    }
    this.#readTimes.push((performance.now() - began) / 1000);
    if (this.#readTimes.length > 16) this.#readTimes.shift();
    return conductanceOf(bytes, 0);
  }

  /** S, the first `rows` rows; otherwise as `read`. */
  async readRows(rows: number): Promise<Float64Array | undefined> {
    const { columns } = this.#settings;
    await this.#begin();
    await this.#line.send('2', this.#whole(1), this.#whole(rows), this.#whole(columns));
    const bytes = await this.#line.receive(4 * rows * columns, this.#settings.timeout);
    if (bytes) return Float64Array.from({ length: rows * columns }, (_, i) => conductanceOf(bytes, 4 * i));
    await this.restart();
    return undefined;
  }

  /**
   * `onSent` is called when what is sent can no longer be taken back. Throws `LineLost`; where the answer is lost it has
   * to be started anew before anything else.
   */
  async pulse(
    { row, column }: { row: number; column: number },
    { voltage, width }: { voltage: number; width: number },
    onSent: () => void,
  ): Promise<PulseAnswer> {
    await this.#begin();
    await this.#line.send('3', ...this.#address(row, column));
    // Were the first line another, such as that of a read, it would answer by now, and the pulse be believed for it.
    await sleep(this.#listening() * 1000);
    if (this.#line.waiting > 0) return { lost: 'early' };
    onSent();
    await this.#line.send(voltsText(voltage), secondsText(width));
    const bytes = await this.#line.receive(4, width + this.#settings.timeout);
    if (!bytes) return { lost: 'late' };
    return { answered: conductanceOf(bytes, 0) };
  }

  /** Bytes that nobody asked for: what it does now is not what we think. */
  async #begin(): Promise<void> {
    this.requests++;
    if (this.#line.waiting > 0) await this.restart();
  }

  async #reset(): Promise<boolean> {
    for (let i = 0; i < RESETS; i++) await this.#line.send(RESET);
    await sleep(this.#settings.boot * 1000);
    this.#line.drain();
    const { rows, columns, cycles, sneak } = this.#settings;
    const sizes = [cycles, rows, columns].map((value) => this.#whole(value));
    await this.#line.send(
      '0',
      ...sizes,
      this.#readMode(),
      LOCAL_SESSION,
      SNEAK[sneak],
      voltsText(this.#voltage),
    );
    return (await this.#line.receiveLine(this.#settings.timeout)) === '1';
  }

  async #started(): Promise<boolean> {
    for (let i = 0; i < STARTS; i++) if (await this.#reset()) return true;
    return false;
  }

  async #askVersion(): Promise<void> {
    await this.#line.send('999');
    const bytes = await this.#line.receive(4, Math.min(VERSION_PATIENCE, 2 * this.#settings.timeout));
    if (bytes) this.version = `${bytes.readUInt16LE(0)}.${bytes.readUInt16LE(2)}`;
  }

  /** Guarded numbers are not documented: they are used where a cell reads the same by both. */
  async #chooseSpelling(): Promise<void> {
    const { rows, columns } = this.#settings;
    const corner = () => this.read(rows - 1, columns - 1);
    for (let i = 0; i < PROBES; i++) {
      this.spelling = 'plain';
      const plain = await corner();
      this.spelling = 'guarded';
      const guarded = await corner();
      if (plain !== undefined && guarded !== undefined && agree(plain, guarded)) return;
    }
    this.spelling = 'plain';
  }

  #listening(): number {
    const { times, least, most } = LISTENING;
    return Math.min(most, Math.max(least, times * Math.max(0, ...this.#readTimes)));
  }

  #readMode(): string {
    return this.#voltage > 0 ? READ_MODE.positive : READ_MODE.negative;
  }

  #whole(value: number): string {
    return wholeText(value, this.spelling);
  }

  /** It counts from 1. */
  #address(row: number, column: number): [string, string] {
    return [this.#whole(row + 1), this.#whole(column + 1)];
  }
}

/** Of a resistance in Ω; NaN of one that is none. */
function conductanceOf(bytes: Buffer, at: number): number {
  const resistance = bytes.readFloatLE(at);
  return resistance > 0 && Number.isFinite(resistance) ? 1 / resistance : Number.NaN;
}
