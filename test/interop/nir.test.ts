import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  loadNir,
  type NirArray,
  type NirGraph,
  type NirNode,
  networkFromNir,
  nirFromNetwork,
  saveNir,
} from '../../src/interop/index.js';
import { firingDrive } from '../../src/interop/nir/neurons.js';
import { type Tree, writeTree } from '../../src/interop/nir/tree.js';
import { layerOutputs, MIF, Network, networkSpec, outputVoltages, Random } from '../../src/model/index.js';
import { described } from './described.js';

const folder = mkdtempSync(join(tmpdir(), 'memloop-nir-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const fresh = () => join(folder, `${files++}.nir`);

const array = (shape: number[], values: (i: number) => number): NirArray => ({
  shape,
  data: Float64Array.from({ length: shape.reduce((all, n) => all * n, 1) }, (_, i) => values(i)),
});
const random = new Random(1);
/** Multiples of 1/64, which float32 has exactly. */
const drawn = (...shape: number[]) => array(shape, () => Math.round(128 * random.uniform() - 64) / 64);
const all = (value: number, ...shape: number[]) => array(shape, () => value);

/** A chain of nodes named by their order. */
function chain(...nodes: NirNode[]): NirGraph {
  const edges = nodes.slice(1).map((_, i) => [String(i), String(i + 1)] as [string, string]);
  return { nodes: new Map(nodes.map((node, i) => [String(i), node])), edges, metadata: {} };
}
const input = (...shape: number[]): NirNode => ({ type: 'Input', shape });
const output = (...shape: number[]): NirNode => ({ type: 'Output', shape });
const affine = (outputs: number, inputs: number): NirNode => ({
  type: 'Affine',
  weight: drawn(outputs, inputs),
  bias: drawn(outputs),
});
const conv = (
  [maps, channels, kernel]: [number, number, number],
  rest: Partial<Extract<NirNode, { type: 'Conv2d' }>> = {},
): NirNode => ({
  type: 'Conv2d',
  weight: drawn(maps, channels, kernel, kernel),
  bias: drawn(maps),
  stride: [1, 1],
  padding: [0, 0],
  dilation: [1, 1],
  groups: 1,
  ...rest,
});
const lif = (...shape: number[]): NirNode => ({
  type: 'LIF',
  tau: all(0.02, ...shape),
  r: all(1, ...shape),
  v_leak: all(0, ...shape),
  v_threshold: all(1, ...shape),
});
const cubaLif = (...shape: number[]): NirNode => {
  const { tau, ...rest } = lif(...shape) as Extract<NirNode, { type: 'LIF' }>;
  return { ...rest, type: 'CubaLIF', tau_syn: tau, tau_mem: tau, w_in: all(1, ...shape) };
};
const integrateFire = (...shape: number[]): NirNode => ({
  type: 'IF',
  r: all(1, ...shape),
  v_threshold: all(1, ...shape),
});

/** Through a file, as a user would. */
async function throughFile(graph: NirGraph): Promise<NirGraph> {
  const file = fresh();
  await saveNir(file, graph);
  return loadNir(file);
}

const expectClose = (values: ArrayLike<number>, expected: (i: number) => number, digits: number) => {
  for (let i = 0; i < values.length; i++) expect(values[i]).toBeCloseTo(expected(i), digits);
};

/** Outputs of a network's last layer, its neurons left out: the readable reference. */
function sums(network: Network, x: ArrayLike<number>): number[] {
  let values: ArrayLike<number> = x;
  network.spec.layers.forEach(({ activation }, l) => {
    const y = Array.from(layerOutputs(network, l, values));
    values = activation === 'relu' ? y.map((v) => Math.max(0, v)) : y;
  });
  return Array.from(values);
}

describe('memloop → NIR → memloop', () => {
  const small = networkSpec(
    described([1, 4, 4], [{ kind: 'dense', outputs: 5, activation: 'mif' }, { kind: 'dense' }]),
    {
      steps: 40,
    },
  );
  it.each([
    ['ReLU', networkSpec([6, 5, 3])],
    ['hidden MIF neurons', networkSpec([6, 5, 4, 3], { hidden: 'mif', driveScale: 3e-6 })],
    [
      'output neurons of a measured chip',
      { ...small, outputNeurons: [1, 2, 3].map((n) => ({ ...MIF, tau: n * 1e-3, von: 0.1 + n / 100 })) },
    ],
    [
      'convolutions, pooling, padding',
      networkSpec(
        described(
          [2, 8, 7],
          [
            { kind: 'conv2d', maps: 3, kernel: 3, padding: 1 },
            { kind: 'avgpool', kernel: 2 },
            { kind: 'conv2d', maps: 2, kernel: 2, stride: 2, activation: 'linear' },
            { kind: 'flatten' },
            { kind: 'dense' },
          ],
        ),
      ),
    ],
    [
      'convolutions of MIF neurons',
      networkSpec(
        described([1, 6, 6], [{ kind: 'conv2d', maps: 2, kernel: 3, activation: 'mif' }, { kind: 'dense' }]),
      ),
    ],
  ])('is exact: %s', async (_, spec) => {
    const network = Network.initialise(spec, 7);
    const beside = { 'memloop.dataset': 'digits', note: 'ü' };
    const { graph, verdicts } = nirFromNetwork(network, beside);
    expect(verdicts.map(({ node }) => node)).toEqual([...graph.nodes.keys()]);
    const back = networkFromNir(await throughFile(graph));
    expect(back.network).toEqual(network);
    expect(back.metadata).toEqual(beside);
    expect(new Set(back.verdicts.map(({ verdict }) => verdict))).toEqual(new Set(['faithful']));
    expect(back.verdicts.map(({ shape }) => shape)).toEqual(verdicts.map(({ shape }) => shape));
  });

  it('is exact for random stacks of layers', async () => {
    const layer = fc.oneof(
      fc.record({
        kind: fc.constant('conv2d' as const),
        maps: fc.integer({ min: 1, max: 3 }),
        kernel: fc.constantFrom(2, 3),
        stride: fc.constantFrom(1, 2),
        padding: fc.constantFrom(0, 1),
        activation: fc.constantFrom('relu' as const, 'linear' as const),
      }),
      fc.record({ kind: fc.constant('avgpool' as const), kernel: fc.constant(2) }),
    );
    const stack = fc.record({
      images: fc.array(layer, { maxLength: 2 }),
      hidden: fc.constantFrom('relu', 'mif', 'linear'),
    });
    await fc.assert(
      fc.asyncProperty(stack, fc.integer({ min: 1, max: 99 }), async ({ images, hidden }, seed) => {
        const layers = described(
          [2, 9, 9],
          [...images, { kind: 'dense', outputs: 4, activation: hidden as 'relu' }, { kind: 'dense' }],
        );
        const network = Network.initialise(networkSpec(layers), seed);
        expect(networkFromNir(await throughFile(nirFromNetwork(network).graph)).network).toEqual(network);
      }),
      { numRuns: 25 },
    );
  });

  it('what somebody has changed since is no longer taken as memloop’s own', async () => {
    const { graph } = nirFromNetwork(Network.initialise(networkSpec([4, 3, 2], { hidden: 'mif' }), 1));
    const neurons = graph.nodes.get('layers.0.neurons') as Extract<NirNode, { type: 'CubaLIF' }>;
    neurons.v_threshold.data[1] = 0.5;
    const { verdicts, network } = networkFromNir(await throughFile(graph));
    expect(verdicts.find(({ node }) => node === 'layers.0.neurons')).toMatchObject({
      verdict: 'approximate',
    });
    expect(network?.spec.driveScale).toBe(firingDrive(network!.spec));
  });
});

describe('nodes that others write', () => {
  /** Plain convolution, for the reference: channel by channel, row by row. */
  const convolved = (
    node: Extract<NirNode, { type: 'Conv2d' }>,
    x: number[],
    [C, H, W]: number[],
    padding: number,
  ) => {
    const [maps, inGroup, k] = node.weight.shape;
    const [stride] = node.stride;
    const along = (size: number) => Math.floor((size + 2 * padding - k) / stride) + 1;
    const y: number[] = [];
    for (let m = 0; m < maps; m++)
      for (let oy = 0; oy < along(H); oy++)
        for (let ox = 0; ox < along(W); ox++) {
          let sum = Number(node.bias.data[m]);
          for (let c = 0; c < inGroup; c++)
            for (let ky = 0; ky < k; ky++)
              for (let kx = 0; kx < k; kx++) {
                const [iy, ix] = [oy * stride + ky - padding, ox * stride + kx - padding];
                const channel = Math.floor(m / (maps / node.groups)) * inGroup + c;
                if (iy < 0 || ix < 0 || iy >= H || ix >= W || channel >= C) continue;
                sum +=
                  Number(node.weight.data[((m * inGroup + c) * k + ky) * k + kx]) *
                  x[(channel * H + iy) * W + ix];
              }
          y.push(sum);
        }
    return y;
  };
  const pooled = (x: number[], [C, H, W]: number[], k: number, share: number) => {
    const y: number[] = [];
    for (let c = 0; c < C; c++)
      for (let oy = 0; oy + k <= H; oy += k)
        for (let ox = 0; ox + k <= W; ox += k) {
          let sum = 0;
          for (let i = 0; i < k * k; i++) sum += x[(c * H + oy + Math.floor(i / k)) * W + ox + (i % k)];
          y.push(sum * share);
        }
    return y;
  };
  const times = (node: NirNode, x: number[]) => {
    const { weight, bias } = node as Extract<NirNode, { type: 'Affine' }>;
    const [outputs, inputs] = weight.shape;
    return Array.from({ length: outputs }, (_, o) =>
      x.reduce(
        (sum, value, i) => sum + Number(weight.data[o * inputs + i]) * value,
        Number(bias?.data[o] ?? 0),
      ),
    );
  };
  const inputs = (n: number) => Array.from({ length: n }, (_, i) => ((i * 7) % 11) / 8 - 0.5);

  it('Linear, Affine, Scale before, between and behind weights', async () => {
    const linear: NirNode = { type: 'Linear', weight: drawn(5, 4) };
    const last = affine(3, 5);
    const scales = [drawn(4), drawn(5), drawn(3)];
    const scale = (s: NirArray): NirNode => ({ type: 'Scale', scale: s });
    const graph = chain(
      input(4),
      scale(scales[0]),
      linear,
      scale(scales[1]),
      last,
      scale(scales[2]),
      output(3),
    );
    const { network, verdicts } = networkFromNir(await throughFile(graph));
    const x = inputs(4);
    const by = (s: NirArray, values: number[]) => values.map((value, i) => value * Number(s.data[i]));
    const expected = by(scales[2], times(last, by(scales[1], times(linear, by(scales[0], x)))));
    expectClose(sums(network!, x), (i) => expected[i], 5);
    expect(verdicts.map(({ verdict }) => verdict)).toEqual([...Array(6).fill('faithful'), 'approximate']);
    expect(verdicts.at(-1)?.note).toMatch(/MIF neurons are added/);
  });

  it('Conv2d with groups and "same", AvgPool2d, SumPool2d, Flatten: the same sums', async () => {
    const first = conv([4, 1, 3], { groups: 2, padding: 'same', input_shape: [6, 6] });
    const second = conv([2, 4, 2], { padding: 'valid' });
    const last = affine(3, 2);
    const pool = (type: 'AvgPool2d' | 'SumPool2d'): NirNode => ({
      type,
      kernel_size: [2, 2],
      stride: [2, 2],
      padding: [0, 0],
    });
    const flatten: NirNode = { type: 'Flatten', start_dim: 0, end_dim: -1, input_type: [2, 1, 1] };
    const graph = chain(
      ...[
        input(2, 6, 6),
        first,
        pool('SumPool2d'),
        second,
        integrateFire(2, 2, 2),
        pool('AvgPool2d'),
        flatten,
      ],
      ...[last, integrateFire(3), output(3)],
    );
    const { network, verdicts } = networkFromNir(await throughFile(graph));
    const x = inputs(72);
    let y = convolved(first as never, x, [2, 6, 6], 1);
    y = pooled(y, [4, 6, 6], 2, 1);
    y = convolved(second as never, y, [4, 3, 3], 0).map((value) => Math.max(0, value));
    y = times(last, pooled(y, [2, 2, 2], 2, 1 / 4));
    expectClose(sums(network!, x), (i) => y[i], 4);
    expect(verdicts.map(({ shape }) => shape?.join())).toEqual([
      '2,6,6',
      '4,6,6',
      '4,3,3',
      '2,2,2',
      '2,2,2',
      '2,1,1',
      '2',
      '3',
      '3',
      '3',
    ]);
    expect(verdicts.map(({ verdict }) => verdict[0]).join('')).toBe('ffffafffaf');
    // And once more, as memloop writes it.
    const again = networkFromNir(await throughFile(nirFromNetwork(network!).graph));
    expect(again.network).toEqual(network);
  });

  it('a pooling between a convolution and its neurons: one convolution with the same sums', async () => {
    const first = conv([2, 1, 3], { padding: [1, 1], stride: [2, 2] });
    const pool: NirNode = { type: 'SumPool2d', kernel_size: [2, 2], stride: [2, 2], padding: [0, 0] };
    const last = affine(2, 8);
    const flatten: NirNode = { type: 'Flatten', start_dim: 1, end_dim: -1 };
    const graph = chain(input(1, 8, 8), first, pool, integrateFire(2, 2, 2), flatten, last, output(2));
    const { network } = networkFromNir(await throughFile(graph));
    const x = inputs(64);
    const y = pooled(convolved(first as never, x, [1, 8, 8], 1), [2, 4, 4], 2, 1).map((v) => Math.max(0, v));
    expectClose(sums(network!, x), (i) => times(last, y)[i], 4);
    expect(network!.spec.layers).toMatchObject([
      { kind: 'conv2d', kernel: 5, stride: 4, activation: 'relu' },
      {},
    ]);
  });

  it.each([
    ['LIF', lif(2)],
    ['CubaLIF', cubaLif(2)],
    ['IF', integrateFire(2)],
  ] as [string, NirNode][])('%s becomes MIF neurons that open at its threshold', async (_, neurons) => {
    // Thresholds of 4 V and 2 V at 2 Ω: currents of 2 and 1 bring the membrane there.
    Object.assign(neurons, { r: all(2, 2), v_threshold: array([2], (i) => 4 - 2 * i) });
    const weight = array([2, 1], () => 1);
    const graph = chain(input(1), { type: 'Linear', weight }, neurons, output(2));
    const { network, verdicts } = networkFromNir(await throughFile(graph));
    expect(verdicts[2]).toMatchObject({
      verdict: 'approximate',
      shape: [2],
      note: expect.stringMatching(/threshold/),
    });
    const opens = (x: number) => {
      const v = outputVoltages(network!, [x]);
      return [0, 1].map((n) => Math.max(...v.filter((_, i) => i % 2 === n)) > MIF.von);
    };
    expect(opens(0.97)).toEqual([false, false]);
    expect(opens(1.03)).toEqual([false, true]);
    expect(opens(1.94)).toEqual([false, true]);
    expect(opens(2.06)).toEqual([true, true]);
  });

  it('LIF neurons between layers become MIF neurons, or ReLU where asked', async () => {
    const graph = await throughFile(chain(input(4), affine(3, 4), lif(3), affine(2, 3), lif(2), output(2)));
    const hidden = (neurons?: 'relu' | 'mif') =>
      networkFromNir(graph, neurons && { hiddenNeurons: neurons }).network?.spec.layers[0].activation;
    expect([hidden(), hidden('relu'), hidden('mif')]).toEqual(['mif', 'relu', 'mif']);
  });

  it('readouts that do not spike become output neurons', async () => {
    const li: NirNode = { type: 'LI', tau: all(1, 2), r: all(3, 2), v_leak: all(0, 2) };
    const cubaLi: NirNode = {
      ...li,
      type: 'CubaLI',
      tau_syn: all(1, 2),
      tau_mem: all(1, 2),
      w_in: all(0.5, 2),
    } as never;
    const weight = drawn(2, 2);
    for (const [node, factor] of [
      [li, 3],
      [{ type: 'I', r: all(2, 2) }, 2],
      [cubaLi, 1.5],
    ] as [NirNode, number][]) {
      const { network } = networkFromNir(
        await throughFile(chain(input(2), { type: 'Linear', weight }, node, output(2))),
      );
      expectClose(network!.weights[0], (i) => factor * Number(weight.data[i]), 5);
    }
  });
});

describe('what cannot be imported is told node by node', () => {
  const unsupported = async (graph: NirGraph) => {
    const { network, verdicts } = networkFromNir(await throughFile(graph));
    expect(network).toBeUndefined();
    const found = verdicts.filter(({ verdict }) => verdict === 'unsupported');
    return found.map(({ node, type, note }) => `${node} ${type}: ${note}`);
  };

  it('loops and branches', async () => {
    const graph = chain(input(2), affine(2, 2), lif(2), output(2));
    graph.nodes.set('back', affine(2, 2));
    graph.edges.push(['2', 'back'], ['back', '2']);
    expect(await unsupported(graph)).toEqual([
      '2 LIF: takes from 1 and back: branches and loops cannot be imported',
    ]);
  });

  it.each([
    ['delays', [input(2), { type: 'other', name: 'Delay' }, affine(2, 2), output(2)], /^1 Delay: signals/],
    [
      'unknown nodes',
      [input(2), { type: 'other', name: 'Foo' }, affine(2, 2), output(2)],
      /^1 Foo: memloop knows/,
    ],
    [
      'kernels that are not square',
      [input(1, 5, 5), conv([1, 1, 3], { weight: drawn(1, 1, 3, 2) }), output(9)],
      /square/,
    ],
    ['dilations', [input(1, 5, 5), conv([1, 1, 2], { dilation: [2, 2] }), output(9)], /dilation/],
    ['neurons without weights', [input(2), lif(2), affine(2, 2), output(2)], /^1 LIF: no weights before it/],
    [
      'thresholds below rest',
      [input(2), affine(2, 2), { ...lif(2), v_leak: all(2, 2) }, output(2)],
      /^2 LIF: its threshold is not above its rest/,
    ],
    [
      'pooled spikes of leaky neurons',
      [
        ...[input(1, 4, 4), conv([1, 1, 1]), lif(1, 4, 4)],
        { type: 'AvgPool2d', kernel_size: [2, 2], stride: [2, 2], padding: [0, 0] },
        ...[{ type: 'Flatten', start_dim: 0, end_dim: -1 }, affine(2, 4), output(2)],
      ],
      /^3 AvgPool2d: pools the output of MIF neurons: import with hidden neurons as ReLU/,
    ],
    [
      'a convolution last',
      [input(1, 4, 4), conv([1, 1, 4]), output(1, 1, 1)],
      /the last layer must be Affine/,
    ],
  ] as [string, NirNode[], RegExp][])('%s', async (_, nodes, note) => {
    const graph = chain(...nodes);
    const file = fresh();
    await writeTree(file, { version: '1', node: asTree(graph) });
    const { network, verdicts } = networkFromNir(await loadNir(file));
    expect(network).toBeUndefined();
    const [first] = verdicts.filter(({ verdict }) => verdict === 'unsupported');
    expect(`${first.node} ${first.type}: ${first.note}`).toMatch(note);
  });
});

/** As it lies in the file; nodes of unknown type as such. */
function asTree({ nodes, edges }: NirGraph): Tree {
  const integers = (list: number[]): NirArray => ({
    shape: [list.length],
    data: BigInt64Array.from(list, BigInt),
  });
  const group = (node: NirNode | { type: 'other'; name: string }): Tree =>
    Object.fromEntries(
      Object.entries(node.type === 'other' ? { type: node.name } : node).map(([key, value]) => [
        key,
        Array.isArray(value) ? integers(value) : typeof value === 'number' ? integers([value]) : value,
      ]),
    ) as Tree;
  return {
    type: 'NIRGraph',
    nodes: Object.fromEntries([...nodes].map(([name, node]) => [name, group(node)])),
    edges: { shape: [edges.length, 2], data: edges.flat() },
  };
}

describe('malformed files end in one line', () => {
  const good = () => asTree(chain(input(2), affine(3, 2), lif(3), output(3)));
  type Changed = { nodes: Record<string, Tree> } & Tree;
  const written = async (change: (node: Changed) => void) => {
    const file = fresh();
    const node = good() as Changed;
    change(node);
    await writeTree(file, { version: '1.0.7', node });
    return file;
  };
  const cases: [string, () => Promise<string>, RegExp][] = [
    ['no file', async () => join(folder, 'none.nir'), /none\.nir does not exist$/],
    [
      'no HDF5',
      async () => {
        const file = fresh();
        writeFileSync(file, 'hello');
        return file;
      },
      /is not a readable NIR file: the HDF5 is damaged/,
    ],
    [
      'cut off',
      async () => {
        const file = await written(() => {});
        writeFileSync(file, readFileSync(file).subarray(0, 3000));
        return file;
      },
      /is not a readable NIR file: the HDF5 is damaged/,
    ],
    [
      'HDF5 of something else',
      async () => {
        const file = fresh();
        await writeTree(file, { data: all(1, 3) });
        return file;
      },
      /field "node": is missing/,
    ],
    [
      'one node, no graph',
      () => written((node) => Object.assign(node, { type: 'LIF' })),
      /holds a node LIF, not a graph/,
    ],
    [
      'no edges',
      () => written((node) => Reflect.deleteProperty(node, 'edges')),
      /field "node\.edges": is missing/,
    ],
    [
      'an edge to nowhere',
      () => written((node) => Object.assign(node, { edges: { shape: [1, 2], data: ['0', 'x'] } })),
      /the edge 0 → x names the node x, which is not there/,
    ],
    [
      'a node without a type',
      () => written(({ nodes }) => delete nodes[1].type),
      /field "node\.nodes\.1\.type": is missing/,
    ],
    [
      'no bias',
      () => written(({ nodes }) => delete nodes[1].bias),
      /node 1 \(Affine\): field "bias": is missing/,
    ],
    [
      'weight and bias of different sizes',
      () => written(({ nodes }) => Object.assign(nodes[1], { bias: all(1, 2) })),
      /node 1 \(Affine\): weight and bias do not fit together/,
    ],
    [
      'weights that are no numbers',
      () => written(({ nodes }) => Object.assign(nodes[1], { weight: all(Number.NaN, 3, 2) })),
      /node 1 \(Affine\): field "weight": holds NaN/,
    ],
    [
      'text for a number',
      () => written(({ nodes }) => Object.assign(nodes[2], { tau: 'fast' })),
      /node 2 \(LIF\): field "tau": expected numbers/,
    ],
    [
      'parameters of different shapes',
      () => written(({ nodes }) => Object.assign(nodes[2], { tau: all(1, 4) })),
      /node 2 \(LIF\): its parameters have different shapes/,
    ],
    [
      'shapes that do not fit',
      () => written(({ nodes }) => Object.assign(nodes[1], { weight: all(1, 3, 5) })),
      /is no network: node 1 takes 5 values, but is given 2/,
    ],
    [
      'a stride of 0',
      () =>
        written(({ nodes }) =>
          Object.assign(nodes, {
            1: (asTree(chain(conv([1, 1, 1], { stride: [0, 0] }))) as Changed).nodes[0],
          }),
        ),
      /node 1 \(Conv2d\): field "stride": expected whole numbers from 1/,
    ],
    [
      'a claim of more values than the file can hold',
      async () => {
        const file = await written(() => {});
        const { File } = await import('h5wasm/node');
        const opened = new File(file, 'a');
        const data = { data: new Float32Array(4), shape: [2, 2], maxshape: [null, null], chunks: [2, 2] };
        const huge = (
          opened.get('node/nodes/1') as InstanceType<typeof import('h5wasm/node').Group>
        ).create_dataset({
          name: 'extra',
          ...data,
        });
        huge.resize([1e6, 1e6]);
        opened.close();
        return file;
      },
      /extra claims 1000000 × 1000000 values, more than the file can hold/,
    ],
  ];
  it.each(cases)('%s', async (_, make, message) => {
    const file = await make();
    const load = async () => networkFromNir(await loadNir(file), { source: file });
    const error = await load().then(
      () => expect.fail('was read'),
      (thrown) => thrown,
    );
    expect(error).toMatchObject({ name: 'MemloopError', reason: 'bad-file' });
    expect(error.message).toMatch(message);
    expect(error.message).not.toMatch(/\n/);
  });

  it('damaged bytes never crash or hang', async () => {
    const bytes = readFileSync(await written(() => {}));
    const file = fresh();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        async (changes) => {
          const damaged = Uint8Array.from(bytes);
          for (const [at, value] of changes) damaged[at] = value;
          writeFileSync(file, damaged);
          try {
            networkFromNir(await loadNir(file));
          } catch (error) {
            expect(error).toMatchObject({ name: 'MemloopError', reason: 'bad-file' });
          }
        },
      ),
      { numRuns: 80 },
    );
  });
});

const python = ['python3', '/usr/bin/python3'].find((name) => {
  try {
    execFileSync(name, ['-c', 'import h5py'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

describe(`Python reads what is written${python ? '' : ' (left out: no h5py)'}`, () => {
  it.skipIf(!python)('every node, by h5py', async () => {
    const layers = described(
      [2, 6, 6],
      [
        { kind: 'conv2d', maps: 3, kernel: 3, padding: 1 },
        { kind: 'avgpool', kernel: 2 },
        { kind: 'flatten' },
        { kind: 'dense', outputs: 4, activation: 'mif' },
        { kind: 'dense' },
      ],
    );
    const network = Network.initialise(networkSpec(layers), 3);
    const { graph, verdicts } = nirFromNetwork(network, { 'memloop.dataset': 'digits' });
    const file = fresh();
    await saveNir(file, graph);
    const script = new URL('read-nir.py', import.meta.url).pathname;
    const read = JSON.parse(execFileSync(python!, [script, file], { encoding: 'utf8' }));
    expect(read.edges).toEqual(graph.edges);
    expect(read.metadata).toEqual(graph.metadata);
    expect(Object.keys(read.nodes).sort()).toEqual([...graph.nodes.keys()].sort());
    for (const { node, type } of verdicts) expect(read.nodes[node].type).toBe(type);
    expect(read.nodes.input.shape).toEqual([2, 6, 6]);
    expect(read.nodes['layers.0'].weight.flat(3)).toEqual(Array.from(network.weights[0]));
    expect(read.nodes['layers.0']).toMatchObject({
      stride: [1, 1],
      padding: [1, 1],
      groups: 1,
      input_shape: [6, 6],
    });
    expect(read.nodes['layers.3'].bias).toEqual(Array.from(network.biases[3]));
    expect(read.nodes['layers.0.neurons'].r).toHaveLength(3);
    expect(read.nodes['layers.2.neurons'].tau_syn).toEqual(Array(4).fill(MIF.tauAlpha));
    // Where the package itself is installed, it reads the graph too and checks all shapes.
    if (read.package) expect(read.package).toMatchObject({ 'layers.2.neurons': 'CubaLIF' });
  });
});
