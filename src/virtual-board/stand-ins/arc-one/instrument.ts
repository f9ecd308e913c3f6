/**
 * An ArC ONE as its host sees it: lines of text in, binary numbers out. What its firmware does with lines that are lost or
 * wrong is not documented; here it takes the worst reading that the protocol allows: it waits for what is missing for ever,
 * and takes the next line for it.
 */
import { Random } from '../../../model/random.js';
import type { BareChip } from '../bare-chip.js';
import type { ArcOneFaultKind, ArcOneFaults } from './faults.js';

/** Its supplies, V. */
const VOLTAGE_MAX = 12;
/** Shortest pulse, s: one of no width is not nothing. */
const WIDTH_MIN = 90e-9;
/** Noise of its current meter in one cycle, A. */
const METER_NOISE = 2e-9;
const VERSION: readonly [number, number] = [2, 1];
/** Numbers that a command wants after its name. */
const WANTED: Readonly<Record<string, number>> = {
  '00': 0,
  '0': 7,
  '01': 2,
  '999': 0,
  '02': 2,
  '1': 2,
  '2': 3,
  '3': 4,
  '04': 2,
};

interface State {
  ready: boolean;
  cycles: number;
  words: number;
  bits: number;
  readVoltage: number;
  selected: [word: number, bit: number] | undefined;
}

export interface ArcOneEvents {
  /** Bytes for the host. */
  answer(bytes: Uint8Array): void;
  /** It is gone for a time, s. */
  unplug(time: number): void;
}

export class ArcOneInstrument {
  /** How often each fault has happened. */
  readonly counts: Partial<Record<ArcOneFaultKind, number>> = {};
  readonly #chip: BareChip;
  readonly #faults: ArcOneFaults;
  readonly #events: ArcOneEvents;
  readonly #random: Random;
  readonly #due = new Map<number, number>();
  /** Bytes of a line that has not ended. */
  #line = '';
  #job: string[] = [];
  #masked = 0;
  #deaf = 0;
  #bootedAt = 0;
  #heardAt = 0;
  #state: State;

  constructor(chip: BareChip, faults: ArcOneFaults, events: ArcOneEvents) {
    this.#chip = chip;
    this.#faults = faults;
    this.#events = events;
    this.#random = new Random(faults.seed).fork('arc-one');
    for (const i of faults.faults.keys()) this.#due.set(i, this.#gap(i));
    this.#state = this.#asleep();
  }

  /** Bytes from the host. */
  write(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte !== 0x0a) {
        this.#line += String.fromCharCode(byte);
        continue;
      }
      const line = this.#line;
      this.#line = '';
      this.#arrive(line);
    }
  }

  /** Power comes back: it begins anew. */
  restart(): void {
    this.#line = '';
    this.#reset();
  }

  /** A line as it was sent; faults of the line come between it and the firmware. */
  #arrive(line: string): void {
    const now = performance.now() / 1000;
    const hurried = this.#faults.hurry !== undefined && now - this.#heardAt < this.#faults.hurry;
    this.#heardAt = now;
    if (this.#happens('silence')) this.#deaf = 20;
    if (this.#deaf > 0) {
      this.#deaf--;
      return;
    }
    if (this.#happens('lose-line') || hurried || now < this.#bootedAt) return;
    let text = `${line}\n`;
    if (this.#happens('twist-line')) text = this.#twistDigit(text);
    if (this.#happens('twist-bit')) text = this.#twistBit(text);
    const parts = (this.#line + text).split('\n');
    this.#line = parts.pop()!;
    for (const part of parts) this.#take(part);
  }

  #take(line: string): void {
    if (this.#masked > 0) {
      this.#job.push(line);
      if (this.#job.length < 2) return;
      const [word, bit] = this.#job.map((text) => this.#whole(text));
      this.#job = [];
      this.#masked--;
      this.#answer(this.#floats([this.#resistance(word, bit)]));
      return;
    }
    if (this.#job.length === 0 && !Object.hasOwn(WANTED, line)) return;
    this.#job.push(line);
    const [name, ...numbers] = this.#job;
    const wanted = WANTED[name] + (name === '2' && this.#whole(numbers[0] ?? '') === 2 ? 1 : 0);
    if (numbers.length < wanted) return;
    this.#job = [];
    this.#obey(name, numbers);
  }

  #obey(name: string, numbers: readonly string[]): void {
    if (name === '00') this.#reset();
    else if (name === '0') this.#initialise(numbers);
    else if (name === '999') this.#tellVersion();
    // Before it is told its size it knows nothing.
    else if (this.#state.ready) this.#work(name, numbers);
  }

  #work(name: string, numbers: readonly string[]): void {
    const whole = numbers.map((text) => this.#whole(text));
    const real = numbers.map(realOf);
    switch (name) {
      case '01':
        this.#state.readVoltage = clamp(real[1]);
        break;
      case '02':
        this.#state.selected = [whole[0], whole[1]];
        break;
      case '1':
        this.#answer(this.#floats([this.#resistance(whole[0], whole[1])]));
        break;
      case '2':
        if (whole[0] === 1) this.#readArray(whole[1], whole[2]);
        else if (whole[0] === 2) this.#masked = Math.min(1024, Math.max(0, whole[3]));
        break;
      case '3':
        this.#pulse(whole[0], whole[1], real[2], real[3]);
        this.#answer(this.#floats([this.#resistance(whole[0], whole[1])]));
        break;
      case '04':
        if (this.#state.selected) this.#pulse(...this.#state.selected, real[0], real[1]);
    }
  }

  #initialise(numbers: readonly string[]): void {
    const [cycles, words, bits, , session, sneak] = numbers.map((text) => this.#whole(text));
    this.#state = {
      ready: session === 0,
      cycles: Math.max(1, cycles),
      words: Math.min(32, words),
      bits: Math.min(32, bits),
      readVoltage: clamp(realOf(numbers[6])),
      selected: undefined,
    };
    const { pulse } = this.#chip.profile;
    pulse.halfSelect = sneak === 0 ? 1 / 3 : 1 / 2;
    this.#answer(Buffer.from('1\n'));
  }

  #tellVersion(): void {
    if (this.#faults.oldFirmware) return;
    const bytes = Buffer.alloc(4);
    bytes.writeUInt16LE(VERSION[0], 0);
    bytes.writeUInt16LE(VERSION[1], 2);
    this.#answer(bytes);
  }

  #readArray(words: number, bits: number): void {
    const values: number[] = [];
    for (let word = 1; word <= Math.min(words, 32); word++)
      for (const value of this.#row(word, Math.min(bits, 32))) values.push(value);
    this.#answer(this.#floats(values));
  }

  #reset(): void {
    this.#state = this.#asleep();
    this.#job = [];
    this.#masked = 0;
    this.#bootedAt = performance.now() / 1000 + this.#faults.boot;
  }

  #asleep(): State {
    return { ready: false, cycles: 1, words: 0, bits: 0, readVoltage: 0, selected: undefined };
  }

  #connected(word: number, bit: number): boolean {
    const { rows, columns } = this.#chip.profile;
    const { words, bits } = this.#state;
    return word >= 1 && word <= Math.min(words, rows) && bit >= 1 && bit <= Math.min(bits, columns);
  }

  #pulse(word: number, bit: number, asked: number, seconds: number): void {
    const voltage = clamp(asked);
    const width = Math.max(WIDTH_MIN, seconds);
    if (!this.#connected(word, bit) || voltage === 0) return;
    const { seriesResistance } = this.#chip.profile.pulse;
    this.#chip.pulse({ array: 0, row: word - 1, column: bit - 1 }, { voltage, width }, seriesResistance);
    for (const [i, fault] of this.#faults.faults.entries())
      if (fault.kind === 'unplug' && this.#strikes(i)) this.#events.unplug(fault.time);
  }

  #resistance(word: number, bit: number): number {
    return this.#connected(word, bit) ? this.#row(word, bit)[bit - 1] : Number.POSITIVE_INFINITY;
  }

  /** Resistances of the first cells of a word, Ω. */
  #row(word: number, bits: number): number[] {
    const { cycles, readVoltage } = this.#state;
    const { readTime } = this.#chip.profile.read;
    const none = new Array<number>(bits).fill(Number.POSITIVE_INFINITY);
    if (!this.#connected(word, 1) || readVoltage === 0) return none;
    const currents = this.#alone(() =>
      this.#chip.readRow(0, word - 1, readVoltage, readTime * cycles, cycles),
    );
    const noise = METER_NOISE / Math.sqrt(cycles);
    return none.map((open, i) =>
      this.#connected(word, i + 1) ? readVoltage / (currents[i] + noise * this.#chip.noise.normal()) : open,
    );
  }

  /** It reads one cell after another, so a line carries the current of one cell: its drop is too small to matter. */
  #alone<T>(read: () => T): T {
    const { lineResistance } = this.#chip.profile.effects;
    const { enabled } = lineResistance;
    lineResistance.enabled = false;
    const result = read();
    lineResistance.enabled = enabled;
    return result;
  }

  #floats(values: readonly number[]): Uint8Array {
    const bytes = Buffer.alloc(4 * values.length);
    for (const [i, value] of values.entries()) bytes.writeFloatLE(value, 4 * i);
    return bytes;
  }

  #answer(bytes: Uint8Array): void {
    if (this.#happens('lose-answer')) return;
    const sent = Uint8Array.from(bytes);
    if (this.#happens('twist-answer'))
      sent[this.#random.integer(sent.length)] ^= 1 << this.#random.integer(8);
    const length = this.#happens('tear-answer') ? this.#random.integer(sent.length) : sent.length;
    this.#events.answer(sent.subarray(0, length));
  }

  /** As C's atoi. */
  #whole(text: string): number {
    const pattern = this.#faults.strictNumbers ? /^\d+$/ : /^\s*[+-]?\d+/;
    return Number(pattern.exec(text)?.[0] ?? 0);
  }

  #twistDigit(text: string): string {
    const digits = [...text].flatMap((character, i) => (/\d/.test(character) ? [i] : []));
    if (digits.length === 0) return text;
    const at = digits[this.#random.integer(digits.length)];
    const other = (Number(text[at]) + 1 + this.#random.integer(9)) % 10;
    return `${text.slice(0, at)}${other}${text.slice(at + 1)}`;
  }

  #twistBit(text: string): string {
    const at = this.#random.integer(text.length);
    const other = String.fromCharCode(text.charCodeAt(at) ^ (1 << this.#random.integer(8)));
    return `${text.slice(0, at)}${other}${text.slice(at + 1)}`;
  }

  #happens(kind: ArcOneFaultKind): boolean {
    let any = false;
    for (const [i, fault] of this.#faults.faults.entries())
      if (fault.kind === kind && this.#strikes(i)) any = true;
    return any;
  }

  #strikes(i: number): boolean {
    const left = this.#due.get(i)! - 1;
    this.#due.set(i, left > 0 ? left : this.#gap(i));
    if (left > 0) return false;
    const { kind } = this.#faults.faults[i];
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    return true;
  }

  #gap(i: number): number {
    const [low, high] = this.#faults.faults[i].every;
    return low + this.#random.integer(high - low + 1);
  }
}

/** As C's atof. */
const realOf = (text: string): number =>
  Number(/^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?/i.exec(text)?.[0] ?? 0);

const clamp = (voltage: number): number => Math.max(-VOLTAGE_MAX, Math.min(VOLTAGE_MAX, voltage));
