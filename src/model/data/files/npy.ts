/** NumPy's NPY and NPZ (NEP 1): a header in Python's notation, then the numbers; NPZ is a ZIP of NPY files. */
import { unpackedLimit } from '../gzip.js';
import type { NamedArray } from './arrays.js';
import { badFile } from './samples.js';

const TYPES: Readonly<Record<string, (view: DataView, at: number, little: boolean) => number>> = {
  f4: (view, at, little) => view.getFloat32(at, little),
  f8: (view, at, little) => view.getFloat64(at, little),
  i1: (view, at) => view.getInt8(at),
  i2: (view, at, little) => view.getInt16(at, little),
  i4: (view, at, little) => view.getInt32(at, little),
  i8: (view, at, little) => Number(view.getBigInt64(at, little)),
  u1: (view, at) => view.getUint8(at),
  b1: (view, at) => view.getUint8(at),
  u2: (view, at, little) => view.getUint16(at, little),
  u4: (view, at, little) => view.getUint32(at, little),
  u8: (view, at, little) => Number(view.getBigUint64(at, little)),
};

export const isNpy = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x93 && Buffer.from(bytes.subarray(1, 6)).toString('latin1') === 'NUMPY';

/** Error: `bad-file`. */
export function parseNpy(path: string, bytes: Uint8Array): NamedArray {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!isNpy(bytes) || file.length < 12)
    throw badFile(path, 'it is not an NPY file; save it anew with numpy.save');
  const wide = file[6] >= 2;
  const length = wide ? file.readUInt32LE(8) : file.readUInt16LE(8);
  const start = (wide ? 12 : 10) + length;
  if (start > file.length) throw badFile(path, 'its header is cut off; save it anew with numpy.save');
  const header = file.toString('latin1', wide ? 12 : 10, start);
  const descr = /'descr':\s*'([<>|=]?)(\w)(\d+)'/.exec(header);
  const order = /'fortran_order':\s*(True|False)/.exec(header);
  const dims = /'shape':\s*\(([\d,\s]*)\)/.exec(header);
  if (!descr || !order || !dims)
    throw badFile(path, 'its header is not of a plain array of numbers; save such a one with numpy.save');
  const shape = dims[1].split(',').flatMap((text) => (text.trim() === '' ? [] : [Number(text)]));
  const total = shape.reduce((all, n) => all * n, 1);
  const size = Number(descr[3]) * (descr[2] === 'U' ? 4 : 1);
  if (file.length - start !== total * size)
    throw badFile(
      path,
      `its header announces ${shape.join(' × ')} numbers of ${size} bytes, and ${file.length - start} bytes follow; save it anew with numpy.save`,
    );
  const little = descr[1] !== '>';
  const data = ['U', 'S'].includes(descr[2])
    ? texts(file.subarray(start), total, size, descr[2] === 'U', little)
    : values(path, file.subarray(start), total, descr[2] + descr[3], little);
  return { shape, data: order[1] === 'True' ? rowsFirst(data, shape) : data };
}

function values(path: string, body: Buffer, total: number, type: string, little: boolean) {
  const read = TYPES[type];
  if (!read) throw badFile(path, `arrays of type ${type} are not read; use float32 or uint8`);
  if (type === 'u1') return Uint8Array.from(body);
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const size = Number(type.slice(1));
  const data = type === 'f4' ? new Float32Array(total) : new Float64Array(total);
  for (let i = 0; i < total; i++) data[i] = read(view, i * size, little);
  return data;
}

function texts(body: Buffer, total: number, size: number, wide: boolean, little: boolean): string[] {
  return Array.from({ length: size === 0 ? 0 : total }, (_, i) => {
    const cell = body.subarray(i * size, (i + 1) * size);
    if (!wide) return cell.toString('latin1').replace(/\0+$/, '');
    let text = '';
    for (let c = 0; c < size; c += 4) {
      const code = little ? cell.readUInt32LE(c) : cell.readUInt32BE(c);
      if (code > 0 && code <= 0x10ffff) text += String.fromCodePoint(code);
    }
    return text;
  });
}

/** Fortran's order (the first index runs fastest) → C's. */
function rowsFirst(data: NamedArray['data'], shape: readonly number[]): NamedArray['data'] {
  const out = typeof data[0] === 'string' ? new Array(data.length) : (data as Float64Array).slice();
  const index = shape.map(() => 0);
  for (let i = 0; i < data.length; i++) {
    let at = 0;
    for (let d = 0; d < shape.length; d++) at = at * shape[d] + index[d];
    (out as { [i: number]: unknown })[at] = data[i];
    for (let d = 0; d < shape.length && ++index[d] === shape[d]; d++) index[d] = 0;
  }
  return out;
}

/** The arrays of an NPZ file by name. No entry may claim more than its packed bytes can hold. Error: `bad-file`. */
export async function unpackNpz(path: string, bytes: Uint8Array): Promise<Map<string, NamedArray>> {
  const { unzipSync } = await import('fflate');
  let claimed = 0;
  let entries: Record<string, Uint8Array>;
  try {
    entries = unzipSync(bytes, {
      filter: ({ name, size, originalSize }) => {
        claimed += originalSize;
        if (
          size > bytes.length ||
          originalSize > unpackedLimit(size) ||
          claimed > unpackedLimit(bytes.length)
        )
          throw badFile(
            path,
            `its entry ${name} claims more bytes than the file can hold; save it anew with numpy.savez`,
          );
        return name.endsWith('.npy');
      },
    });
  } catch (error) {
    if ((error as Error).name === 'MemloopError') throw error;
    throw badFile(path, `the ZIP is damaged (${(error as Error).message}); save it anew with numpy.savez`);
  }
  const arrays = new Map<string, NamedArray>();
  for (const [name, entry] of Object.entries(entries))
    arrays.set(name.slice(0, -4), parseNpy(`${path}, ${name}`, entry));
  if (arrays.size === 0) throw badFile(path, 'it holds no NPY arrays; save it anew with numpy.savez');
  return arrays;
}
