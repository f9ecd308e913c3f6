/**
 * The Heidelberg datasets, SHD and SSC (B. Cramer et al. 2020): HDF5 with `spikes/times` (s) and `spikes/units`, lists of
 * one length for each sample, and `labels`; 700 units.
 */
import { badFile, type FileContent, type ReadOptions } from '../files/samples.js';
import { binned } from './bins.js';

const UNITS = 700;

/** A dataset of h5wasm. */
interface Node {
  value?: unknown;
  metadata?: { vlen_type?: { type: number; size: number } };
}

/** HDF5's classes of types, by h5wasm's numbers. */
const INTEGER = 0;
const FLOAT = 1;

/** Whether datasets of a file, by their paths, are of this layout. */
export const isSpikes = (datasets: ReadonlyMap<string, unknown>): boolean =>
  ['spikes/times', 'spikes/units', 'labels'].every((name) => datasets.has(name));

/** Error: `bad-file`. */
export function readSpikes(
  path: string,
  datasets: ReadonlyMap<string, Node>,
  options: ReadOptions,
): FileContent {
  const labels = datasets.get('labels')!.value as ArrayLike<number | bigint>;
  const times = listsOf(path, 'spikes/times', datasets.get('spikes/times')!);
  const units = listsOf(path, 'spikes/units', datasets.get('spikes/units')!);
  if (times.length !== labels.length || units.length !== labels.length)
    throw badFile(
      path,
      `it has ${labels.length} labels for ${times.length} lists of times and ${units.length} of units`,
    );
  const samples = Array.from(labels, (label, i) => {
    if (times[i].length !== units[i].length)
      throw badFile(path, `sample ${i} has ${times[i].length} times for ${units[i].length} units`);
    const outside = units[i].find((unit) => !(unit >= 0 && unit < UNITS));
    if (outside !== undefined) throw badFile(path, `sample ${i}: there is no unit ${outside} of ${UNITS}`);
    if (!times[i].every(Number.isFinite)) throw badFile(path, `sample ${i}: a time is not a number`);
    return {
      label: String(label),
      events: (visit: (time: number, x: number, y: number, polarity: number) => void) => {
        times[i].forEach((time, k) => {
          visit(time, units[i][k], 0, 0);
        });
      },
    };
  });
  return { samples: binned(path, { line: UNITS }, samples, options, 'labels') };
}

/** Lists of numbers of any length; h5wasm does not read the half-precision ones that SHD has, but their bits. */
function listsOf(path: string, name: string, node: Node): Float32Array[] {
  const { vlen_type: type } = node.metadata ?? {};
  const half = type?.type === FLOAT && type.size === 2;
  const bits = { metadata: { value: { ...node.metadata, vlen_type: { ...type, type: INTEGER } } } };
  const { value } = half ? (Object.create(node, bits) as Node) : node;
  if (!Array.isArray(value) || !value.every((list) => ArrayBuffer.isView(list)))
    throw badFile(path, `${name} does not hold a list of numbers for each sample`);
  return (value as unknown as ArrayLike<number>[]).map((list) =>
    Float32Array.from(list, half ? fromHalf : Number),
  );
}

/** A number in half precision (IEEE 754) from its bits. */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * 2 ** -24 * fraction;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * 2 ** (exponent - 25) * (1024 + fraction);
}
