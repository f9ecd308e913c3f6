/** Pulses through a bad line, one at a time, each compared with what the cells received while it was asked for. */
import type { Board } from '../../../src/driver/index.js';
import { Random } from '../../../src/model/random.js';
import { MemloopError } from '../../../src/shared/errors.js';
import type { TracedPulse } from '../../../src/virtual-board/index.js';

export interface Tally {
  asked: number;
  /** Reported as applied, and so it was. */
  believed: number;
  /** Reported as applied, but the cells received nothing, or it twice. */
  believedWithout: number;
  believedTwice: number;
  /** Reported as applied, but the cell received another voltage or width; another cell received it. */
  believedOtherPulse: number;
  believedOtherCell: number;
  /** Reported as not applied, but cells received something. */
  denied: number;
  refused: number;
  unknown: number;
  /** Of unknown fate: what the cells received. */
  unknownApplied: number;
  unknownNothing: number;
  unknownOther: number;
  /** Pulses of the shortest width that a command broken off left behind: no request of ours. */
  stubs: number;
  /** V and s, the largest that a cell received. */
  worstVoltage: number;
  worstWidth: number;
}

const STUB = 1e-7; // s

export async function campaign(
  open: () => Promise<Board>,
  trace: TracedPulse[],
  { pulses, seed }: { pulses: number; seed: number },
): Promise<Tally> {
  const tally: Tally = {
    asked: 0,
    believed: 0,
    believedWithout: 0,
    believedTwice: 0,
    believedOtherPulse: 0,
    believedOtherCell: 0,
    denied: 0,
    refused: 0,
    unknown: 0,
    unknownApplied: 0,
    unknownNothing: 0,
    unknownOther: 0,
    stubs: 0,
    worstVoltage: 0,
    worstWidth: 0,
  };
  const random = new Random(seed).fork('campaign');
  let board = await open();
  const { rows, columns } = board.description;
  while (tally.asked < pulses) {
    const cell = { array: 0, row: random.integer(rows), column: random.integer(columns) };
    const voltage =
      random.uniform() < 0.5 ? millis(0.2 + 0.55 * random.uniform()) : -millis(0.1 + 0.85 * random.uniform());
    const width = (100 + random.integer(4900)) / 1e7;
    const from = trace.length;
    const [outcome] = await board.cells([{ kind: 'pulse', ...cell, voltage, width }]);
    tally.asked++;
    if (outcome.status === 'refused') {
      // The line is gone: it is opened anew.
      await board.close();
      board = await reopened(open);
    } else if (outcome.status === 'unknown') await board.readRows(0, cell.row, 1, 0.05, 1).catch(ignoreLoss);
    const received = trace.slice(from);
    const whole = received.filter((pulse) => pulse.width > STUB);
    tally.stubs += received.length - whole.length;
    for (const pulse of received) {
      tally.worstVoltage = Math.max(tally.worstVoltage, Math.abs(pulse.voltage));
      tally.worstWidth = Math.max(tally.worstWidth, pulse.width);
    }
    const same = (pulse: TracedPulse) => pulse.row === cell.row && pulse.column === cell.column;
    const exact = (pulse: TracedPulse) =>
      same(pulse) && Math.abs(pulse.voltage - voltage) < 1e-6 && Math.abs(pulse.width - width) < 1e-9;
    const exactly = whole.filter(exact).length;
    if (outcome.status === 'applied') {
      if (whole.length === 0) tally.believedWithout++;
      else if (exactly > 1) tally.believedTwice++;
      else if (exactly === 1) tally.believed++;
      else if (whole.some(same)) tally.believedOtherPulse++;
      else tally.believedOtherCell++;
    } else if (outcome.status === 'refused') {
      tally.refused++;
      if (whole.length > 0) tally.denied++;
    } else {
      tally.unknown++;
      if (whole.length === 0) tally.unknownNothing++;
      else if (exactly === 1 && whole.length === 1) tally.unknownApplied++;
      else tally.unknownOther++;
    }
  }
  await board.close();
  return tally;
}

const millis = (value: number) => Math.round(value * 1000) / 1000;

const ignoreLoss = (error: unknown) => {
  if (!(error instanceof MemloopError)) throw error;
};

/** Opened as soon as it can be. */
export async function reopened(open: () => Promise<Board>): Promise<Board> {
  for (let tries = 0; ; tries++) {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof MemloopError) || tries === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
