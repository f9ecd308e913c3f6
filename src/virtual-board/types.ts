/** What a virtual board is, whatever its firmware runs on. */
import type { FaultCounts, Faults } from './faults/faults.js';
import type { Crossbar } from './physics/crossbar.js';
import type { SimulatedFrontEnd, TracedPulse } from './physics/front-end.js';
import type { Profile } from './profile.js';

export interface VirtualBoardOptions {
  /** A built-in name, the path of a JSON file, or a profile. */
  profile: string | Profile;
  /** Decides the chip and its noise; default 1. */
  seed?: number | undefined;
  /** Makes boot ids repeatable. */
  boot?: number | undefined;
  /** Told of each pulse that the physics received; a path gets one JSON line a pulse, appended. */
  trace?: string | ((pulse: TracedPulse) => void) | undefined;
  /** Operations take their time: a pulse of 500 µs costs 500 µs. */
  realTime?: boolean | undefined;
  /** What goes wrong and when, or the path of a JSON file that says so. */
  faults?: string | Faults | undefined;
}

/**
 * What is simulated behind the firmware, whatever it is made of.
 * @internal
 */
export interface SimulatedParts {
  readonly crossbars: readonly Crossbar[];
  /** Told of each pulse that the cells received. */
  readonly pulseListeners: ((pulse: TracedPulse) => void)[];
  /** A fault: every ADC shows full scale. */
  adcsSaturated: boolean;
  /** Board time, s. */
  readonly time: number;
  /** Lets board time pass, s. */
  elapse(time: number): void;
}

/** `Parts` is what is simulated behind the firmware. */
export interface VirtualBoard<Parts extends SimulatedParts = SimulatedFrontEnd> {
  readonly profile: Profile;
  /**
   * The simulated truth, for tests: nothing that acts as a host may look at it.
   * @internal
   */
  readonly frontEnd: Parts;
  /** Bytes from the host; a promise where the board is busy: it resolves when there is room for more. */
  write(bytes: Uint8Array): void | Promise<void>;
  /** `listener` takes bytes for the host. While a promise that it returns is pending, the board keeps its output. */
  onData(listener: (bytes: Uint8Array) => void | Promise<void>): void;
  /** Lets board time pass, s. */
  elapse(time: number): void;
  /** Power cycle: sessions and counters are lost, the cells keep their state. */
  reboot(): void;
  /** Does nothing for `time` s; what arrives waits. */
  hang?(time: number): void;
  /** Whoever serves the board is told here to take its port away for `time` s. */
  onUnplug?(listener: (time: number) => void): void;
  /** Faults that have happened, where a schedule was given. */
  readonly faultCounts?: FaultCounts;
  close(): void | Promise<void>;
}
