/**
 * Networks on disk as safetensors, so that PyTorch users bring and take theirs: `layers.0.weight`
 * [outputs, inputs] and `layers.0.bias` [outputs], float32, the spec as JSON under `memloop.spec` in the
 * metadata. Format: an 8-byte little-endian header length, a JSON header, the tensors' bytes.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { MemloopError } from '../../shared/errors.js';
import { writeAtomically } from '../../shared/files.js';
import { integratorNames } from '../devices/mif.js';
import { Network, type NetworkSpec } from './network.js';

export type Tensor = { shape: number[]; data: Float32Array };

const tensorEntry = z.object({
  dtype: z.string(),
  shape: z.array(z.number().int().nonnegative()),
  data_offsets: z.tuple([z.number().int().nonnegative(), z.number().int().nonnegative()]),
});

const neuronSchema = z.object({
  capacitance: z.number(),
  e1: z.number(),
  e2: z.number(),
  k: z.number(),
  voff: z.number(),
  von: z.number(),
  roff: z.number(),
  ron: z.number(),
  tau: z.number(),
  tauAlpha: z.number(),
});

const specSchema = z.object({
  layers: z.array(
    z.object({ inputs: z.number(), outputs: z.number(), activation: z.enum(['relu', 'linear', 'mif']) }),
  ),
  neuron: neuronSchema,
  outputNeurons: z.array(neuronSchema).optional(),
  integrator: z.enum(integratorNames as unknown as ['forward-euler', 'semi-implicit', 'exponential']),
  duration: z.number(),
  steps: z.number(),
  pulseSteps: z.array(z.number()),
  driveScale: z.number(),
  driveMax: z.number(),
});

/** Writes float32 tensors and string metadata; atomic. */
export function saveTensors(
  path: string,
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>>,
): void {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let end = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end + data.byteLength] };
    end += data.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const bytes = Object.values(tensors).map(
    ({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  );
  writeAtomically(path, length, padded, ...bytes);
}

/** Reads float32 tensors; throws `bad-file` for anything that is not whole. */
export function loadTensors(path: string): {
  tensors: Record<string, Tensor>;
  metadata: Record<string, string>;
} {
  const damaged = (why: string): MemloopError =>
    new MemloopError('bad-file', `${path} is not a readable safetensors file: ${why}`);
  let file: Buffer;
  try {
    file = readFileSync(path);
  } catch (error) {
    throw new MemloopError('bad-file', `cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
  if (file.length < 8) throw damaged(`it has only ${file.length} bytes`);
  const headerLength = Number(file.readBigUInt64LE(0));
  const start = 8 + headerLength;
  if (start > file.length) throw damaged(`its header of ${headerLength} bytes is cut off at ${file.length}`);
  let header: unknown;
  try {
    header = JSON.parse(file.subarray(8, start).toString());
  } catch {
    throw damaged('its header is not JSON');
  }
  const parsed = z.record(z.string(), z.unknown()).safeParse(header);
  if (!parsed.success) throw damaged('its header is not an object');
  const { __metadata__: meta = {}, ...entries } = parsed.data;
  const metadata = z.record(z.string(), z.string()).safeParse(meta);
  if (!metadata.success) throw damaged('its metadata are not strings');
  const tensors: Record<string, Tensor> = {};
  for (const [name, value] of Object.entries(entries)) {
    const entry = tensorEntry.safeParse(value);
    if (!entry.success) throw damaged(`tensor ${name} is not described`);
    const { dtype, shape, data_offsets } = entry.data;
    const [from, to] = data_offsets;
    if (dtype !== 'F32') throw damaged(`tensor ${name} is ${dtype}, only F32 is supported`);
    const count = shape.reduce((product, n) => product * n, 1);
    if (to - from !== 4 * count)
      throw damaged(`tensor ${name} has ${to - from} bytes for shape ${shape.join(' × ')}`);
    if (start + to > file.length) throw damaged(`tensor ${name} is cut off`);
    const data = new Float32Array(count);
    new Uint8Array(data.buffer).set(file.subarray(start + from, start + to));
    tensors[name] = { shape, data };
  }
  return { tensors, metadata: metadata.data };
}

/** The tensors of a network under PyTorch's names. */
export function networkTensors(network: Network): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  network.spec.layers.forEach(({ inputs, outputs }, l) => {
    tensors[`layers.${l}.weight`] = { shape: [outputs, inputs], data: network.weights[l] };
    tensors[`layers.${l}.bias`] = { shape: [outputs], data: network.biases[l] };
  });
  return tensors;
}

/** Writes a network; `metadata` values are kept as strings beside the spec. */
export function saveNetwork(
  path: string,
  network: Network,
  metadata: Readonly<Record<string, string>> = {},
): void {
  saveTensors(path, networkTensors(network), { ...metadata, 'memloop.spec': JSON.stringify(network.spec) });
}

/** A network from tensors and metadata as `saveNetwork` writes them; `path` is for messages. */
export function networkFrom(
  path: string,
  tensors: Record<string, Tensor>,
  metadata: Record<string, string>,
): Network {
  const damaged = (why: string): MemloopError =>
    new MemloopError('bad-file', `${path} holds no network: ${why}`);
  if (metadata['memloop.spec'] === undefined) throw damaged('memloop.spec is missing from its metadata');
  let json: unknown;
  try {
    json = JSON.parse(metadata['memloop.spec']);
  } catch {
    throw damaged('memloop.spec is not JSON');
  }
  const spec = specSchema.safeParse(json);
  if (!spec.success) {
    const issue = spec.error.issues[0];
    throw damaged(`memloop.spec ${issue.path.join('.')}: ${issue.message}`);
  }
  const take = (name: string, shape: number[]): Float32Array => {
    const tensor = tensors[name];
    if (!tensor) throw damaged(`tensor ${name} is missing`);
    if (tensor.shape.join() !== shape.join())
      throw damaged(`tensor ${name} is ${tensor.shape.join(' × ')}, not ${shape.join(' × ')}`);
    return tensor.data;
  };
  return new Network(
    spec.data as NetworkSpec,
    spec.data.layers.map(({ inputs, outputs }, l) => take(`layers.${l}.weight`, [outputs, inputs])),
    spec.data.layers.map(({ outputs }, l) => take(`layers.${l}.bias`, [outputs])),
  );
}

export function loadNetwork(path: string): { network: Network; metadata: Record<string, string> } {
  const { tensors, metadata } = loadTensors(path);
  return { network: networkFrom(path, tensors, metadata), metadata };
}
