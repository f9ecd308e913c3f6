/**
 * TensorFlow.js, where it loads best: @tensorflow/tfjs-node, else WebAssembly, else plain JavaScript.
 * Training does not need it (see train.ts); it is the way to put MIF layers into models of other layers
 * (see tfjs.ts).
 */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import util from 'node:util';
import type * as tfjs from '@tensorflow/tfjs';

export type BackendName = 'tfjs-node' | 'wasm' | 'cpu';
export type Tensorflow = typeof tfjs;

let loaded: Promise<{ name: BackendName; tf: Tensorflow }> | undefined;

/** The best backend, or the one named; later calls without a name give the same. */
export function loadBackend(name?: BackendName): Promise<{ name: BackendName; tf: Tensorflow }> {
  if (name) return open([name]);
  loaded ??= open(['tfjs-node', 'wasm', 'cpu']);
  return loaded;
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
  throw new AggregateError(failures, `no TensorFlow.js backend of ${names.join(', ')} loads`);
}

async function openNode(): Promise<Tensorflow> {
  // tfjs-node calls two functions that Node 23 removed.
  const old = util as unknown as Record<string, unknown>;
  old.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  old.isArray ??= Array.isArray;
  const name = '@tensorflow/tfjs-node';
  const tf = (await import(name)) as { default?: Tensorflow } & Tensorflow;
  return tf.default ?? tf;
}

async function openPlain(name: 'wasm' | 'cpu'): Promise<Tensorflow> {
  const tf = (await import('@tensorflow/tfjs')) as { default?: Tensorflow } & Tensorflow;
  if (name === 'wasm') {
    const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
    const folder = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'));
    setWasmPaths(`${folder}/`);
  }
  if (!(await tf.setBackend(name))) throw new Error(`TensorFlow.js backend ${name} does not start`);
  await tf.ready();
  return tf;
}
