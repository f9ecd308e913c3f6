/**
 * An Analog Discovery with the Memristor Discovery board on it: switches, supplies, and one run of W1 at a time that the
 * scope captures. Sequence and settings are those of KNOWM's own software, where nothing else is said.
 */
import type { OutcomeCode } from '../../driver/codes.js';
import { MemloopError } from '../../shared/errors.js';
import type { Capture } from './circuit.js';
import { DWF, type Dwf } from './dwf.js';

/** Points of the generator's and of the scope's buffer, as an Analog Discovery 2 has them. */
export const BUFFER = Object.freeze({ generator: 4096, scope: 8192 });
const RATE_MOST = 1e8;
/** Of the scope, V from lowest to highest: the finer of its two. */
const RANGE = 5;
/** After switches have moved, s. */
const SETTLE = 5e-3;
/** Between two polls, s; and polls until a scope that does not answer is given up. */
const POLL = 1e-3;
const PATIENCE = 500;

/** One run of W1. */
export interface Wave {
  /** From −1 to 1, evenly spaced over the run. */
  data: Float64Array;
  /** V of W1 at 1. */
  amplitude: number;
  /** s */
  time: number;
}

/** Why a run is not proven. */
export class NotProven extends Error {
  /** False: W1 was not started. True: it may have run or not. */
  readonly started: boolean;
  readonly code: OutcomeCode;

  constructor(
    message: string,
    { started, code, cause }: { started: boolean; code: OutcomeCode; cause?: unknown },
  ) {
    super(message, { cause });
    this.started = started;
    this.code = code;
  }
}

/** A run that moves no cell, given again where the scope saw nothing of it. */
export async function proven(run: () => Promise<Capture>, tries = 3): Promise<Capture> {
  for (let tried = 1; ; tried++) {
    try {
      return await run();
    } catch (error) {
      if (tried === tries || !(error instanceof NotProven) || error.code !== 'PROTOCOL_BREACH') throw error;
    }
  }
}

export interface DeviceOptions {
  /** Serial number; undefined: the first that is free. */
  serial?: string | undefined;
  /** Waits for so many seconds: a stand-in in this process needs no time. */
  pause: (seconds: number) => Promise<void>;
}

/** The serial number as people and URLs write it. */
export const plainSerial = (serial: string): string => serial.replace(/^SN:/i, '').toUpperCase();

export class Device {
  readonly serial: string;
  readonly name: string;
  readonly version: string;
  /** Runs of W1, and settings of the switches. */
  requests = 0;
  readonly #dwf: Dwf;
  readonly #pause: DeviceOptions['pause'];
  #handle: number;
  /** Asked for with 0 V, so that W1 gives 0 V. */
  #offset = 0;
  #switches: number | undefined;

  constructor(dwf: Dwf, pause: DeviceOptions['pause'], found: Found, version: string) {
    this.#dwf = dwf;
    this.#pause = pause;
    this.#handle = found.handle;
    this.serial = found.serial;
    this.name = found.name;
    this.version = version;
  }

  /** Errors: `port-not-found`, `port-in-use`. Nothing is driven yet: call `prepare`. */
  static async open(dwf: Dwf, { serial, pause }: DeviceOptions): Promise<Device> {
    const version = await dwf.getVersion();
    // When the device is closed it is shut down: supplies off, so all switches open. Older libraries cannot.
    await dwf.paramSet(DWF.ON_CLOSE, DWF.SHUT_DOWN).catch(() => {});
    return new Device(dwf, pause, await claim(dwf, serial), version);
  }

  /** All switches open, W1 at 0, supplies on, the scope ready. */
  async prepare(): Promise<void> {
    const [dwf, device] = [this.#dwf, this.#handle];
    this.#switches = undefined;
    await dwf.deviceAutoConfigureSet(device, 0);
    await this.#idle();
    await this.switch(0);
    for (const [channel, volts] of [
      [0, 5],
      [1, -5],
    ]) {
      await dwf.analogIOChannelNodeSet(device, channel, 1, volts);
      await dwf.analogIOChannelNodeSet(device, channel, 0, 1);
    }
    await dwf.analogIOEnableSet(device, 1);
    await dwf.analogIOConfigure(device);
    for (const channel of [0, 1]) {
      await dwf.analogInChannelEnableSet(device, channel, 1);
      await dwf.analogInChannelRangeSet(device, channel, RANGE);
      await dwf.analogInChannelFilterSet(device, channel, DWF.AVERAGE);
    }
    await dwf.analogInAcquisitionModeSet(device, DWF.SINGLE);
    await dwf.analogInTriggerAutoTimeoutSet(device, 0);
    await dwf.analogInTriggerSourceSet(device, DWF.FROM_GENERATOR_1);
    await this.#pause(SETTLE);
  }

  /** Bit k closes the switch of memristor k + 1; the whole mask is written, so none stays closed by accident. */
  async switch(mask: number): Promise<void> {
    if (this.#switches === mask) return;
    this.#switches = undefined;
    this.requests++;
    const [dwf, device] = [this.#dwf, this.#handle];
    await dwf.digitalIOOutputSet(device, mask);
    await dwf.digitalIOOutputEnableSet(device, 0xffff);
    await dwf.digitalIOConfigure(device);
    await this.#pause(SETTLE);
    this.#switches = mask;
  }

  /** From now on W1 is asked for this much more, V. */
  async setOffset(offset: number): Promise<void> {
    this.#offset = offset;
    await this.#idle();
  }

  /** Runs W1 once and returns what the scope saw of it, from its start on. Throws `NotProven`. */
  async run(wave: Wave, samples: number): Promise<Capture> {
    this.requests++;
    const rate = Math.min(samples / wave.time, RATE_MOST);
    const count = Math.floor(rate * wave.time + 1e-6);
    let started = false;
    try {
      await this.#arm(count, rate);
      await this.#load(wave);
      started = true;
      await this.#dwf.analogOutConfigure(this.#handle, 0, 1);
      return await this.#captured(wave, count, rate);
    } catch (cause) {
      if (cause instanceof NotProven) throw cause;
      const code = started ? 'BOARD_LOST' : 'NOT_SENT';
      throw new NotProven((cause as Error).message, { started, code, cause });
    }
  }

  /** W1 at 0, all switches open; also while a run is under way. */
  async rest(): Promise<void> {
    await this.#dwf.analogOutConfigure(this.#handle, 0, 0);
    this.#switches = undefined;
    await this.switch(0);
  }

  /** Opens the same device again. Errors as `open`. */
  async reopen(): Promise<void> {
    await this.#dwf.deviceClose(this.#handle).catch(() => {});
    this.#handle = (await claim(this.#dwf, this.serial)).handle;
  }

  async close(): Promise<void> {
    await this.#dwf.deviceClose(this.#handle);
  }

  async #idle(): Promise<void> {
    const [dwf, device] = [this.#dwf, this.#handle];
    await dwf.analogOutNodeEnableSet(device, 0, DWF.CARRIER, 1);
    await dwf.analogOutNodeFunctionSet(device, 0, DWF.CARRIER, DWF.CUSTOM);
    await dwf.analogOutNodeOffsetSet(device, 0, DWF.CARRIER, this.#offset);
    await dwf.analogOutIdleSet(device, 0, DWF.IDLE_AT_OFFSET);
    await dwf.analogOutRepeatSet(device, 0, 1);
    await dwf.analogOutConfigure(device, 0, 0);
  }

  async #arm(count: number, rate: number): Promise<void> {
    const [dwf, device] = [this.#dwf, this.#handle];
    await dwf.analogInBufferSizeSet(device, count);
    await dwf.analogInFrequencySet(device, rate);
    // The trigger at the first sample: the position is that of the buffer's middle.
    await dwf.analogInTriggerPositionSet(device, count / 2 / rate);
    await dwf.analogInConfigure(device, 1, 1);
    for (let polls = 0; (await dwf.analogInStatus(device, 0)) !== DWF.ARMED; polls++) {
      if (polls === PATIENCE)
        throw new NotProven('the scope was not ready in time', { started: false, code: 'NOT_SENT' });
      await this.#pause(polls < 8 ? 0 : POLL);
    }
  }

  async #load({ data, amplitude, time }: Wave): Promise<void> {
    const [dwf, device] = [this.#dwf, this.#handle];
    await dwf.analogOutNodeFrequencySet(device, 0, DWF.CARRIER, 1 / time);
    await dwf.analogOutNodeAmplitudeSet(device, 0, DWF.CARRIER, amplitude);
    await dwf.analogOutNodeDataSet(device, 0, DWF.CARRIER, data);
    await dwf.analogOutRunSet(device, 0, time);
  }

  async #captured({ time }: Wave, count: number, rate: number): Promise<Capture> {
    const [dwf, device] = [this.#dwf, this.#handle];
    await this.#pause(time);
    for (let polls = 0; (await dwf.analogInStatus(device, 1)) !== DWF.DONE; polls++) {
      if (polls === PATIENCE) {
        await dwf.analogInConfigure(device, 0, 0);
        throw new NotProven('W1 was started, and the scope saw nothing of it', {
          started: true,
          code: 'PROTOCOL_BREACH',
        });
      }
      await this.#pause(POLL);
    }
    return {
      rate,
      channels: [
        await dwf.analogInStatusData(device, 0, count),
        await dwf.analogInStatusData(device, 1, count),
      ],
    };
  }
}

interface Found {
  handle: number;
  serial: string;
  name: string;
}

export interface Listed {
  index: number;
  serial: string;
  name: string;
  inUse: boolean;
}

/** The devices that the library sees; none is touched. */
export async function listDevices(dwf: Dwf): Promise<Listed[]> {
  const count = await dwf.enum(0);
  const listed: Listed[] = [];
  for (let index = 0; index < count; index++)
    listed.push({
      index,
      serial: plainSerial(await dwf.enumSN(index)),
      name: await dwf.enumDeviceName(index),
      inUse: (await dwf.enumDeviceIsOpened(index)) !== 0,
    });
  return listed;
}

async function claim(dwf: Dwf, serial: string | undefined): Promise<Found> {
  const listed = await listDevices(dwf);
  const wanted = serial === undefined ? undefined : plainSerial(serial);
  const fitting = listed.filter((one) => wanted === undefined || one.serial === wanted);
  const found = fitting.find(({ inUse }) => !inUse) ?? fitting[0];
  if (!found) {
    const others = listed.map((one) => one.serial).join(', ');
    throw new MemloopError(
      'port-not-found',
      wanted !== undefined && others
        ? `there is no Analog Discovery ${wanted}: plugged in are ${others}`
        : 'no Analog Discovery is plugged in: connect it by USB (`memloop ports` lists what is seen)',
    );
  }
  try {
    return { ...found, handle: await dwf.deviceOpen(found.index) };
  } catch (error) {
    throw new MemloopError(
      'port-in-use',
      `the Analog Discovery ${found.serial} cannot be opened (${(error as Error).message}): close WaveForms, or whatever else uses it`,
      { cause: error },
    );
  }
}
