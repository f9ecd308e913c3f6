/**
 * Pulses through a bad link, with the physics as the witness. Every pulse can be told from every other by its
 * cell, width and sign, and flips its cell between low and high conductance, so that a host that does not know
 * whether a pulse was applied can find out by reading the cell.
 */
import { connectBoard, openTransport, type ProtocolBoard } from '../../src/driver/index.js';
import { Random } from '../../src/model/random.js';
import { MemloopError } from '../../src/shared/errors.js';
import type { FaultKind, Faults, TracedPulse } from '../../src/virtual-board/index.js';

export interface Tally {
  /** Pulses asked for. */
  asked: number;
  acknowledged: number;
  /** Known not to have been applied: refused, or never sent. */
  notApplied: number;
  /** Of unknown fate, and what reading the cell said. */
  unknown: number;
  unknownApplied: number;
  unknownNotApplied: number;
  /** Pulses that the physics received. */
  traced: number;
  /** The physics received it more than once. */
  twice: number;
  /** Acknowledged, but the physics never received it. */
  falselyAcknowledged: number;
  /** Said not to be applied, but the physics received it. */
  falselyDenied: number;
  /** Resolved by reading, but the trace says otherwise. */
  misresolved: number;
  /** The link had failed for good and was opened anew. */
  reopened: number;
  retries: number;
  sessions: number;
}

export const emptyTally = (): Tally => ({
  asked: 0,
  acknowledged: 0,
  notApplied: 0,
  unknown: 0,
  unknownApplied: 0,
  unknownNotApplied: 0,
  traced: 0,
  twice: 0,
  falselyAcknowledged: 0,
  falselyDenied: 0,
  misresolved: 0,
  reopened: 0,
  retries: 0,
  sessions: 0,
});

const READ_VOLTAGE = 0.1;
/** Current that parts low from high, A: ideal cells have 1/460 kΩ and 1/13 kΩ. */
const THRESHOLD = READ_VOLTAGE * 3.5e-5;
const LINK = {
  minTimeout: 0.01,
  initialTimeout: 0.03,
  maxTimeout: 0.2,
  lostAfter: 0.6,
  handshakeTimeout: 0.6,
};

interface Asked {
  cell: number;
  width: number;
  voltage: number;
}

/** A pulse's identity: cell, width in 0.1 µs, sign. */
const key = (cell: number, width: number, voltage: number): string =>
  `${cell} ${Math.round(width * 1e7)} ${voltage > 0 ? '+' : '-'}`;

/**
 * Puts about `pulses` pulses on the board behind `port`, an ideal one that nobody else uses, and compares what
 * it was told of them with `trace`, to which the physics adds.
 */
export async function soak(
  port: string,
  trace: TracedPulse[],
  { pulses, seed }: { pulses: number; seed: number },
): Promise<Tally> {
  const tally = emptyTally();
  const random = new Random(seed).fork('soak');
  let board = await open(port);
  const { rows, columns, arrays } = board.description;
  const perArray = rows * columns;
  const saturated = board.description.currentRanges[0].max * 0.999;
  const uses = new Uint16Array(arrays * perArray);
  const verdicts = new Map<string, 'applied' | 'not applied' | 'unknown'>();
  const resolved = new Map<string, boolean>();

  const finish = async () => {
    tally.retries += board.counters.retries;
    tally.sessions += board.counters.sessions;
    await board.close();
  };
  /** Whether each cell of an array is high, from a reading in which no ADC was saturated. */
  const read = async (array: number): Promise<boolean[]> => {
    for (;;) {
      try {
        const currents = await board.readRows(array, 0, rows, READ_VOLTAGE, 1);
        if (currents.some((current) => Math.abs(current) >= saturated)) continue;
        return Array.from(currents, (current) => current > THRESHOLD);
      } catch (error) {
        if (!(error instanceof MemloopError)) throw error;
        await finish();
        tally.reopened++;
        board = await open(port);
      }
    }
  };

  const high: boolean[][] = [];
  for (let array = 0; array < arrays; array++) high.push(await read(array));
  while (tally.asked < pulses) {
    const array = random.integer(arrays);
    const order = random.shuffle(Uint16Array.from({ length: perArray }, (_, i) => i));
    const asked = Array.from(order.subarray(0, 1 + random.integer(250)), (index): Asked => {
      const cell = array * perArray + index;
      const width = 1e-4 + (uses[cell]++ % 2000) * 1e-7;
      return { cell, width, voltage: high[array][index] ? -0.75 : 0.75 };
    });
    tally.asked += asked.length;
    const batches: Asked[][] = [];
    for (let at = 0; at < asked.length; ) {
      const size = 1 + random.integer(20);
      batches.push(asked.slice(at, at + size));
      at += size;
    }
    await Promise.all(
      batches.map(async (batch) => {
        const outcomes = await board.cells(
          batch.map(({ cell, width, voltage }) => {
            const index = cell % perArray;
            const [row, column] = [Math.floor(index / columns), index % columns];
            return { kind: 'pulse', array, row, column, voltage, width };
          }),
        );
        for (const [i, { cell, width, voltage }] of batch.entries()) {
          const { status } = outcomes[i];
          verdicts.set(key(cell, width, voltage), status === 'refused' ? 'not applied' : status);
        }
      }),
    );
    const before = high[array];
    high[array] = await read(array);
    for (const { cell, width, voltage } of asked) {
      const name = key(cell, width, voltage);
      if (verdicts.get(name) !== 'unknown') continue;
      resolved.set(name, high[array][cell % perArray] !== before[cell % perArray]);
    }
  }
  await finish();

  const times = new Map<string, number>();
  for (const { array, row, column, width, voltage } of trace) {
    const name = key(array * perArray + row * columns + column, width, voltage);
    times.set(name, (times.get(name) ?? 0) + 1);
  }
  tally.traced = trace.length;
  for (const count of times.values()) if (count > 1) tally.twice++;
  for (const [name, verdict] of verdicts) {
    const applied = times.has(name);
    if (verdict === 'applied') {
      tally.acknowledged++;
      if (!applied) tally.falselyAcknowledged++;
    } else if (verdict === 'not applied') {
      tally.notApplied++;
      if (applied) tally.falselyDenied++;
    } else {
      tally.unknown++;
      if (resolved.get(name)) tally.unknownApplied++;
      else tally.unknownNotApplied++;
      if (resolved.get(name) !== applied) tally.misresolved++;
    }
  }
  return tally;
}

/** A board that is being rebooted or unplugged may need several attempts. */
async function open(port: string): Promise<ProtocolBoard> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await connectBoard(await openTransport(port), {
        link: LINK,
        reconnect: { within: 2 },
      });
    } catch (error) {
      if (!(error instanceof MemloopError) || attempt === 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

const KINDS: FaultKind[] = [
  'drop',
  'flip',
  'double',
  'insert',
  'lose',
  'repeat',
  'swap',
  'stale',
  'late',
  'reboot',
  'hang',
  'unplug',
  'saturate',
];

/** A schedule of at least four kinds of fault, rare and frequent ones. */
export function randomFaults(seed: number): Faults {
  const random = new Random(seed).fork('faults');
  const gap = (mean: number): [number, number] => [1, Math.round(mean * (0.5 + 2 * random.uniform()))];
  const kinds = [...KINDS];
  random.shuffle(kinds);
  const faults = kinds.slice(0, 4 + random.integer(KINDS.length - 3)).flatMap((kind): Faults['faults'] => {
    const ways = (['to-board', 'to-host'] as const).filter(() => random.uniform() < 0.7);
    const of = (['frames', 'pulses', 'bytes'] as const)[random.integer(3)];
    const every = gap(of === 'bytes' ? 60_000 : of === 'frames' ? 300 : 1500);
    switch (kind) {
      case 'drop':
      case 'flip':
      case 'double':
      case 'insert':
        return ways.map((way) => ({ kind, way, every: gap(15_000) }));
      case 'lose':
      case 'repeat':
      case 'swap':
      case 'stale':
        return ways.map((way) => ({ kind, way, every: gap(60) }));
      case 'late':
        return ways.map((way) => ({ kind, way, every: gap(60), time: [0, 0.1] }));
      case 'reboot':
        return [{ kind, of, every }];
      case 'hang':
      case 'unplug':
        return [{ kind, of, every: [every[0], 3 * every[1]], time: [0, 0.1] }];
      default:
        return [{ kind: 'saturate', of, every, frames: 1 + random.integer(5) }];
    }
  });
  return { seed, faults };
}

/** One whole, of all kinds at once. */
export const ALL_FAULTS: Faults = {
  seed: 5,
  faults: (['to-board', 'to-host'] as const)
    .flatMap((way): Faults['faults'] => [
      ...(['drop', 'flip', 'double', 'insert'] as const).map((kind) => ({
        kind,
        way,
        every: [1, 20_000] as [number, number],
      })),
      ...(['lose', 'repeat', 'swap', 'stale'] as const).map((kind) => ({
        kind,
        way,
        every: [1, 120] as [number, number],
      })),
      { kind: 'late', way, every: [1, 120], time: [0, 0.1] },
    ])
    .concat([
      { kind: 'reboot', of: 'pulses', every: [100, 900] },
      { kind: 'reboot', of: 'bytes', every: [10_000, 50_000] },
      { kind: 'hang', of: 'frames', every: [50, 300], time: [0, 0.05] },
      { kind: 'unplug', of: 'pulses', every: [300, 900], time: [0, 0.05] },
      { kind: 'saturate', of: 'frames', every: [20, 100], frames: 3 },
    ]),
};
