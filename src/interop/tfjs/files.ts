/**
 * `file://` for models where tfjs-node does not bring it: a folder with model.json and weights.bin, as tfjs-node writes
 * and reads them.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { io } from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { MemloopError } from '../../shared/errors.js';
import { makeFolder, writeAtomically } from '../../shared/files.js';
import { readJson } from '../../shared/json.js';
import type { Tensorflow } from './tensorflow.js';

const SCHEME = 'file://';
const WEIGHTS = 'weights.bin';

const modelSchema = z.looseObject({
  modelTopology: z.looseObject({}),
  weightsManifest: z.array(
    z.looseObject({
      paths: z.array(z.string()),
      weights: z.array(
        z.looseObject({
          name: z.string(),
          shape: z.array(z.int().nonnegative()),
          dtype: z.enum(['float32', 'int32', 'bool', 'string', 'complex64']),
        }),
      ),
    }),
  ),
});

/** Makes `model.save('file://DIR')` and `tf.loadLayersModel('file://DIR/model.json')` work. */
export function registerFiles(tf: Tensorflow): void {
  const pathOf = (url: string | string[]): string | undefined =>
    typeof url === 'string' && url.startsWith(SCHEME) ? url.slice(SCHEME.length) : undefined;
  // Several backends may be opened in turn; one handler is enough.
  if (tf.io.getSaveHandlers(`${SCHEME}x`).length > 0) return;
  tf.io.registerSaveRouter((url) => {
    const folder = pathOf(url);
    return folder === undefined ? null! : { save: async (artifacts) => saveModel(tf, folder, artifacts) };
  });
  tf.io.registerLoadRouter((url) => {
    const path = pathOf(url);
    return path === undefined ? null! : { load: async () => loadModel(tf, path) };
  });
}

function saveModel(tf: Tensorflow, folder: string, artifacts: io.ModelArtifacts): io.SaveResult {
  const { weightData, weightSpecs = [], ...rest } = artifacts;
  makeFolder(folder);
  const bytes = tf.io.CompositeArrayBuffer.join(weightData);
  writeAtomically(join(folder, WEIGHTS), new Uint8Array(bytes));
  const weightsManifest = [{ paths: [WEIGHTS], weights: weightSpecs }];
  writeAtomically(join(folder, 'model.json'), JSON.stringify({ ...rest, weightsManifest }));
  return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) };
}

async function loadModel(tf: Tensorflow, path: string): Promise<io.ModelArtifacts> {
  const model = readJson(path, modelSchema, {
    what: `the model ${path}`,
    hint: 'save it again by model.save',
  });
  return tf.io.getModelArtifactsForJSON(model as unknown as io.ModelJSON, async (manifest) => {
    const specs = manifest.flatMap(({ weights }) => weights);
    const parts = manifest
      .flatMap(({ paths }) => paths)
      .map((name) => read(join(dirname(path), basename(name))));
    return [specs, tf.io.CompositeArrayBuffer.join(parts)];
  });
}

function read(path: string): ArrayBuffer {
  try {
    return Uint8Array.from(readFileSync(path)).buffer;
  } catch (error) {
    throw new MemloopError('bad-file', `cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}
