/**
 * TensorFlow.js on its best backend: @tensorflow/tfjs-node where it is installed and loads, else WebAssembly, else
 * plain JavaScript. Training does not need it; it lets MIF layers be part of models with other layers (see layer.ts).
 */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import util from 'node:util';
import type { KernelBackend, TensorInfo } from '@tensorflow/tfjs-core';
import { MemloopError } from '../../shared/errors.js';
import { registerFiles } from './files.js';
import { mifClass } from './layer.js';
import type { Tensorflow } from './tensorflow.js';

export type BackendName = 'tfjs-node' | 'wasm' | 'cpu';

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
      const tf = name === 'tfjs-node' ? await openNode() : await openPlain(name);
      mifClass(tf);
      return { name, tf };
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
  }
  await import('@tensorflow/tfjs-backend-cpu');
  if (!(await core.setBackend(name))) throw new Error(`TensorFlow.js backend ${name} does not start`);
  await core.ready();
  const tf = { ...core, ...layers };
  registerFiles(tf);
  if (name === 'wasm') lend(tf, 'Conv2DBackpropFilter');
  return tf;
}

/** Lets the cpu backend run an operation that the wasm backend lacks: without this one, no convolution is trained. */
function lend(tf: Tensorflow, kernelName: string): void {
  const lent = tf.getKernel(kernelName, 'cpu');
  if (tf.getKernel(kernelName, 'wasm') || !lent) return;
  tf.registerKernel({
    kernelName,
    backendName: 'wasm',
    kernelFunc: ({ inputs, backend, attrs }) => {
      const [wasm, cpu] = [backend as KernelBackend, tf.findBackend('cpu')];
      const copy = (
        from: KernelBackend,
        to: KernelBackend,
        { dataId, shape, dtype }: TensorInfo,
      ): TensorInfo => ({
        dataId: to.write(from.readSync(dataId), shape, dtype) as TensorInfo['dataId'],
        shape,
        dtype,
      });
      const copies = Object.fromEntries(
        Object.entries(inputs).map(([key, info]) => [key, copy(wasm, cpu, info!)]),
      );
      const result = lent.kernelFunc({ inputs: copies, backend: cpu, ...(attrs && { attrs }) }) as TensorInfo;
      const kept = copy(cpu, wasm, result);
      for (const { dataId } of [...Object.values(copies), result]) cpu.disposeData(dataId);
      return kept;
    },
  });
}
