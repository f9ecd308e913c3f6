/** A board that anyone can build, without building it: a Raspberry Pi Pico with front end A, emulated. */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { COLUMNS, NUMBERS, ROWS } from '../../../firmware-protocol/generated/wiring.js';
import { Random } from '../../model/random.js';
import { MemloopError } from '../../shared/errors.js';
import { loadFaults, parseFaults } from '../faults/faults.js';
import { faultyBoard } from '../faults/faulty-board.js';
import { InProcessBoard } from '../in-process.js';
import type { Machine } from '../machine.js';
import { loadProfile, type Profile } from '../profile.js';
import { TraceFile } from '../trace.js';
import type { VirtualBoard, VirtualBoardOptions } from '../types.js';
import { Circuit } from './circuit.js';
import { EmulatedClock, Emulator } from './emulator.js';
import { BusClock, portableFirmware } from './portable.js';

/** The profile of the board as it is drawn in the docs. */
export const PICO_PROFILE = 'pico-8x8';

export interface PicoBoardOptions extends Omit<VirtualBoardOptions, 'realTime' | 'profile'> {
  /** Default `pico-8x8`. */
  profile?: string | Profile | undefined;
  /** `emulator`, the default: the Pico's own binary on an emulated RP2040. `wasm`: the same C, compiled for here. */
  runs?: 'emulator' | 'wasm' | undefined;
  /** A UF2 file; default the one that comes with memloop. */
  firmware?: string | undefined;
  /** Told of what the emulated chip complains of. */
  onWarning?: ((text: string) => void) | undefined;
}

/** A virtual board over the circuit of front end A. */
export type PicoBoard = VirtualBoard<Circuit>;

/** The emulator of a board, for tests: undefined where the firmware is WebAssembly. */
const emulators = new WeakMap<Circuit, Emulator>();
/** @internal */
export const emulatorOf = (circuit: Circuit): Emulator | undefined => emulators.get(circuit);

/** Errors: `bad-input` for the profile and the faults, `bad-file` for the firmware, `disk` for the trace. */
export function createPicoBoard(options: PicoBoardOptions = {}): PicoBoard {
  const { faults, trace } = options;
  const schedule = typeof faults === 'string' ? loadFaults(faults) : faults && parseFaults(faults, 'given');
  const given = options.profile ?? PICO_PROFILE;
  const profile = checked(typeof given === 'string' ? loadProfile(given) : given);
  const uf2 = options.runs === 'wasm' ? undefined : readFirmware(options.firmware);
  const file = typeof trace === 'string' ? new TraceFile(trace) : undefined;
  const seed = options.seed ?? 1;
  const clock = uf2 ? new EmulatedClock() : new BusClock();
  const parts = new Circuit(profile, { seed, now: () => clock.time });
  const told = typeof trace === 'function' ? trace : file?.add;
  if (told) parts.pulseListeners.push(told);
  const machine = (transmit: (bytes: Uint8Array) => void, space: () => number): Machine => {
    if (!uf2)
      return portableFirmware(parts, clock as BusClock, { boot: options.boot, seed, transmit, space });
    const boots = options.boot === undefined ? undefined : new Random(seed).fork(`boot ${options.boot}`);
    const random = () => (boots ? boots.integer(2 ** 32) : randomInt(2 ** 32));
    const { onWarning } = options;
    const emulator = new Emulator(parts, clock as EmulatedClock, { uf2, random, transmit, onWarning });
    emulators.set(parts, emulator);
    return emulator;
  };
  const board = new InProcessBoard({ profile, parts, trace: file, machine });
  return schedule ? faultyBoard(board, schedule) : board;
}

function readFirmware(path?: string): Uint8Array {
  const file = path ?? createRequire(import.meta.url).resolve('#assets/pico.uf2');
  try {
    return readFileSync(file);
  } catch (error) {
    throw new MemloopError('bad-file', `cannot read the firmware ${file}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** What is soldered, and what the firmware says of itself, no profile can change. */
function checked(profile: Profile): Profile {
  const { rowDac, columnAdc } = profile.converters;
  const full = (step: number) => step * 32767;
  const wanted: [string, number, number][] = [
    ['arrays', profile.arrays, 1],
    ['rows', profile.rows, ROWS],
    ['columns', profile.columns, COLUMNS],
    ['neurons', profile.neurons, 0],
    ['pulse.seriesResistance', profile.pulse.seriesResistance, NUMBERS.SERIES_RESISTANCE],
    ['converters.rowDac.bits', rowDac.bits, 16],
    ['converters.rowDac.fullScale', rowDac.fullScale, full(NUMBERS.ROW_VOLTS_PER_COUNT)],
    ['converters.columnAdc.bits', columnAdc.bits, 16],
    ['converters.columnAdc.fullScales.0', columnAdc.fullScales[0], full(NUMBERS.AMPS_PER_COUNT_0)],
    ['converters.columnAdc.fullScales.1', columnAdc.fullScales[1], full(NUMBERS.AMPS_PER_COUNT_1)],
  ];
  for (const [field, value, must] of wanted)
    if (Math.abs(value / must - 1) > 1e-6 && value !== must)
      throw new MemloopError(
        'bad-input',
        `this profile does not fit the board of the Pico: field "${field}" is ${value} and must be ${must}; ${PICO_PROFILE} is made for it`,
      );
  return profile;
}
