/**
 * NIR graphs (the Neuromorphic Intermediate Representation, neuroir.org) in HDF5, laid out as the Python package nir
 * 1.0 does: `version`, and under `node` the `type` NIRGraph, `edges` (n × 2 names) and in `nodes` one group a node
 * with its `type` and parameters.
 */
import { z } from 'zod';
import { checkJson } from '../../shared/json.js';
import { type NirArray, notNir, readTree, type TextArray, type Tree, writeTree } from './tree.js';

const isNumbers = (value: unknown): value is NirArray =>
  ArrayBuffer.isView((value as Partial<NirArray> | null)?.data);

const expected =
  (what: string) =>
  ({ input }: { input: unknown }): string =>
    input === undefined ? 'is missing' : `expected ${what}`;

const numbers = z
  .custom<NirArray>(isNumbers, { error: expected('numbers') })
  .refine(({ data }) => data.every((x) => Number.isFinite(Number(x))), 'holds NaN or infinite numbers')
  .refine(({ data }) => data.length > 0, 'is empty');
const ofRank = (rank: number) =>
  numbers.refine(({ shape }) => shape.length === rank, { error: `expected ${rank} dimensions` });

/** Whole numbers from `least`: a list of `length`, or one number for all of them. */
const wholes = (least: number, length?: number) =>
  numbers
    .refine(
      ({ data }) => data.every((x) => Number.isInteger(Number(x)) && Number(x) >= least),
      `expected whole numbers from ${least}`,
    )
    .transform(({ data }) => Array.from(data, Number))
    .refine((list) => length === undefined || list.length === length || list.length === 1, {
      error: `expected ${length} numbers`,
    })
    .transform((list): number[] =>
      length !== undefined && list.length === 1 ? Array<number>(length).fill(list[0]) : list,
    );
const whole = (least: number) => wholes(least, 1).transform(([first]) => first);
const shape = wholes(1);

/** Parameters of neurons have one shape, that of the neurons; only `w_in` may be one number for all. */
const perNeuron = <Shape extends z.ZodRawShape>(fields: Shape) =>
  z.object(fields).refine(({ w_in, ...node }: Record<string, unknown>) => {
    const shapes = Object.values(node).filter(isNumbers);
    if (isNumbers(w_in) && w_in.shape.length > 0) shapes.push(w_in);
    return shapes.every(({ shape: one }) => one.join() === shapes[0].shape.join());
  }, 'its parameters have different shapes');

const type = <Name extends string>(name: Name) => z.literal(name);

/** Of each node that can be imported; fields that are not named are left alone. */
const SCHEMAS = {
  Input: z.object({ type: type('Input'), shape }),
  Output: z.object({ type: type('Output'), shape }),
  Linear: z.object({ type: type('Linear'), weight: ofRank(2) }),
  Affine: z
    .object({ type: type('Affine'), weight: ofRank(2), bias: ofRank(1) })
    .refine(({ weight, bias }) => weight.shape[0] === bias.shape[0], 'weight and bias do not fit together'),
  Conv2d: z
    .object({
      type: type('Conv2d'),
      weight: ofRank(4),
      bias: ofRank(1),
      stride: wholes(1, 2),
      padding: z.union([z.enum(['same', 'valid']), wholes(0, 2)]),
      dilation: wholes(1, 2),
      groups: whole(1),
      input_shape: wholes(1, 2).exactOptional(),
    })
    .refine(({ weight, bias }) => weight.shape[0] === bias.shape[0], 'weight and bias do not fit together'),
  SumPool2d: z.object({
    type: type('SumPool2d'),
    kernel_size: wholes(1, 2),
    stride: wholes(1, 2),
    padding: wholes(0, 2),
  }),
  AvgPool2d: z.object({
    type: type('AvgPool2d'),
    kernel_size: wholes(1, 2),
    stride: wholes(1, 2),
    padding: wholes(0, 2),
  }),
  Flatten: z.object({
    type: type('Flatten'),
    start_dim: whole(-32),
    end_dim: whole(-32),
    input_type: shape.exactOptional(),
  }),
  Scale: z.object({ type: type('Scale'), scale: numbers }),
  I: perNeuron({ type: type('I'), r: numbers }),
  LI: perNeuron({ type: type('LI'), tau: numbers, r: numbers, v_leak: numbers }),
  CubaLI: perNeuron({
    type: type('CubaLI'),
    tau_syn: numbers,
    tau_mem: numbers,
    r: numbers,
    v_leak: numbers,
    w_in: numbers.exactOptional(),
  }),
  IF: perNeuron({
    type: type('IF'),
    r: numbers,
    v_threshold: numbers,
    v_reset: numbers.exactOptional(),
  }),
  LIF: perNeuron({
    type: type('LIF'),
    tau: numbers,
    r: numbers,
    v_leak: numbers,
    v_threshold: numbers,
    v_reset: numbers.exactOptional(),
  }),
  CubaLIF: perNeuron({
    type: type('CubaLIF'),
    tau_syn: numbers,
    tau_mem: numbers,
    r: numbers,
    v_leak: numbers,
    v_threshold: numbers,
    v_reset: numbers.exactOptional(),
    w_in: numbers.exactOptional(),
  }),
};

type Schemas = typeof SCHEMAS;
export type NirType = keyof Schemas;
type Nodes = { [Name in NirType]: z.output<Schemas[Name]> };

/** A node that memloop has an equal or an approximation for. */
export type NirNode = Nodes[NirType];
export type NodeOf<Name extends NirType> = Nodes[Name];
/** Any other node, of which only the type is known. */
export interface OtherNode {
  type: 'other';
  name: string;
}

export interface NirGraph {
  nodes: Map<string, NirNode | OtherNode>;
  edges: [from: string, to: string][];
  /** Texts of the graph's metadata. */
  metadata: Record<string, string>;
}

const MOST_NODES = 4096;
const HINT = 'write it again with the tool that made it';

const texts = z
  .custom<TextArray>((value) => Array.isArray((value as Partial<TextArray> | null)?.data), {
    error: expected('pairs of names'),
  })
  .refine(({ shape: [, two], data }) => two === 2 && data.length > 0, 'expected pairs of names');
const fileSchema = z.object({
  node: z.object({
    type: z.string(),
    nodes: z.record(z.string(), z.looseObject({ type: z.string() })),
    edges: texts,
    metadata: z.record(z.string(), z.unknown()).exactOptional(),
  }),
});

/** A graph from its file. Error: `bad-file`, one line that names the node and what is wrong with it. */
export async function loadNir(path: string): Promise<NirGraph> {
  const tree = await readTree(path);
  const root = tree.node as Tree | undefined;
  if (root?.type !== undefined && root.type !== 'NIRGraph')
    throw notNir(path, `it holds ${describe(root.type)}, not a graph`);
  const { node } = checkJson(tree, fileSchema, {
    what: `${path} is not a readable NIR file`,
    hint: HINT,
  });
  const entries = Object.entries(node.nodes);
  if (entries.length > MOST_NODES || node.edges.data.length > 4 * MOST_NODES)
    throw notNir(path, `it has more than ${MOST_NODES} nodes or ${2 * MOST_NODES} edges`);
  const nodes = new Map(entries.map(([name, value]) => [name, nodeOf(path, name, value)]));
  const edges: NirGraph['edges'] = [];
  for (let i = 0; i < node.edges.data.length; i += 2) {
    const [from, to] = node.edges.data.slice(i, i + 2);
    const missing = [from, to].find((name) => !nodes.has(name));
    if (missing !== undefined)
      throw notNir(path, `the edge ${from} → ${to} names the node ${missing}, which is not there`);
    edges.push([from, to]);
  }
  const metadata = Object.entries(node.metadata ?? {}).flatMap(([key, value]) =>
    typeof value === 'string' ? [[key, value] as const] : [],
  );
  return { nodes, edges, metadata: Object.fromEntries(metadata) };
}

const describe = (value: unknown): string =>
  typeof value === 'string' ? `a node ${value}` : 'something else';

function nodeOf(path: string, name: string, value: { type: string }): NirNode | OtherNode {
  const { type: kind } = value;
  if (!Object.hasOwn(SCHEMAS, kind)) return { type: 'other', name: kind };
  return checkJson(value, SCHEMAS[kind as NirType] as z.ZodType<NirNode>, {
    what: `${path}: node ${name} (${kind})`,
    hint: HINT,
  });
}

/** The release of the Python package whose layout is written. */
const VERSION = '1.0.7';

/** Writes a graph, whole or not at all. Error: `disk`. */
export async function saveNir(path: string, { nodes, edges, metadata }: NirGraph): Promise<void> {
  const node: Tree = {
    type: 'NIRGraph',
    edges: { shape: [edges.length, 2], data: edges.flat() },
    nodes: Object.fromEntries([...nodes].map(([name, one]) => [name, groupOf(one)])),
    ...(Object.keys(metadata).length > 0 && { metadata }),
  };
  await writeTree(path, { version: VERSION, node });
}

const groupOf = (node: NirNode | OtherNode): Tree =>
  Object.fromEntries(
    Object.entries(node).map(([key, value]: [string, unknown]) => [
      key,
      Array.isArray(value)
        ? whole64(value)
        : typeof value === 'number'
          ? scalar64(value)
          : (value as NirArray),
    ]),
  );

const whole64 = (list: readonly number[]): NirArray => ({
  shape: [list.length],
  data: BigInt64Array.from(list, BigInt),
});
const scalar64 = (value: number): NirArray => ({ shape: [], data: BigInt64Array.of(BigInt(value)) });
