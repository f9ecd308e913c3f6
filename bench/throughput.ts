/**
 * Images a second on the virtual board, and what the time goes into.
 *
 *     npm run bench:throughput -- [--images 1437] [--updates 40]
 *
 * The digits' 64-32-10 on `w-sdc-32x32x5`, evaluated and fine-tuned twice: with the board in this thread, where a
 * profile of the processor tells how much of the time is whose, and behind a pseudo-terminal with the board on a thread
 * of its own, where host and board can work at the same time, and the event loops of both tell how long they waited.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { guardBoard } from '../src/calibration/index.js';
import { type Board, connectBoard, inProcessTransport, openTransport } from '../src/driver/index.js';
import { Deployment, FINETUNE_DEFAULTS, finetune, layerScales } from '../src/loop/index.js';
import { loadDataset, networkSpec, recipeOf, slice, train } from '../src/model/index.js';
import { createVirtualBoard, loadProfile } from '../src/virtual-board/index.js';

const { values } = parseArgs({
  options: { images: { type: 'string', default: '1437' }, updates: { type: 'string', default: '40' } },
});
const PROFILE = 'w-sdc-32x32x5';
const data = await loadDataset('digits', { seed: 1 });
const recipe = recipeOf('digits');
const spec = networkSpec([data.train.features, ...recipe.hidden, data.train.classes], {
  driveScale: recipe.driveScale,
  steps: 250,
});
const { network } = await train({ ...recipe.settings, epochs: 10, spec, dataset: data.train, seed: 1 });
const scales = layerScales(network, data.train);
const images = slice(data.train, 0, Number(values.images));

interface Measured {
  /** Images a second. */
  rate: number;
  shares: Record<string, number>;
}

/** Whose a function is: by its file, and where model code is called, by who calls it. */
function owner(url: string, name: string, caller: string): string {
  if (url.startsWith('wasm:') || url.includes('/virtual-board/firmware')) return 'firmware';
  if (url.includes('/virtual-board/')) return 'physics';
  if (url.includes('/driver/') || url.includes('/firmware-protocol/')) return 'link';
  if (url.includes('/calibration/')) return 'programming';
  if (url.includes('/loop/gradient') || url.includes('/model/along')) return 'gradient';
  if (url.includes('/loop/')) return 'loop';
  if (name === '(idle)') return 'idle';
  if (name === '(garbage collector)') return 'garbage collection';
  return url === '' && caller === '' ? 'runtime' : caller;
}

/** By a profile of this thread; or, where the board has a thread of its own, by how long the two did not wait. */
async function measured(
  count: number,
  board: Worker | undefined,
  work: () => Promise<void>,
): Promise<Measured> {
  const session = new Session();
  session.connect();
  if (!board) {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
  }
  const loops = { host: performance, ...(board && { board: board.performance }) };
  const before = Object.entries(loops).map(([name, loop]) => ({
    name,
    loop,
    was: loop.eventLoopUtilization(),
  }));
  const start = performance.now();
  await work();
  const rate = (1000 * count) / (performance.now() - start);
  const busy = before.map(({ name, loop, was }) => [name, loop.eventLoopUtilization(was).utilization]);
  const shares = board
    ? Object.fromEntries(busy)
    : sharesOf(((await session.post('Profiler.stop')) as { profile: Profile }).profile);
  session.disconnect();
  return { rate, shares };
}

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string }; children?: number[] }[];
  samples: number[];
  timeDeltas: number[];
}

function sharesOf({ nodes, samples, timeDeltas }: Profile): Record<string, number> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const owners = new Map<number, string>();
  const visit = (id: number, caller: string) => {
    const { callFrame, children = [] } = byId.get(id)!;
    const own = owner(callFrame.url, callFrame.functionName, caller);
    owners.set(id, own);
    for (const child of children) visit(child, own);
  };
  visit(nodes[0].id, '');
  const times: Record<string, number> = {};
  let total = 0;
  samples.forEach((id, i) => {
    const name = owners.get(id) || 'runtime';
    times[name] = (times[name] ?? 0) + timeDeltas[i];
    total += timeDeltas[i];
  });
  return Object.fromEntries(Object.entries(times).map(([name, time]) => [name, time / total]));
}

async function measure(name: string, port: Board, worker?: Worker): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'memloop-bench-'));
  const board = guardBoard(port, { home });
  const deployment = await Deployment.open(
    { board, emit: () => {}, signal: new AbortController().signal },
    network.clone(),
    scales,
  );
  await deployment.program();
  const evaluation = await measured(images.count, worker, async () => {
    await deployment.evaluate(images);
  });
  const count = Number(values.updates) * FINETUNE_DEFAULTS.batch;
  // A single look at one held-back image at either end: what is measured are the updates.
  const few = slice(data.train, 0, count + 1);
  const tuning = await measured(count, worker, async () => {
    await finetune(deployment, few, { epochs: 1, adapt: 0, validation: 1 / few.count });
  });
  for (const [what, { rate, shares }] of [
    ['evaluation', evaluation],
    ['fine-tuning', tuning],
  ] as const) {
    const list = Object.entries(shares)
      .sort((a, b) => b[1] - a[1])
      .map(([owner, share]) => `${owner} ${(100 * share).toFixed(0)} %`);
    console.log(`${name}, ${what}: ${rate.toFixed(0)} images/s: ${list.join(', ')}`);
  }
  await board.close();
  rmSync(home, { recursive: true });
}

await measure(
  'in this thread',
  await connectBoard(
    inProcessTransport('virtual:', createVirtualBoard({ profile: loadProfile(PROFILE), seed: 1 })),
  ),
);
const worker = new Worker(new URL('../src/virtual-board/serving/worker.js', import.meta.url), {
  workerData: { profile: PROFILE, seed: 1 },
  trackUnmanagedFds: false,
});
const { port } = await new Promise<{ port: string }>((resolve, reject) => {
  worker.once('message', resolve);
  worker.once('error', reject);
});
await measure('pseudo-terminal, busy', await connectBoard(await openTransport(port)), worker);
worker.postMessage({ do: 'close' });
