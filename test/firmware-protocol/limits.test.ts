/** Whatever the host says, nothing outside the limits reaches the front end. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type CellOp,
  MESSAGE_ID,
  type Message,
  type Status,
} from '../../firmware-protocol/generated/protocol.js';
import { DESCRIPTION, RecordingFrontEnd, TestBoard } from './board.js';
import { runs } from './long.js';
import { rawFrame } from './raw.js';

const MAX_PULSES = 5;

/** Fails as soon as something reaches it that the description forbids. */
class GuardedFrontEnd extends RecordingFrontEnd {
  readonly pulsesOf = new Map<string, number>();
  reads = 0;

  constructor() {
    super({ ...DESCRIPTION, maxPulses: MAX_PULSES });
  }
  #cell(array: number, row: number, column: number): void {
    expect([array < 2, row < 4, column < 3]).toEqual([true, true, true]);
  }
  #read(code: number): void {
    this.reads++;
    expect(Math.abs(code * 0.001)).toBeLessThanOrEqual(0.2 + 1e-6);
  }
  override pulse(array: number, row: number, column: number, code: number, width: number): void {
    this.#cell(array, row, column);
    const voltage = code * 0.001;
    expect(voltage).toBeLessThanOrEqual(0.75 + 1e-6);
    expect(voltage).toBeGreaterThanOrEqual(-1 - 1e-6);
    expect(width).toBeGreaterThanOrEqual(25);
    expect(width).toBeLessThanOrEqual(5000);
    expect((voltage ** 2 / (4 * 20e3)) * width * 1e-7).toBeLessThanOrEqual(2e-9 * (1 + 1e-5));
    const key = `${array},${row},${column}`;
    this.pulsesOf.set(key, (this.pulsesOf.get(key) ?? 0) + 1);
    expect(this.pulsesOf.get(key)).toBeLessThanOrEqual(MAX_PULSES);
  }
  override readRow(array: number, row: number, code: number, samples: number, counts: Int16Array): void {
    this.#cell(array, row, 0);
    this.#read(code);
    expect(samples).toBeGreaterThan(0);
    super.readRow(array, row, code, samples, counts);
  }
  override multiply(
    array: number,
    range: number,
    samples: number,
    codes: Int16Array,
    counts: Int16Array,
  ): void {
    this.#cell(array, 0, 0);
    codes.forEach((code) => {
      this.#read(code);
    });
    expect(range).toBeLessThan(2);
    super.multiply(array, range, samples, codes, counts);
  }
  override reference(
    row: number,
    column: number,
    reference: number,
    range: number,
    n: number,
    code: number,
  ): number {
    this.#cell(0, row, column);
    this.#read(code);
    expect(reference < 2 || reference === 255).toBe(true);
    return super.reference(row, column, reference, range, n, code);
  }
}

const near = (...values: number[]): fc.Arbitrary<number> =>
  fc.constantFrom(...values.flatMap((value) => [value - 1, value, value + 1]));
const code = fc.oneof(
  fc.integer({ min: -32768, max: 32767 }),
  fc.integer({ min: -1100, max: 800 }),
  near(-1000, 750, -2000, 2000, 200, -200, 0, -32767),
);
const ticks = fc.oneof(
  fc.integer({ min: 0, max: 65535 }),
  fc.integer({ min: 20, max: 5100 }),
  near(25, 5000),
);
const small = (limit: number): fc.Arbitrary<number> =>
  fc.oneof({ weight: 9, arbitrary: fc.nat(limit) }, { weight: 1, arbitrary: fc.nat(255) });

const op: fc.Arbitrary<CellOp> = fc.record(
  {
    kind: fc.constantFrom('PULSE', 'PULSE', 'READ'),
    array: small(2),
    row: small(4),
    column: small(3),
    code,
    width: ticks.map((each) => each * 1e-7),
    samples: fc.nat(255),
  },
  { noNullPrototype: true },
);

/** The rule, once more, in float64; undefined within rounding of a limit. */
function judge(each: CellOp, pulses: Map<string, number>): Status | undefined {
  const { array, row, column, width } = each;
  const edge = (value: number, limit: number): boolean => Math.abs(value / limit - 1) < 1e-5;
  if (array >= 2 || row >= 4 || column >= 3) return 'BAD_ADDRESS';
  const voltage = each.code * 0.001;
  if (Math.abs(each.code) > 2000) return 'LIMIT_VOLTAGE';
  if (each.kind === 'READ') {
    if (Math.abs(each.code) > 200) return 'LIMIT_VOLTAGE';
    return each.samples === 0 ? 'BAD_REQUEST' : 'OK';
  }
  if (each.code > 750 || each.code < -1000) return 'LIMIT_VOLTAGE';
  if (Math.round(width * 1e7) < 25 || Math.round(width * 1e7) > 5000) return 'LIMIT_WIDTH';
  const energy = (voltage ** 2 / 80e3) * width;
  if (edge(energy, 2e-9)) return undefined;
  if (energy > 2e-9) return 'LIMIT_ENERGY';
  return (pulses.get(`${array},${row},${column}`) ?? 0) >= MAX_PULSES ? 'LIMIT_PULSES' : 'OK';
}

describe('limits', () => {
  test('every operation is done or refused as the description says', () => {
    const seen = new Map<string, number>();
    const frontEnd = new GuardedFrontEnd();
    const board = new TestBoard(frontEnd);
    board.hello();
    fc.assert(
      fc.property(fc.array(op, { minLength: 40, maxLength: 200 }), (ops) => {
        const before = new Map(frontEnd.pulsesOf);
        const reply = board.ask({ name: 'Cells', ops });
        if (reply.name !== 'CellsReply') throw new Error(reply.name);
        expect(reply.results).toHaveLength(ops.length);
        ops.forEach((each, i) => {
          const expected = judge(each, before);
          const { status } = reply.results[i];
          if (expected) expect(status, JSON.stringify(each)).toBe(expected);
          seen.set(status, (seen.get(status) ?? 0) + 1);
          const key = `${each.array},${each.row},${each.column}`;
          if (status === 'OK' && each.kind === 'PULSE') before.set(key, (before.get(key) ?? 0) + 1);
        });
        expect(frontEnd.pulsesOf).toEqual(before);
      }),
      { numRuns: runs(100, 1000) },
    );
    for (const status of [
      'OK',
      'BAD_ADDRESS',
      'LIMIT_VOLTAGE',
      'LIMIT_WIDTH',
      'LIMIT_ENERGY',
      'LIMIT_PULSES',
    ])
      expect(seen.get(status), status).toBeGreaterThan(20);
  });

  test('hostile requests of every kind and malformed payloads bring nothing else to the front end', () => {
    const frontEnd = new GuardedFrontEnd();
    const board = new TestBoard(frontEnd);
    board.hello();
    const codes = fc.array(code, { maxLength: 24 }).map((values) => Int16Array.from(values));
    const low = fc
      .array(fc.integer({ min: -220, max: 220 }), { maxLength: 24 })
      .map((v) => Int16Array.from(v));
    const samples = fc.nat(255);
    const record = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
      fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
    const message = fc.oneof<fc.Arbitrary<Message>[]>(
      record({
        name: fc.constant('ReadRows' as const),
        array: small(2),
        firstRow: small(4),
        rowCount: small(5),
        code,
        samples,
      }),
      record({
        name: fc.constant('Multiply' as const),
        array: small(2),
        range: small(2),
        samples,
        codes: fc.oneof({ weight: 1, arbitrary: codes }, { weight: 4, arbitrary: low }),
      }),
      record({
        name: fc.constant('Reference' as const),
        row: small(4),
        column: small(3),
        reference: small(2),
        range: small(2),
        samples,
        codes: fc.oneof({ weight: 1, arbitrary: codes }, { weight: 4, arbitrary: low }),
      }),
      record({ name: fc.constant('Cells' as const), ops: fc.array(op, { maxLength: 20 }) }),
    );
    let sequence = 0;
    const raw = fc.record({ id: fc.nat(127), payload: fc.array(fc.nat(255), { maxLength: 60 }) });
    let answers = 0;
    fc.assert(
      fc.property(fc.array(fc.oneof(message, raw), { minLength: 20, maxLength: 60 }), (all) => {
        for (const each of all) {
          if ('id' in each) {
            if (each.id === MESSAGE_ID.Hello) continue;
            board.firmware.receive(rawFrame({ ...each, session: board.session, sequence: ++sequence }));
          } else board.send(each, board.session, ++sequence);
          answers += board
            .settle()
            .take()
            .filter((frame) => frame.sequence === sequence && frame.message.name !== 'Samples').length;
        }
      }),
      { numRuns: runs(60, 1000) },
    );
    expect(answers).toBe(sequence);
    expect(frontEnd.reads).toBeGreaterThan(100);
  });

  test('a code that the converter does not have is refused even where its voltage would be allowed', () => {
    const board = new TestBoard(new RecordingFrontEnd({ ...DESCRIPTION, rowMaxCount: 150 }));
    board.hello();
    const kinds = ['PULSE', 'READ'] as const;
    const ops = kinds.flatMap((kind) =>
      [150, 151, -150, -151].map((code) => ({
        ...{ kind, array: 0, row: 0, column: 0, width: 1e-4, samples: 1 },
        code,
      })),
    );
    const reply = board.ask({ name: 'Cells', ops });
    const refusal = ['OK', 'LIMIT_VOLTAGE', 'OK', 'LIMIT_VOLTAGE'];
    expect(reply.name === 'CellsReply' && reply.results.map(({ status }) => status)).toEqual([
      ...refusal,
      ...refusal,
    ]);
  });

  test('a limit that is not a number, or a board too big to address, allows nothing', () => {
    const op: CellOp = { kind: 'PULSE', array: 0, row: 0, column: 0, code: 100, width: 1e-4, samples: 0 };
    const status = (change: Partial<typeof DESCRIPTION>): string => {
      const board = new TestBoard(new RecordingFrontEnd({ ...DESCRIPTION, ...change }));
      board.hello();
      const reply = board.ask({ name: 'Cells', ops: [op] });
      expect(board.frontEnd.pulses).toEqual([]);
      return reply.name === 'CellsReply' ? reply.results[0].status : reply.name;
    };
    expect(status({ seriesResistance: 0, maxEnergy: 1 })).toBe('LIMIT_ENERGY');
    expect(status({ columns: 257 })).toBe('BAD_ADDRESS');
    expect(status({ maxPulses: 0 })).toBe('LIMIT_PULSES');
  });
});
