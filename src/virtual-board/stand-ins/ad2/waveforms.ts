/**
 * The WaveForms library with one Analog Discovery 2 behind it, as far as memloop uses them: the same functions (without
 * `FDwf`), as nasty as the real ones. Settings are not in force before Configure. A scope that is armed says so only after
 * Config and Prefill. A call that fails throws with the library's message.
 */
import type { Random } from '../../../model/random.js';
import type { DiscoveryBoard, Recording, Run } from './discovery-board.js';
import { type Ad2Fault, type Ad2Faults, Incidents } from './faults.js';

const STATE = { ready: 0, armed: 1, done: 2, running: 3, config: 4, prefill: 5 } as const;
const BUFFER = { generator: 4096, scope: 8192 };
const RATE_MOST = 1e8;
const FROM_GENERATOR_1 = 7;
const CUSTOM = 30;
/** Steps of both converters, and of the generator's fine and coarse range, V. */
const BITS = 14;
const FINE = 1.25;
const COARSE = 5;

/** The errors of this device. */
const W1 = { offset: 0.02, gain: 0.996 };
const SCOPE = { offset: [0.006, -0.041], gain: [1.0006, 0.9995], noise: 0.5e-3 } as const;

const NO_DEVICE = 'Device communication failed';
const IN_USE = 'Device is being used by another application';

interface Generator {
  enabled: boolean;
  custom: boolean;
  frequency: number;
  amplitude: number;
  offset: number;
  repeat: number;
  run: number;
  idle: number;
  data: Float64Array;
}
interface Scope {
  enabled: [boolean, boolean];
  range: [number, number];
  frequency: number;
  size: number;
  source: number;
  position: number;
  timeout: number;
}
interface Outputs {
  enabled: number;
  high: number;
}

const generator = (): Generator => ({
  enabled: false,
  custom: false,
  frequency: 1e3,
  amplitude: 1,
  offset: 0,
  repeat: 0,
  run: 0,
  idle: 0,
  data: new Float64Array(0),
});
const scope = (): Scope => ({
  enabled: [false, false],
  range: [5, 5],
  frequency: RATE_MOST,
  size: BUFFER.scope,
  source: 0,
  position: 0,
  timeout: 0,
});

/** What was set, and what of it is in force. */
interface Settings<T> {
  set: T;
  now: T;
}
const settings = <T>(make: () => T): Settings<T> => ({ set: make(), now: make() });

export class SimulatedWaveForms {
  readonly #board: DiscoveryBoard;
  readonly #noise: Random;
  readonly #faults: Ad2Faults;
  readonly #incidents: Incidents;
  readonly #serial: string;
  #handle = 0;
  #open = false;
  #autoConfigure = true;
  #onClose = 1;
  #generator = settings(generator);
  #scope = settings(scope);
  #outputs: Settings<Outputs> = settings(() => ({ enabled: 0, high: 0 }));
  #supplies: Settings<{ master: boolean; on: [boolean, boolean] }> = settings(() => ({
    master: false,
    on: [false, false],
  }));
  #scopeState: number = STATE.ready;
  #generatorState: number = STATE.ready;
  /** States that are still to be shown before the scope's own. */
  #coming: number[] = [];
  #captured: [Float64Array, Float64Array] = [new Float64Array(0), new Float64Array(0)];
  /** Calls, or starts, for which a fault still holds. */
  #unplugged = 0;
  #suppliesOff = 0;

  /** @param faults what goes wrong; none unless given */
  constructor(board: DiscoveryBoard, faults: Ad2Faults = { seed: 0, faults: [] }) {
    this.#board = board;
    this.#noise = board.chip.noise.fork('scope');
    this.#faults = faults;
    this.#incidents = new Incidents(faults);
    this.#serial = `SN:210321${board.chip.identity.slice(0, 6).toUpperCase()}`;
    if (faults.mode) board.mode = faults.mode;
    board.leak = faults.leak ?? 0;
  }

  /** Of the device, as it is enumerated. */
  get serial(): string {
    return this.#serial;
  }

  /** Switches that are closed now: bit k for memristor k + 1. */
  get closed(): number {
    const { master, on } = this.#supplies.now;
    const powered = master && on[0] && on[1] && !this.#faults.suppliesOff && this.#suppliesOff === 0;
    return powered ? this.#outputs.now.enabled & this.#outputs.now.high : 0;
  }

  /** Not of the library: for tests that ask a device in another process. */
  async closedSwitches(): Promise<number> {
    return this.closed;
  }

  async paramSet(parameter: number, value: number): Promise<void> {
    if (parameter === 4) this.#onClose = value;
  }
  async getVersion(): Promise<string> {
    return '3.20.1-simulated';
  }
  async enum(_filter: number): Promise<number> {
    return this.#gone() ? 0 : 1;
  }
  async enumDeviceName(_index: number): Promise<string> {
    return 'Analog Discovery 2';
  }
  async enumSN(_index: number): Promise<string> {
    return this.#serial;
  }
  async enumDeviceIsOpened(_index: number): Promise<number> {
    return Number(this.#open || this.#faults.inUse === true);
  }

  async deviceOpen(_index: number): Promise<number> {
    if (this.#gone()) throw new Error('No device detected');
    if (this.#open || this.#faults.inUse) throw new Error(IN_USE);
    this.#open = true;
    this.#autoConfigure = true;
    // The device keeps what it was doing: only settings of the library are new.
    this.#generator.set = generator();
    this.#scope = settings(scope);
    this.#scopeState = STATE.ready;
    return ++this.#handle;
  }
  async deviceClose(device: number): Promise<void> {
    if (device !== this.#handle || !this.#open) throw new Error('Invalid device handle');
    this.#open = false;
    if (this.#onClose === 2) this.#powerDown();
  }
  /** The process that had opened the device is gone: the device goes on as it is. */
  abandon(device: number): void {
    if (device === this.#handle) this.#open = false;
  }
  async deviceAutoConfigureSet(device: number, on: number): Promise<void> {
    this.#at(device);
    this.#autoConfigure = on !== 0;
  }

  async digitalIOReset(device: number): Promise<void> {
    this.#change(device, this.#outputs, { enabled: 0, high: 0 });
  }
  async digitalIOOutputEnableSet(device: number, enabled: number): Promise<void> {
    this.#change(device, this.#outputs, { enabled });
  }
  async digitalIOOutputSet(device: number, high: number): Promise<void> {
    this.#change(device, this.#outputs, { high });
  }
  async digitalIOConfigure(device: number): Promise<void> {
    this.#configure(device, this.#outputs);
  }
  async digitalIOStatus(device: number): Promise<void> {
    this.#at(device);
  }
  async digitalIOInputStatus(device: number): Promise<number> {
    this.#at(device);
    return this.#outputs.now.enabled & this.#outputs.now.high;
  }

  async analogIOChannelNodeSet(device: number, channel: number, node: number, value: number): Promise<void> {
    this.#at(device);
    if (node !== 0 || channel > 1) return;
    const [first, second] = this.#supplies.set.on;
    this.#change(device, this.#supplies, {
      on: channel === 0 ? [value !== 0, second] : [first, value !== 0],
    });
  }
  async analogIOEnableSet(device: number, on: number): Promise<void> {
    this.#change(device, this.#supplies, { master: on !== 0 });
  }
  async analogIOConfigure(device: number): Promise<void> {
    this.#configure(device, this.#supplies);
  }

  async analogOutReset(device: number, channel: number): Promise<void> {
    this.#changeGenerator(device, channel, generator());
  }
  async analogOutNodeEnableSet(device: number, channel: number, _node: number, on: number): Promise<void> {
    this.#changeGenerator(device, channel, { enabled: on !== 0 });
  }
  async analogOutNodeFunctionSet(
    device: number,
    channel: number,
    _node: number,
    kind: number,
  ): Promise<void> {
    this.#changeGenerator(device, channel, { custom: kind === CUSTOM });
  }
  async analogOutNodeFrequencySet(
    device: number,
    channel: number,
    _node: number,
    frequency: number,
  ): Promise<void> {
    this.#changeGenerator(device, channel, { frequency });
  }
  async analogOutNodeAmplitudeSet(
    device: number,
    channel: number,
    _node: number,
    amplitude: number,
  ): Promise<void> {
    this.#changeGenerator(device, channel, { amplitude });
  }
  async analogOutNodeOffsetSet(
    device: number,
    channel: number,
    _node: number,
    offset: number,
  ): Promise<void> {
    this.#changeGenerator(device, channel, { offset });
  }
  async analogOutNodeDataSet(
    device: number,
    channel: number,
    _node: number,
    data: Float64Array,
  ): Promise<void> {
    if (data.length > BUFFER.generator) throw new Error('Invalid parameter value: cdData');
    this.#changeGenerator(device, channel, { data: data.slice() });
  }
  async analogOutRepeatSet(device: number, channel: number, repeat: number): Promise<void> {
    this.#changeGenerator(device, channel, { repeat });
  }
  async analogOutRunSet(device: number, channel: number, run: number): Promise<void> {
    this.#changeGenerator(device, channel, { run });
  }
  async analogOutIdleSet(device: number, channel: number, idle: number): Promise<void> {
    this.#changeGenerator(device, channel, { idle });
  }
  async analogOutConfigure(device: number, channel: number, start: number): Promise<void> {
    this.#at(device);
    if (channel !== 0) return;
    if (start === 3) return void this.#configure(device, this.#generator);
    this.#configure(device, this.#generator);
    this.#generatorState = STATE.ready;
    if (start === 1) this.#start();
  }
  async analogOutStatus(device: number, _channel: number): Promise<number> {
    this.#at(device);
    return this.#generatorState;
  }

  async analogInChannelEnableSet(device: number, channel: number, on: number): Promise<void> {
    const [first, second] = this.#scope.set.enabled;
    this.#change(device, this.#scope, { enabled: channel === 0 ? [on !== 0, second] : [first, on !== 0] });
  }
  async analogInChannelRangeSet(device: number, channel: number, range: number): Promise<void> {
    // There are two ranges, and the nearest that holds it is taken.
    const taken = range <= 5.5 ? 5 : 50;
    const [first, second] = this.#scope.set.range;
    this.#change(device, this.#scope, { range: channel === 0 ? [taken, second] : [first, taken] });
  }
  async analogInChannelFilterSet(device: number, _channel: number, _filter: number): Promise<void> {
    this.#at(device);
  }
  async analogInFrequencySet(device: number, frequency: number): Promise<void> {
    this.#change(device, this.#scope, { frequency: Math.min(RATE_MOST, frequency) });
  }
  async analogInBufferSizeSet(device: number, size: number): Promise<void> {
    this.#change(device, this.#scope, { size: Math.min(BUFFER.scope, Math.max(16, size)) });
  }
  async analogInAcquisitionModeSet(device: number, _mode: number): Promise<void> {
    this.#at(device);
  }
  async analogInTriggerSourceSet(device: number, source: number): Promise<void> {
    this.#change(device, this.#scope, { source });
  }
  async analogInTriggerAutoTimeoutSet(device: number, timeout: number): Promise<void> {
    this.#change(device, this.#scope, { timeout });
  }
  async analogInTriggerPositionSet(device: number, position: number): Promise<void> {
    this.#change(device, this.#scope, { position });
  }
  async analogInConfigure(device: number, reconfigure: number, start: number): Promise<void> {
    this.#at(device);
    if (reconfigure !== 0) this.#scope.now = { ...this.#scope.set };
    this.#coming = start === 0 ? [] : [STATE.config, STATE.prefill];
    this.#scopeState = start === 0 ? STATE.ready : STATE.armed;
  }
  async analogInStatus(device: number, _read: number): Promise<number> {
    this.#at(device);
    return this.#coming.shift() ?? this.#scopeState;
  }
  async analogInStatusSamplesValid(device: number): Promise<number> {
    this.#at(device);
    return this.#scopeState === STATE.done ? this.#captured[0].length : 0;
  }
  async analogInStatusData(device: number, channel: number, count: number): Promise<Float64Array> {
    this.#at(device);
    return this.#captured[channel].slice(0, count);
  }

  /** Whether no device is there; each time it is asked, an unplugged one is nearer to being back. */
  #gone(): boolean {
    if (this.#unplugged > 0) this.#unplugged--;
    return this.#unplugged > 0 || this.#faults.absent === true;
  }

  #at(device: number): void {
    if (this.#gone()) throw new Error(NO_DEVICE);
    if (!this.#open || device !== this.#handle) throw new Error('Invalid device handle');
  }

  #change<T extends object>(device: number, settings: Settings<T>, some: Partial<T>): void {
    this.#at(device);
    Object.assign(settings.set, some);
    if (this.#autoConfigure) settings.now = { ...settings.set };
  }

  #configure<T extends object>(device: number, settings: Settings<T>): void {
    this.#at(device);
    settings.now = { ...settings.set };
  }

  #changeGenerator(device: number, channel: number, some: Partial<Generator>): void {
    // The board does not use W2.
    if (channel === 0) this.#change(device, this.#generator, some);
    else this.#at(device);
  }

  #powerDown(): void {
    this.#outputs = settings(() => ({ enabled: 0, high: 0 }));
    this.#supplies = settings(() => ({ master: false, on: [false, false] }));
    this.#generator = settings(generator);
    this.#generatorState = STATE.ready;
    this.#scopeState = STATE.ready;
  }

  #unplug(calls: number): void {
    this.#powerDown();
    this.#open = false;
    this.#unplugged = calls;
  }

  #start(): void {
    if (this.#suppliesOff > 0) this.#suppliesOff--;
    const fault = this.#incidents.next();
    if (fault?.kind === 'fail-before') throw new Error(NO_DEVICE);
    if (fault?.kind === 'unplug' && !fault.after) {
      this.#unplug(fault.calls);
      throw new Error(NO_DEVICE);
    }
    if (fault?.kind === 'supplies-off') this.#suppliesOff = fault.calls;
    if (fault?.kind !== 'no-start') this.#drive(fault);
    this.#generatorState = STATE.done;
    if (fault?.kind === 'unplug') this.#unplug(fault.calls);
    if (fault?.kind === 'fail-after') throw new Error(NO_DEVICE);
  }

  /** W1 runs: no time of ours passes. */
  #drive(fault: Ad2Fault | undefined): void {
    const { now } = this.#generator;
    if (!now.enabled || !now.custom || now.data.length === 0) return;
    const closed = fault?.kind === 'late' ? 0 : this.closed;
    const period = 1 / now.frequency;
    const weak = fault?.kind === 'weak' ? 0.5 : 1;
    const run: Run = {
      wave: now.data.map((value) => this.#volts(value * now.amplitude * weak, now.offset)),
      period,
      time: (now.run > 0 ? now.run : period) * (fault?.kind === 'cut' ? 0.2 : 1),
      idle: this.#volts(0, now.idle === 1 ? now.offset : 0),
    };
    const { now: set } = this.#scope;
    const armed =
      this.#scopeState === STATE.armed &&
      this.#coming.length === 0 &&
      set.source === FROM_GENERATOR_1 &&
      fault?.kind !== 'no-trigger';
    const recording: Recording = armed
      ? { start: set.position - set.size / 2 / set.frequency, rate: set.frequency, count: set.size }
      : { start: 0, rate: RATE_MOST, count: 0 };
    this.#report(closed, run, weak);
    const seen = this.#board.run(closed, run, recording);
    if (!armed) return;
    this.#captured = [this.#sampled(seen[0], 0), this.#sampled(seen[1], 1)];
    this.#scopeState = STATE.done;
  }

  /** Each stretch of one polarity is a pulse on every cell whose switch is closed. */
  #report(closed: number, { wave, time, period }: Run, share: number): void {
    const { now } = this.#generator;
    const shown = Math.round((Math.min(time, period) / period) * wave.length);
    let first = 0;
    while (first < shown) {
      const sign = Math.sign(now.data[first]);
      let next = first + 1;
      let peak = Math.abs(now.data[first]);
      for (; next < shown && Math.sign(now.data[next]) === sign; next++)
        peak = Math.max(peak, Math.abs(now.data[next]));
      if (sign !== 0)
        for (let k = 0; k < 16; k++)
          if ((closed >> k) & 1)
            this.#board.chip.report({
              array: 0,
              row: k % 8,
              column: k >> 3,
              voltage: -sign * peak * now.amplitude * share,
              width: ((next - first) / wave.length) * period,
            });
      first = next;
    }
  }

  /** What the generator gives, V. */
  #volts(value: number, offset: number): number {
    const range = Math.abs(this.#generator.now.amplitude) + Math.abs(offset) <= FINE ? FINE : COARSE;
    const step = (2 * range) / 2 ** BITS;
    const most = Math.max(-range, Math.min(range, value + offset));
    return Math.round(most / step) * step * W1.gain + W1.offset;
  }

  #sampled(volts: Float64Array, channel: 0 | 1): Float64Array {
    const range = this.#scope.now.range[channel];
    const step = range / 2 ** BITS;
    return volts.map((value) => {
      const shown = value * SCOPE.gain[channel] + SCOPE.offset[channel] + SCOPE.noise * this.#noise.normal();
      return Math.round(Math.max(-range / 2, Math.min(range / 2, shown)) / step) * step;
    });
  }
}
