import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Passport } from '../../src/calibration/index.js';
import { register as calibrate } from '../../src/cli/commands/calibrate.js';
import { register as finetune } from '../../src/cli/commands/finetune.js';
import { register as maintain } from '../../src/cli/commands/maintain.js';
import { register as passport } from '../../src/cli/commands/passport.js';
import { register as program } from '../../src/cli/commands/program.js';
import { register as pulse } from '../../src/cli/commands/pulse.js';
import { register as sweep } from '../../src/cli/commands/sweep.js';
import type { BoardDescription } from '../../src/driver/board/board.js';
import { layerScales, saveOnChip } from '../../src/loop/index.js';
import { loadDataset, networkSpec, train } from '../../src/model/index.js';
import { openBoard } from '../../src/open-board.js';
import { createVirtualBoard, loadProfile, servePty } from '../../src/virtual-board/index.js';
import { scratch } from './shell.js';

/** A board on a pseudo-terminal, and what its cells received. */
async function mock(profile: string, seed: number, folder: string) {
  const { arrays, rows, columns } = loadProfile(profile);
  const received = Array.from({ length: arrays }, () => new Float64Array(rows * columns));
  const virtual = createVirtualBoard({
    profile,
    seed,
    trace: ({ array, row, column }) => {
      received[array][row * columns + column] += 1;
    },
  });
  const served = await servePty(virtual);
  const close = async () => {
    await served.close();
    await virtual.close();
  };
  const board = await openBoard(served.port, { home: folder });
  const { description } = board;
  await board.close();
  return { port: served.port, received, description, close };
}

/** The command line in this process: what a shell would see of it. */
async function memloop(args: readonly string[], port: string, home: string) {
  const out: string[] = [];
  const err: string[] = [];
  const spies = [
    vi.stubEnv('MEMLOOP_HOME', home) && undefined,
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => out.push(String(text)) > 0),
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => err.push(String(text)) > 0),
  ];
  const root = new Command('memloop')
    .version('0')
    .option('--json')
    .option('--read-only')
    .option('--run <dir>');
  root.option('--port <url>').exitOverride();
  for (const register of [calibrate, finetune, maintain, passport, program, pulse, sweep]) register(root);
  for (const command of root.commands) command.copyInheritedSettings(root);
  try {
    await root.parseAsync(['node', 'memloop', '--json', '--port', port, ...args]);
    const result = JSON.parse(out.join('').trim().split('\n').at(-1)!);
    return { code: process.exitCode, result, stdout: out.join(''), stderr: err.join('') };
  } finally {
    process.exitCode = undefined;
    vi.unstubAllEnvs();
    for (const spy of spies) spy?.mockRestore();
  }
}

const totals = (description: BoardDescription, home: string) => {
  const stored = Passport.open(description, home);
  return description.arraySerials.map((_, array) => [...stored.array(array).tables.pulses]);
};

const ROWS = 8;
const cell = fc.record({
  array: fc.nat(1),
  row: fc.nat({ max: 2 }),
  column: fc.nat({ max: 2 }),
});
type Cell = { array: number; row: number; column: number };
const at = ({ array, row, column }: Cell) => [
  '--array',
  String(array),
  '--row',
  String(row),
  '--column',
  String(column),
];
/** What is asked of the chip, and how many pulses at once of one cell (0: of no single one). */
type Step =
  | { do: 'quarantine'; cell: Cell }
  | { do: 'forgive'; cell: Cell }
  | { do: 'budget'; array: number; pulses: number | 'none' }
  | { do: 'one cell'; cell: Cell; args: string[]; pulses: number }
  | { do: 'array'; array: number; args: string[] };

const steps = (target: string): fc.Arbitrary<Step> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('quarantine', 'forgive'), cell }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('budget'),
        array: fc.nat(1),
        pulses: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constant('none' as const)),
      }),
    },
    {
      weight: 10,
      arbitrary: fc
        .tuple(
          cell,
          fc.oneof(
            fc.integer({ min: 1, max: 12 }).map((count) => ({
              pulses: count,
              args: ['pulse', '--voltage', '0.3', '--width', '1e-5', '--count', String(count)],
            })),
            fc.constantFrom('triangle', 'sine').map((waveform) => ({
              pulses: 8,
              args: ['sweep', '--waveform', waveform, '--points', '8', '--frequency', '500'],
            })),
            fc.integer({ min: 1, max: 5 }).map((cycles) => ({
              pulses: 2 * cycles,
              args: ['sweep', '--endurance', String(cycles), '--budget', String(2 * cycles)],
            })),
            fc.constant({ pulses: 14, args: ['sweep', '--forming', '--budget', '14'] }),
          ),
        )
        .map(([cell, { args, pulses }]) => ({
          do: 'one cell' as const,
          cell,
          pulses,
          args: [...args, ...at(cell)],
        })),
    },
    {
      weight: 3,
      arbitrary: fc.tuple(fc.nat(1), fc.constantFrom('calibrate', 'program')).map(([array, name]) => ({
        do: 'array' as const,
        array,
        args: [name, '--array', String(array), ...(name === 'program' ? ['--target', target] : [])],
      })),
    },
  ) as fc.Arbitrary<Step>;

describe('no command pulses a quarantined cell or one over its budget, and the passport has what the board received', () => {
  it('in any order of commands', { timeout: 180_000 }, async () => {
    const folder = scratch();
    // Neurons get no pulses, and calibrating ten of them would take nearly all of the time.
    const profile = join(folder, 'one-neuron.json');
    writeFileSync(profile, JSON.stringify({ ...loadProfile('w-sdc-8x8x4'), neurons: 1 }));
    const target = join(folder, 'target.json');
    const rows = Array.from({ length: ROWS }, (_, row) =>
      Array.from({ length: ROWS }, (_, column) =>
        row < 3 ? (5 + ((row * 3 + column * 5) % 20)) * 1e-6 : null,
      ),
    );
    writeFileSync(target, JSON.stringify(rows));
    let run = 0;
    const property = async (list: Step[]) => {
      const home = join(folder, String(run++));
      const { port, received, description, close } = await mock(profile, run, home);
      const quarantined = new Set<string>();
      const budgets = [Infinity, Infinity];
      const nameOf = ({ array, row, column }: Cell) => `array ${array} row ${row} column ${column}`;
      try {
        for (const step of list) {
          const before = received.map((counts) => counts.slice());
          const given = () => received.flatMap((counts, a) => [...counts].map((n, i) => n - before[a][i]));
          const sum = () => given().reduce((a, b) => a + b);
          if (step.do === 'quarantine' || step.do === 'forgive') {
            const { array, row, column } = step.cell;
            const args = ['passport', '--array', String(array), `--${step.do}`, `${row},${column}`];
            expect((await memloop(args, port, home)).code).toBe(0);
            if (step.do === 'quarantine') quarantined.add(nameOf(step.cell));
            else quarantined.delete(nameOf(step.cell));
          } else if (step.do === 'budget') {
            const args = ['passport', '--array', String(step.array), '--budget', String(step.pulses)];
            const { result } = await memloop(args, port, home);
            expect(result.passport.arrays[0].budget).toBe(step.pulses === 'none' ? null : step.pulses);
            budgets[step.array] = step.pulses === 'none' ? Number.POSITIVE_INFINITY : step.pulses;
          } else if (step.do === 'one cell') {
            const { array, row, column } = step.cell;
            const had = before[array][row * ROWS + column];
            const isQuarantined = quarantined.has(nameOf(step.cell));
            const outcome = await memloop(step.args, port, home);
            if (isQuarantined || had + step.pulses > budgets[array]) {
              const remedy = isQuarantined ? `--forgive ${row},${column}` : `--budget ${had + step.pulses}`;
              expect(outcome.code).toBe(2);
              expect(outcome.stderr.trim().split('\n')).toHaveLength(1);
              expect(outcome.stderr).toContain(nameOf(step.cell));
              expect(outcome.stderr).toContain(`memloop passport --array ${array} ${remedy}`);
              expect(sum()).toBe(0);
            } else {
              expect(outcome.stderr).toBe('');
              expect(outcome.code).toBe(0);
              expect(sum()).toBeGreaterThan(0);
            }
          } else {
            const { code, stdout, stderr } = await memloop(step.args, port, home);
            expect(stderr).toBe('');
            expect(code).toBe(0);
            const count = [...quarantined].filter((name) => name.startsWith(`array ${step.array} `)).length;
            if (count > 0)
              expect(stdout).toContain(
                `array ${step.array}: ${count} quarantined cell${count === 1 ? ' is' : 's are'} left out: row `,
              );
          }
          // After every command.
          received.forEach((counts, array) => {
            counts.forEach((count, i) => {
              if (count === before[array][i]) return;
              const place = { array, row: Math.floor(i / ROWS), column: i % ROWS };
              expect(quarantined, step.do).not.toContain(nameOf(place));
              expect(count, `${step.do}, ${nameOf(place)}`).toBeLessThanOrEqual(budgets[array]);
            });
          });
          expect(totals(description, home)).toEqual(received.map((counts) => [...counts]));
        }
      } finally {
        await close();
      }
    };
    await fc.assert(fc.asyncProperty(fc.array(steps(target), { minLength: 6, maxLength: 14 }), property), {
      numRuns: 16,
      interruptAfterTimeLimit: 90_000,
      markInterruptAsFailure: false,
      endOnFailure: true,
    });
  });

  it('with --dry-run and --read-only nothing is given at all', async () => {
    const home = scratch();
    const { port, received, close } = await mock('w-sdc-8x8x4', 3, home);
    onTestFinished(close);
    const place = at({ array: 0, row: 1, column: 1 });
    const target = join(home, 'target.json');
    writeFileSync(target, JSON.stringify(Array.from({ length: ROWS }, () => new Array(ROWS).fill(2e-5))));
    const pulsing = ['pulse', '--voltage', '0.3', '--width', '1e-5', ...place];
    for (const args of [
      [...pulsing, '--dry-run'],
      ['program', '--target', target, '--dry-run'],
    ])
      expect((await memloop(args, port, home)).result).toMatchObject({ dryRun: true });
    for (const args of [pulsing, ['sweep', ...place], ['calibrate'], ['program', '--target', target]]) {
      const { code, stderr } = await memloop(['--read-only', ...args], port, home);
      expect(code).toBe(2);
      expect(stderr).toMatch(/^memloop: this board was opened read-only.*\n$/);
    }
    expect(received.every((counts) => counts.every((count) => count === 0))).toBe(true);
    await memloop(['passport', '--array', '0', '--quarantine', '1,1'], port, home);
    expect((await memloop([...pulsing, '--dry-run'], port, home)).code).toBe(2);
    const { result } = await memloop(['program', '--target', target, '--dry-run'], port, home);
    expect(result.leftOut).toBe(1);
    expect(result.outside).toBeLessThan(result.cells);
  });

  it('of a network that is programmed, fine-tuned and kept up', { timeout: 180_000 }, async () => {
    const home = scratch();
    const { port, received, description, close } = await mock('w-sdc-32x32x5', 2, home);
    onTestFinished(close);
    const { train: images } = await loadDataset('digits', { seed: 1 });
    const spec = networkSpec([64, 10], { steps: 50, driveScale: 3e-6 });
    const { network } = await train({ spec, dataset: images, epochs: 1, batch: 50, validation: 0, seed: 1 });
    const model = join(home, 'digits.safetensors');
    const metadata = { 'memloop.dataset': 'digits', 'memloop.seed': '1' };
    saveOnChip(model, network, metadata, layerScales(network, images));
    const budget = 12;
    for (const array of ['0', '1']) {
      const args = ['passport', '--array', array, '--quarantine', '3,4', '10,1', '--budget', String(budget)];
      expect((await memloop(args, port, home)).code).toBe(0);
    }
    const run = ['--run', join(home, 'run')];
    for (const args of [
      ['finetune', '--epochs', '0.02', '--samples', '10', '--adapt', '0', '--out', model, ...run],
      ['maintain', '--threshold', '-1', '--epochs', '0.01', '--tolerance', '0.01'],
    ]) {
      const before = received.reduce((sum, counts) => sum + counts.reduce((a, b) => a + b), 0);
      const { code, stdout, stderr, result } = await memloop([...args, '--model', model], port, home);
      expect(stderr).toBe('');
      expect(code).toBe(0);
      expect(stdout).toContain('array 0: 2 quarantined cells are left out: row 3 column 4, row 10 column 1');
      // Nobody plans pulses that the gate would refuse.
      expect(stdout).not.toContain('"status":"refused"');
      const after = received.reduce((sum, counts) => sum + counts.reduce((a, b) => a + b), 0);
      expect(result.pulses).toBe(after - before);
    }
    for (const counts of received) {
      expect(counts[3 * 32 + 4] + counts[10 * 32 + 1]).toBe(0);
      expect(Math.max(...counts)).toBeLessThanOrEqual(budget);
    }
    expect(Math.max(...received[0])).toBe(budget);
    expect(totals(description, home)).toEqual(received.map((counts) => [...counts]));
  });
});
