import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadNir, saveNir } from '../../src/interop/index.js';
import { memloop, scratch } from './shell.js';

it('a network goes to NIR and back unchanged; what others wrote is healed by training on', async () => {
  const folder = scratch();
  const [network, graph, back, others, healed] = [
    'a.safetensors',
    'a.nir',
    'b.safetensors',
    'c.nir',
    'd.safetensors',
  ].map((name) => join(folder, name));
  const home = { MEMLOOP_HOME: folder };
  const run = async (...args: string[]) => {
    const ended = await memloop([...args, '--json'], home);
    expect(ended.stderr).toBe('');
    expect(ended.code).toBe(0);
    return ended.result;
  };
  const trained = await run('train', '--epochs', '3', '--steps', '50', '--out', network);
  const written = await run('export', 'nir', '--model', network, '--out', graph);
  expect(written.file).toBe(graph);
  const read = await run('import', 'nir', graph, '--out', back);
  expect(read.verdicts.map(({ node }: { node: string }) => node)).toEqual(
    written.verdicts.map(({ node }: { node: string }) => node),
  );
  expect((await run('eval', '--model', back)).accuracy).toBe(trained.testAccuracy);

  // As another tool would have written it: without what memloop keeps of its neurons.
  await saveNir(others, { ...(await loadNir(graph)), metadata: {} });
  const imported = await run('import', 'nir', others, '--steps', '50');
  expect(imported.file).toBe(join(folder, 'c.safetensors'));
  expect(imported.verdicts.at(-2)).toMatchObject({ type: 'CubaLIF', verdict: 'approximate', shape: [10] });
  const on = await run('train', '--from', imported.file, '--epochs', '2', '--out', healed);
  expect(on.testAccuracy).toBeGreaterThan(0.9);
}, 120_000);

it('what cannot be imported: one line, exit 2; all verdicts by --dry-run', async () => {
  const folder = scratch();
  const file = join(folder, 'loop.nir');
  const one = { shape: [1], data: Float64Array.of(1) };
  await saveNir(file, {
    nodes: new Map([
      ['in', { type: 'Input', shape: [1] }],
      ['w', { type: 'Linear', weight: { ...one, shape: [1, 1] } }],
      [
        'lif',
        { type: 'LIF', tau: one, r: one, v_leak: { shape: [1], data: Float64Array.of(0) }, v_threshold: one },
      ],
      ['out', { type: 'Output', shape: [1] }],
    ]),
    edges: [
      ['in', 'w'],
      ['w', 'lif'],
      ['lif', 'w'],
      ['lif', 'out'],
    ],
    metadata: {},
  });
  const refused = await memloop(['import', 'nir', file]);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toBe(
    `memloop: ${file} cannot be imported: node w (Linear) takes from in and lif: branches and loops cannot be imported, and 1 more; --dry-run lists all verdicts\n`,
  );
  const told = await memloop(['import', 'nir', file, '--dry-run', '--json']);
  expect(told.result.verdicts.map(({ verdict }: { verdict: string }) => verdict[0]).join('')).toBe('fuuf');

  writeFileSync(file, 'not HDF5');
  const damaged = await memloop(['import', 'nir', file]);
  expect(damaged.code).toBe(2);
  expect(damaged.stderr.trim().split('\n')).toHaveLength(1);
  const missing = await memloop(['export', 'nir', '--model', join(folder, 'none.safetensors')]);
  expect(missing.stderr).toMatch(/none\.safetensors/);
  expect(missing.code).toBe(2);
}, 60_000);
