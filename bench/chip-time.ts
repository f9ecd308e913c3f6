/**
 * Processor time of programming and evaluating a network on a virtual board, beside another version of memloop.
 *
 *     npm run bench:chip-time -- --model mnist.safetensors [--against DIR] [--profile w-sdc-128x128x15] [--exact]
 *         [--images 500] [--skip-programming] [--data-dir DIR]
 *
 * DIR is a built checkout of the other version. Each version has a process of its own, one after the other. With
 * --skip-programming the cells are put where programming would bring them, for evaluation alone.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    against: { type: 'string' },
    profile: { type: 'string', default: 'w-sdc-128x128x15' },
    exact: { type: 'boolean', default: false },
    images: { type: 'string', default: '500' },
    'skip-programming': { type: 'boolean', default: false },
    'data-dir': { type: 'string' },
    /** The version that this process measures. */
    measure: { type: 'string' },
  },
});
const own = fileURLToPath(new URL('../..', import.meta.url));

async function measure(library: string): Promise<void> {
  const of = (file: string) => import(pathToFileURL(resolve(library, 'dist/src', file)).href);
  const { guardBoard } = await of('calibration/index.js');
  const { connectBoard, inProcessTransport } = await of('driver/index.js');
  const { Deployment, networkScales } = await of('loop/index.js');
  const { loadTrained, slice } = await of('model/index.js');
  const { createVirtualBoard, loadProfile } = await of('virtual-board/index.js');
  const dataDir = values['data-dir'];
  const { network, metadata, train, test } = await loadTrained(values.model, dataDir ? { dataDir } : {});
  const profile = structuredClone(loadProfile(values.profile));
  if (values.exact) profile.effects.lineResistance.exact = { driver: 0, sense: 0 };
  const home = mkdtempSync(join(tmpdir(), 'memloop-'));
  const virtual = createVirtualBoard({ profile, seed: 1 });
  const board = guardBoard(await connectBoard(inProcessTransport('virtual:bench', virtual)), { home });
  const context = { board, emit: () => {}, signal: new AbortController().signal };
  const scales = networkScales(values.model, network, metadata, train);
  const deployment = await Deployment.open(context, network, scales);
  const timed = async <T>(work: () => Promise<T>): Promise<[T, number]> => {
    const before = process.cpuUsage();
    const result = await work();
    const { user, system } = process.cpuUsage(before);
    return [result, (user + system) / 1e6];
  };
  let told = '';
  if (values['skip-programming']) {
    const { targetConductances } = await of('loop/mapping/mapping.js');
    const { stateOfConductance } = await of('model/devices/memristor.js');
    for (const [array, targets] of targetConductances(deployment.hardware.map, network.weights)) {
      const crossbar = virtual.frontEnd.crossbars[array];
      const { state, columns } = crossbar;
      (targets as Float64Array).forEach((g, i) => {
        if (Number.isNaN(g)) return;
        const x = stateOfConductance(crossbar.parameters(Math.floor(i / columns), i % columns), g, 0.05);
        state[i] = Math.min(1, Math.max(0, x));
      });
    }
  } else {
    const [{ cells }, seconds] = await timed<{ cells: number }>(() => deployment.program());
    told = `programming ${cells} cells ${seconds.toFixed(1)} s, `;
  }
  const images = slice(test, 0, Number(values.images));
  const [{ accuracy }, seconds] = await timed<{ accuracy: number }>(() => deployment.evaluate(images));
  const rate = (images.count / seconds).toFixed(0);
  console.log(
    `${told}evaluation ${rate} images/s (${(100 * accuracy).toFixed(1)} % right), of processor time`,
  );
  await board.close();
  rmSync(home, { recursive: true });
}

if (values.measure) await measure(values.measure);
else
  for (const [name, library] of [
    ['other', values.against],
    ['this', own],
  ]) {
    if (library === undefined) continue;
    const args = [fileURLToPath(import.meta.url), ...process.argv.slice(2), '--measure', library];
    console.log(`${name}: ${execFileSync(process.execPath, args, { encoding: 'utf8' }).trim()}`);
  }
process.exit(0);
