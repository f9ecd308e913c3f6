import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { correctOnBoard, keepLedger } from '../../../src/loop/ledger/ledger.js';
import { readLedger } from '../../../src/loop/ledger/ledger-file.js';
import { Random } from '../../../src/model/random.js';
import type { Interval } from '../../../src/shared/statistics.js';
import { type EffectName, withEffects } from '../../../src/virtual-board/index.js';
import { scratch } from '../../integration/shell.js';
import { patterns, smallChip, smallNetwork, smallProfile } from '../small.js';

it('of chips made so that stuck cells cost more than mismatch and that more than noise says so, and covers what is measured on more chips and images', async () => {
  const profile = smallProfile();
  Object.assign(profile.effects, {
    stuckCells: { enabled: true, low: 0.1, high: 0.1 },
    neuronMismatch: { enabled: true, relative: 0.018 },
    converterNoise: { enabled: true, column: 2e-4, membrane: 2e-4 },
  });
  const small = await smallNetwork();
  const [chips, images] = [6, 80];
  const pictures = patterns(images, 2);
  const names: EffectName[] = ['converterNoise', 'neuronMismatch', 'stuckCells'];
  const pool = new Map<string, Uint8Array>();
  const key = (enabled: ReadonlySet<string>, chip: number) => `${[...enabled].sort()} ${chip}`;
  const whole = await keepLedger(
    names,
    async (enabled, chip) => {
      const made = withEffects(
        profile,
        names.filter((name) => enabled.has(name)),
      );
      const { board, deployment } = await smallChip(made, chip + 1, small);
      await deployment.program();
      const correct = await correctOnBoard(deployment.hardware, pictures);
      await board.close();
      pool.set(key(enabled, chip), correct);
      return correct;
    },
    { chips },
  );
  expect(whole.effects.map(({ effect }) => effect)).toEqual([
    'stuckCells',
    'neuronMismatch',
    'converterNoise',
  ]);
  const [stuck, mismatch, noise] = whole.effects.map(({ cost }) => cost.value);
  expect(stuck - mismatch).toBeGreaterThan(0.1);
  expect(mismatch - noise).toBeGreaterThan(0.05);

  let [covered, intervals, ordered] = [0, 0, 0];
  const count = ({ low, high }: Interval, { value }: Interval) => {
    covered += Number(low <= value && value <= high);
    intervals++;
  };
  const repeats = 100;
  for (let repeat = 0; repeat < repeats; repeat++) {
    const random = new Random(repeat);
    const some = random.shuffle(Uint32Array.from({ length: chips }, (_, i) => i)).slice(0, 3);
    const few = random.shuffle(Uint32Array.from({ length: images }, (_, i) => i)).slice(0, 25);
    const part = await keepLedger(
      names,
      async (enabled, chip) => Array.from(few, (i) => pool.get(key(enabled, some[chip]))![i]),
      { chips: some.length },
    );
    if (part.effects[0].effect === 'stuckCells') ordered++;
    for (const name of ['none', 'all', 'cost', 'sum', 'interaction'] as const) count(part[name], whole[name]);
    for (const entry of part.effects) {
      const truth = whole.effects.find(({ effect }) => effect === entry.effect)!;
      for (const name of ['alone', 'without', 'cost', 'gain'] as const) count(entry[name], truth[name]);
    }
  }
  expect(covered / intervals).toBeGreaterThan(0.9);
  expect(ordered / repeats).toBeGreaterThan(0.9);
}, 240_000);

it('what was printed as JSON is read back; what is not a ledger is refused', async () => {
  const ledger = await keepLedger(['readNoise', 'stuckCells'], async (enabled) => [1, enabled.size ? 0 : 1], {
    measured: [1, 0],
  });
  const file = join(scratch(), 'ledger.json');
  writeFileSync(file, `{"type":"progress"}\n${JSON.stringify({ type: 'result', ...ledger })}\n`);
  expect(readLedger(file)).toEqual(ledger);
  for (const text of ['', 'no JSON', '{"chips":1}']) {
    writeFileSync(file, text);
    expect(() => readLedger(file)).toThrow(/is not a ledger: .*make one with `memloop ledger/);
  }
  expect(() => readLedger(`${file}.missing`)).toThrow(/cannot read .*make one with/);
});
