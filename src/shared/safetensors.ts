/**
 * Named float32 tensors with string metadata in one file: safetensors, which PyTorch and NumPy users read and write.
 * Format: the header's length as 8 little-endian bytes, a JSON header, the tensors' bytes.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { MemloopError } from './errors.js';
import { writeAtomically } from './files.js';

/** Row-major float32 values; their number is the product of the shape. */
export type Tensor = { shape: number[]; data: Float32Array };

export interface TensorFile {
  tensors: Record<string, Tensor>;
  metadata: Record<string, string>;
}

const tensorEntry = z.object({
  dtype: z.string(),
  shape: z.array(z.number().int().nonnegative()),
  data_offsets: z.tuple([z.number().int().nonnegative(), z.number().int().nonnegative()]),
});

/** Writes the file whole or not at all. Error: `disk`. */
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

/** Reads the whole file. Error: `bad-file`, naming the file and what is wrong with it. */
export function loadTensors(path: string): TensorFile {
  const file = readWhole(path);
  const damaged = (why: string): MemloopError =>
    new MemloopError('bad-file', `${path} is not a readable safetensors file: ${why}`);
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
  for (const [name, value] of Object.entries(entries))
    tensors[name] = readTensor(file.subarray(start), name, value, damaged);
  return { tensors, metadata: metadata.data };
}

function readWhole(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new MemloopError('bad-file', `cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function readTensor(
  body: Buffer,
  name: string,
  value: unknown,
  damaged: (why: string) => MemloopError,
): Tensor {
  const entry = tensorEntry.safeParse(value);
  if (!entry.success) throw damaged(`tensor ${name} is not described`);
  const { dtype, shape, data_offsets } = entry.data;
  const [from, to] = data_offsets;
  if (dtype !== 'F32') throw damaged(`tensor ${name} is ${dtype}, only F32 is supported`);
  const count = shape.reduce((product, n) => product * n, 1);
  if (to - from !== 4 * count)
    throw damaged(`tensor ${name} has ${to - from} bytes for shape ${shape.join(' × ')}`);
  if (to > body.length) throw damaged(`tensor ${name} is cut off`);
  const data = new Float32Array(count);
  new Uint8Array(data.buffer).set(body.subarray(from, to));
  return { shape, data };
}
