/**
 * A virtual board with a schedule of faults between it and its port:
 *
 *     port ─► line to the board (bytes and frames hurt) ─► board (reboots, hangs, saturated ADCs)
 *          ◄─ line to the host  (bytes and frames hurt) ◄─
 *          unplugged by whoever serves it
 *
 * All it knows of the protocol is that a frame ends at a zero byte.
 */
import { Random } from '../../model/random.js';
import type { SimulatedParts, VirtualBoard } from '../types.js';
import type { ByteFault, Fault, FaultCounts, FaultKind, Faults, FrameFault, Incident } from './faults.js';
import { FaultyLine, type Sink } from './line.js';
import { Schedule } from './schedule.js';

const isByteFault = (fault: Fault): fault is ByteFault =>
  ['drop', 'flip', 'double', 'insert'].includes(fault.kind);
const isIncident = (fault: Fault): fault is Incident =>
  ['reboot', 'hang', 'unplug', 'saturate'].includes(fault.kind);
const isFrameFault = (fault: Fault): fault is FrameFault => !isByteFault(fault) && !isIncident(fault);

/** `onFault` hears of each fault as it happens. */
export function faultyBoard<Parts extends SimulatedParts>(
  board: VirtualBoard<Parts>,
  faults: Faults,
  onFault: (kind: FaultKind) => void = () => {},
): VirtualBoard<Parts> {
  return new FaultyBoard(board, faults, onFault);
}

class FaultyBoard<Parts extends SimulatedParts> implements VirtualBoard<Parts> {
  readonly faultCounts: FaultCounts = {};
  readonly #board: VirtualBoard<Parts>;
  readonly #toBoard: FaultyLine;
  readonly #toHost: FaultyLine;
  readonly #incidents: Schedule<Incident>[];
  readonly #tell: (kind: FaultKind) => void;
  #listener: Sink = () => {};
  #onUnplug: (time: number) => void = () => {};
  #saturatedFor = 0;

  constructor(board: VirtualBoard<Parts>, { seed, faults }: Faults, onFault: (kind: FaultKind) => void) {
    this.#board = board;
    this.#tell = (kind) => {
      this.faultCounts[kind] = (this.faultCounts[kind] ?? 0) + 1;
      onFault(kind);
    };
    const random = new Random(seed);
    const schedules = <F extends Fault>(wanted: (fault: Fault) => fault is F): Schedule<F>[] =>
      faults.flatMap((fault, i) => (wanted(fault) ? new Schedule(fault, random.fork(`fault ${i}`)) : []));
    const bytes = schedules(isByteFault);
    const frames = schedules(isFrameFault);
    const line = (way: ByteFault['way'], deliver: Sink, onFrame: () => void) =>
      new FaultyLine(
        bytes.filter(({ fault }) => fault.way === way),
        frames.filter(({ fault }) => fault.way === way),
        this.#tell,
        deliver,
        onFrame,
      );
    this.#incidents = schedules(isIncident);
    this.#toBoard = line('to-board', (bytes) => board.write(bytes), this.#frameFromHost);
    this.#toHost = line(
      'to-host',
      (bytes) => this.#send(bytes),
      () => {},
    );
    board.frontEnd.pulseListeners.push(() => this.#passed('pulses'));
    board.onData((bytes) => this.#toHost.push(bytes));
  }

  get profile() {
    return this.#board.profile;
  }

  get frontEnd() {
    return this.#board.frontEnd;
  }

  write(bytes: Uint8Array): void | Promise<void> {
    return this.#toBoard.push(bytes);
  }

  onData(listener: Sink): void {
    this.#listener = listener;
  }

  onUnplug(listener: (time: number) => void): void {
    this.#onUnplug = listener;
  }

  elapse(time: number): void {
    this.#board.elapse(time);
  }

  reboot(): void {
    this.#board.reboot();
  }

  hang(time: number): void {
    this.#board.hang?.(time);
  }

  close(): void | Promise<void> {
    return this.#board.close();
  }

  readonly #frameFromHost = (): void => {
    if (this.#saturatedFor > 0 && --this.#saturatedFor === 0) this.frontEnd.adcsSaturated = false;
    this.#passed('frames');
  };

  /** Bytes to the host: at an incident the rest of them is lost. */
  #send(bytes: Uint8Array): void | Promise<void> {
    if (!this.#incidents.some(({ fault }) => fault.of === 'bytes')) return this.#listener(bytes);
    let length = 0;
    while (length < bytes.length) {
      length++;
      if (this.#passed('bytes')) break;
    }
    return this.#listener(bytes.subarray(0, length));
  }

  /** True if something happened. */
  #passed(what: Incident['of']): boolean {
    let happened = false;
    for (const schedule of this.#incidents) {
      const { fault } = schedule;
      if (fault.of !== what || !schedule.due()) continue;
      happened = true;
      this.#tell(fault.kind);
      if (fault.kind === 'reboot') this.#board.reboot();
      else if (fault.kind === 'hang') this.#board.hang?.(schedule.time(fault.time));
      else if (fault.kind === 'unplug') this.#onUnplug(schedule.time(fault.time));
      else if (fault.kind === 'saturate') {
        this.#saturatedFor = fault.frames;
        this.frontEnd.adcsSaturated = true;
      }
    }
    return happened;
  }
}
