/**
 * TensorFlow.js on its best backend: @tensorflow/tfjs-node where it is installed and loads, else WebAssembly, else
 * plain JavaScript. Training does not need it; it lets MIF layers be part of models with other layers (see mif-layer.ts).
 */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import util from 'node:util';
import type * as tfCore from '@tensorflow/tfjs-core';
import type * as tfLayers from '@tensorflow/tfjs-layers';
import { MemloopError } from '../shared/errors.js';

export type BackendName = 'tfjs-node' | 'wasm' | 'cpu';

/**
 * The functions of tfjs-core and tfjs-layers. Chained methods (`x.add(y)`) exist only on tfjs-node: write `tf.add(x, y)`.
 */
export type Tensorflow = Omit<typeof tfCore & typeof tfLayers, 'default'>;

const require = createRequire(import.meta.url);
const PACKAGES: Readonly<Record<BackendName, string>> = {
  'tfjs-node': '@tensorflow/tfjs-node',
  wasm: '@tensorflow/tfjs-backend-wasm',
  cpu: '@tensorflow/tfjs-backend-cpu',
};
const BEST_FIRST: readonly BackendName[] = ['tfjs-node', 'wasm', 'cpu'];

let loaded: Promise<{ name: BackendName; tf: Tensorflow }> | undefined;

/**
 * The best backend that starts, or the one named; later calls without a name give the same.
 * Error: `service` when none starts; its cause holds what each said.
 */
export function loadBackend(name?: BackendName): Promise<{ name: BackendName; tf: Tensorflow }> {
  if (name) return open([name]);
  loaded ??= open(BEST_FIRST);
  return loaded;
}

/** The package that `loadBackend` tries first, found without loading it; undefined when none is installed. */
export function installedBackend(): string | undefined {
  return BEST_FIRST.map((name) => PACKAGES[name]).find((name) => {
    try {
      return require.resolve(name) !== '';
    } catch {
      return false;
    }
  });
}

async function open(names: readonly BackendName[]): Promise<{ name: BackendName; tf: Tensorflow }> {
  const failures: unknown[] = [];
  for (const name of names) {
    try {
      return { name, tf: name === 'tfjs-node' ? await openNode() : await openPlain(name) };
    } catch (error) {
      failures.push(error);
    }
  }
  throw new MemloopError('service', `TensorFlow.js does not start on ${names.join(', ')}`, {
    cause: new AggregateError(failures),
  });
}

async function openNode(): Promise<Tensorflow> {
  // tfjs-node calls two functions that Node 23 removed.
  const old = util as unknown as Record<string, unknown>;
  old.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  old.isArray ??= Array.isArray;
  const module = await import(PACKAGES['tfjs-node']);
  return (module.default ?? module) as Tensorflow;
}

async function openPlain(name: 'wasm' | 'cpu'): Promise<Tensorflow> {
  const core = await import('@tensorflow/tfjs-core');
  // tfjs-layers also registers the gradients, which tfjs-core alone does not.
  const layers = await import('@tensorflow/tfjs-layers');
  if (name === 'wasm') {
    const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
    setWasmPaths(`${dirname(require.resolve(PACKAGES.wasm))}/`);
  } else await import('@tensorflow/tfjs-backend-cpu');
  if (!(await core.setBackend(name))) throw new Error(`TensorFlow.js backend ${name} does not start`);
  await core.ready();
  return { ...core, ...layers };
}
