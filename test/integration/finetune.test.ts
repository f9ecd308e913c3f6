import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { keepLedger, layerScales, saveOnChip } from '../../src/loop/index.js';
import { loadDataset, networkSpec, subset, train } from '../../src/model/index.js';
import { ended, memloop, scratch, start, startMock } from './shell.js';

let network: Awaited<ReturnType<typeof train>>['network'];
let scales: ReturnType<typeof layerScales>;
beforeAll(async () => {
  const { train: images } = await loadDataset('digits', { seed: 1 });
  const few = subset(
    images,
    Uint32Array.from({ length: 600 }, (_, i) => i),
  );
  const spec = networkSpec([64, 10], { steps: 50, driveScale: 3e-6 });
  ({ network } = await train({ spec, dataset: few, epochs: 20, batch: 50, decision: 1, seed: 1 }));
  scales = layerScales(network, images);
}, 180_000);

it('fine-tuning that was interrupted, killed or lost its board goes on with the same command, and no pulse is unaccounted for', {
  timeout: 180_000,
}, async () => {
  const folder = scratch();
  const model = join(folder, 'digits.safetensors');
  saveOnChip(model, network, { 'memloop.dataset': 'digits', 'memloop.seed': '1' }, scales);
  const link = join(folder, 'board');
  const trace = join(folder, 'trace.ndjson');
  const home = { MEMLOOP_HOME: join(folder, 'home'), MEMLOOP_PORT: link };
  const mock = ['--profile', 'w-sdc-32x32x5', '--seed', '3', '--link', link, '--trace', trace];
  const board = await startMock(mock);
  const out = join(folder, 'tuned.safetensors');
  const ledger = join(folder, 'ledger.json');
  writeFileSync(
    ledger,
    JSON.stringify(await keepLedger(['readNoise'], async (enabled) => (enabled.size ? [1, 0] : [1, 1]))),
  );
  const command = [
    'finetune',
    '--model',
    model,
    '--out',
    out,
    '--ledger',
    ledger,
    '--epochs',
    '0.4',
    '--samples',
    '40',
    '--json',
  ];

  /** Runs until so much training was shown, then does something to it. */
  const cutOff = async (
    updates: number,
    cut: (job: ReturnType<typeof start>) => void,
    phase: 'offline' | 'in-loop' = 'in-loop',
  ) => {
    const job = start(command, home);
    const outcome = ended(job);
    let seen = 0;
    await new Promise<void>((resolve) => {
      job.stdout!.on('data', (data: Buffer) => {
        seen += data.toString().split(`"phase":"${phase}"`).length - 1;
        if (seen >= updates) resolve();
      });
      job.once('close', resolve);
    });
    cut(job);
    return outcome;
  };

  for (const phase of ['offline', 'in-loop'] as const) {
    const interrupted = await cutOff(2, (job) => job.kill('SIGINT'), phase);
    expect(interrupted.code).toBe(130);
    expect(interrupted.stderr).toMatch(/resumes from/);
    expect(existsSync(`${out}.checkpoint`)).toBe(true);
  }

  const killed = await cutOff(3, (job) => job.kill('SIGKILL'));
  expect(killed.code).toBe(null);
  expect(existsSync(`${out}.checkpoint`)).toBe(true);

  const { result, stderr } = await memloop(command, home);
  expect(stderr).toBe('');
  expect(result.accuracyAfter).toBeGreaterThan(0.5);
  expect(existsSync(`${out}.checkpoint`)).toBe(false);
  const report = readFileSync(result.report, 'utf8');
  expect(report).toMatch(/<html/);
  expect(report).toContain('What each imperfection costs');

  const passport = await memloop(['passport', '--json'], home);
  const applied = readFileSync(trace, 'utf8').trim().split('\n').length;
  const known = passport.result.passport.arrays.reduce(
    (sum: number, { pulses }: { pulses: number }) => sum + pulses,
    0,
  );
  expect(known).toBe(applied);
  // What the killed process gave after its last checkpoint is in the passport, not in the result.
  expect(result.pulses).toBeLessThanOrEqual(applied);

  const lost = await cutOff(2, () => board.child.kill('SIGKILL'));
  expect(lost.code).toBe(1);
  expect(lost.stderr.trim().split('\n')).toHaveLength(1);
  // A new chip with the serial number of the old: everything is programmed anew, and the job goes on.
  await startMock(mock);
  const again = await memloop(command, home);
  expect(again.stderr).toBe('');
  expect(again.result.accuracyAfter).toBeGreaterThan(0.5);
});
