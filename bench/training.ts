/**
 * One training step of the paper's network (784-100-10, ten MIF neurons, 1000 steps, batch 200: forward,
 * backward, Adam) here and elsewhere, side by side in one run on one machine: PyTorch eager and
 * TorchScript, TensorFlow.js op by op, and a neuron in ngspice. What is missing is said to be.
 *
 *     npm run bench [-- --threads 2 --quick]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { neuronNetlist } from '../src/interop/spice.js';
import { loadBackend } from '../src/interop/tfjs/backend.js';
import { type IntegratorName, MIF, restState } from '../src/model/devices/mif.js';
import { pulseOfPeak, simulate } from '../src/model/devices/simulate.js';
import { Engine } from '../src/model/kernel/engine.js';
import { KernelMemory, setKernelThreads } from '../src/model/kernel/kernel.js';
import { Network, type NetworkSpec, networkSpec } from '../src/model/network/network.js';
import { Random } from '../src/model/random.js';

const quick = process.argv.includes('--quick');
const threads = Number(process.argv[process.argv.indexOf('--threads') + 1] || 2) || 2;
const PYTHON = process.env.PYTHON ?? '/usr/bin/python3';
const root = dirname(createRequire(import.meta.url).resolve('memloop/package.json'));
const ADAM = { rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0, averaging: 0 };

const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);
const median = (values: readonly number[]) => sorted(values)[Math.floor(values.length / 2)];
const ms = (seconds: number) => `${(seconds * 1e3).toFixed(seconds < 0.1 ? 1 : 0)} ms`;
const say = (line = '') => console.log(line);

/** A batch of synthetic images, a fifth of their pixels lit, as MNIST's. */
function batchOf(count: number, features: number, classes: number) {
  const random = new Random(1);
  return {
    inputs: Float32Array.from({ length: count * features }, () =>
      random.uniform() < 0.2 ? random.uniform() : 0,
    ),
    labels: Uint8Array.from({ length: count }, () => random.integer(classes)),
    indices: Uint32Array.from({ length: count }, (_, i) => i),
  };
}

interface Timing {
  /** s, of each step: by the clock, and of all processors together */
  steps: number[];
  cpu: number[];
  loss: number;
  bytes: number;
}

function timeEngine(spec: NetworkSpec, batch: number, repetitions: number): Timing {
  const engine = new Engine(spec, batch, { training: true });
  engine.setWeights(Network.initialise(spec, 1));
  const { inputs, labels, indices } = batchOf(batch, spec.layers[0].inputs, spec.layers.at(-1)!.outputs);
  const steps: number[] = [];
  const cpu: number[] = [];
  let loss = Number.NaN;
  for (let r = 0; r < repetitions; r++) {
    const begun = performance.now();
    const used = process.cpuUsage();
    engine.load(inputs, indices, labels);
    const value = engine.gradient();
    engine.adam(r + 1, ADAM);
    if (r === 0) loss = value;
    steps.push((performance.now() - begun) / 1e3);
    const { user, system } = process.cpuUsage(used);
    cpu.push((user + system) / 1e6);
  }
  const { bytes } = engine;
  engine.dispose();
  return { steps, cpu, loss, bytes };
}

const paper = (integrator: IntegratorName, steps = 1000, sizes = [784, 100, 10]) =>
  networkSpec(sizes, { integrator, steps, driveScale: 5e-6 });

setKernelThreads(threads);
say(`One training step, 784-100-10, batch 200, 1000 steps, ${threads} threads`);
say(`${''.padEnd(44)}      best    median  processor time\n`);
interface Row {
  name: string;
  best: number;
  median: number;
  /** Processor time, which other work on the machine disturbs least. */
  cpu: number;
}
const rows: Row[] = [];
const add = (name: string, seconds: readonly number[], cpu: readonly number[]) => {
  rows.push({ name, best: Math.min(...seconds), median: median(seconds), cpu: median(cpu) });
  const { best, median: middle, cpu: used } = rows.at(-1)!;
  say(`${name.padEnd(44)} ${ms(best).padStart(9)} ${ms(middle).padStart(9)} ${ms(used).padStart(9)}`);
};

const count = quick ? 20 : 60;
const own = timeEngine(paper('forward-euler'), 200, count);
add('memloop, forward Euler', own.steps, own.cpu);
for (const [name, integrator, steps] of [
  ['memloop, semi-implicit', 'semi-implicit', 1000],
  ['memloop, exponential', 'exponential', 1000],
  ['memloop, exponential, 250 steps', 'exponential', 250],
] as const) {
  const timing = timeEngine(paper(integrator, steps), 200, count);
  add(name, timing.steps, timing.cpu);
}
const rss = process.memoryUsage.rss();

// PyTorch on the same weights and images: its loss must be ours.
const spec = paper('forward-euler');
const network = Network.initialise(spec, 1);
const batch = batchOf(200, 784, 10);
const folder = mkdtempSync(join(tmpdir(), 'memloop-bench-'));
const input = join(folder, 'input.json');
writeFileSync(
  input,
  JSON.stringify({
    steps: spec.steps,
    pulseSteps: spec.pulseSteps,
    driveScale: spec.driveScale,
    batch: 200,
    sizes: [784, 100, 10],
    inputs: [...batch.inputs],
    labels: [...batch.labels],
    weights: network.weights.map((w) => [...w]),
    biases: network.biases.map((b) => [...b]),
  }),
);
for (const [mode, name] of [
  ['eager', 'PyTorch eager'],
  ['script', 'PyTorch TorchScript'],
]) {
  const run = spawnSync(
    PYTHON,
    [join(root, 'bench', 'peer.py'), mode, String(threads), quick ? '4' : '8', input],
    { encoding: 'utf8' },
  );
  if (run.status !== 0) {
    say(
      `${name}: skipped, ${PYTHON} cannot run it (${(run.stderr ?? '').trim().split('\n').at(-1) || run.error?.message})`,
    );
    continue;
  }
  const { seconds, cpu, loss, version } = JSON.parse(run.stdout);
  // The first repetitions compile or warm up.
  const warm = mode === 'script' ? 3 : 1;
  add(`${name} ${String(version).split('+')[0]}`, seconds.slice(warm), cpu.slice(warm));
  if (Math.abs(loss - own.loss) > 1e-3 * own.loss) say(`  its loss ${loss} is not ours, ${own.loss}`);
}

// TensorFlow.js op by op, at fewer steps: 1000 would take gigabytes. Scaled up, time being linear in steps.
const TFJS_STEPS = quick ? 20 : 50;
const { tf, name: backend } = await loadBackend('wasm').catch(() => loadBackend('cpu'));
{
  const drives = tf.randomNormal([200, 10], 0, 5e-6);
  const target = tf.oneHot(tf.tensor1d([...batch.labels], 'int32'), 10);
  const rest = restState(MIF);
  const dt = 1e-5;
  const loss = (x: typeof drives) => {
    let a = tf.zerosLike(drives);
    let i = tf.zerosLike(drives);
    let v = tf.fill([200, 10], rest.v);
    let x1 = tf.fill([200, 10], rest.x1);
    let x2 = tf.fill([200, 10], rest.x2);
    let sum = tf.scalar(0);
    const relax = (state: typeof v, e: number) => {
      const on = tf.sigmoid(tf.div(tf.sub(v, e + MIF.von), MIF.k));
      const off = tf.sigmoid(tf.div(tf.sub(MIF.voff + e, v), MIF.k));
      const flow = tf.sub(tf.mul(tf.sub(1, state), on), tf.mul(state, off));
      return tf.add(state, tf.mul(flow, dt / MIF.tau)) as typeof v;
    };
    const branch = (state: typeof v, e: number) =>
      tf.mul(tf.add(tf.mul(state, 1 / MIF.ron - 1 / MIF.roff), 1 / MIF.roff), tf.sub(v, e));
    for (let t = 0; t < TFJS_STEPS; t++) {
      a = tf.mul(a, 1 - dt / MIF.tauAlpha);
      if (t === 0) a = tf.add(a, x);
      const flow = tf.sub(tf.sub(i, branch(x1, MIF.e1)), branch(x2, MIF.e2));
      const next = tf.add(v, tf.mul(flow, dt / MIF.capacitance)) as typeof v;
      i = tf.add(i, tf.mul(tf.sub(a, i), dt / MIF.tauAlpha));
      const y1 = relax(x1, MIF.e1);
      x2 = relax(x2, MIF.e2);
      x1 = y1;
      v = next;
      sum = tf.sub(sum, tf.div(tf.sum(tf.mul(tf.logSoftmax(tf.mul(v, 1e3)), target)), 200));
    }
    return tf.div(sum, TFJS_STEPS);
  };
  const times: number[] = [];
  const cpu: number[] = [];
  for (let r = 0; r < 3; r++) {
    const begun = performance.now();
    const used = process.cpuUsage();
    tf.tidy(() =>
      tf
        .grad(loss as never)(drives as never)
        .dataSync(),
    );
    times.push(((performance.now() - begun) / 1e3) * (1000 / TFJS_STEPS));
    const { user, system } = process.cpuUsage(used);
    cpu.push(((user + system) / 1e6) * (1000 / TFJS_STEPS));
  }
  add(`TensorFlow.js ${backend}, op by op (from ${TFJS_STEPS} steps)`, times.slice(1), cpu.slice(1));
}

const [base] = rows;
say('\nRatios to memloop with forward Euler: best, median, processor time');
for (const row of rows.slice(4))
  say(
    `${row.name.padEnd(44)} ${(row.best / base.best).toFixed(1)} ×  ${(row.median / base.median).toFixed(1)} ×  ${(row.cpu / base.cpu).toFixed(1)} ×`,
  );
say(
  `\nMemory of this process before PyTorch and TensorFlow.js: ${(rss / 2 ** 20).toFixed(0)} MB, of it ${(own.bytes / 1e6).toFixed(1)} MB the kernel's`,
);

// What the step is made of, and how far it is from what the machine can do.
{
  setKernelThreads(1);
  const memory = new KernelMemory(65536);
  const rounds = 2e6;
  let limit = 0;
  for (let r = 0; r < 10; r++) {
    const begun = performance.now();
    memory.functions.arithmeticLimit(rounds);
    limit = Math.max(limit, (rounds * 16 * 4) / ((performance.now() - begun) / 1e3));
  }
  memory.dispose();
  const single = Math.min(...timeEngine(paper('forward-euler'), 200, quick ? 10 : 30).steps);
  const noNeurons = Math.min(...timeEngine(paper('forward-euler', 3), 200, quick ? 10 : 30).steps);
  // Floating-point operations of a neuron-step, forward and backward with the loss, counted in the kernel's source.
  const NEURON_FLOPS = 66 + 135;
  const DENSE_FLOPS = 200 * (784 * 100 * 4 + 100 * 10 * 6);
  const flops = 200 * 10 * 1000 * NEURON_FLOPS + DENSE_FLOPS;
  say('\nOn one thread');
  say(
    `  whole step ${ms(single)}, of it MIF layer and loss ${ms(single - noNeurons)} (${((100 * (single - noNeurons)) / single).toFixed(0)} %), dense layers, Adam and the rest ${ms(noNeurons)}`,
  );
  say(
    `  multiply-add limit measured: ${(limit / 1e9).toFixed(1)} GFLOP/s; the step does ${(flops / 1e6).toFixed(0)} MFLOP, ${(flops / single / 1e9).toFixed(1)} GFLOP/s: ${((100 * flops) / single / limit).toFixed(0)} % of the limit`,
  );
  setKernelThreads(threads);
}

say('\nTime against batch, output neurons and steps (exponential, best of 10)');
const table = (label: string, cases: [number, () => Timing][]) => {
  const times = cases.map(([n, run]) => [n, Math.min(...run().steps)] as const);
  say(
    `  ${label.padEnd(8)} ${times.map(([n, t]) => `${n}: ${ms(t)} (${((t / n) * 1e6).toFixed(1)} µs each)`).join('   ')}`,
  );
};
table(
  'batch',
  [100, 200, 400, 800].map((n) => [n, () => timeEngine(paper('exponential'), n, 10)]),
);
table(
  'neurons',
  [10, 20, 40, 80].map((n) => [n, () => timeEngine(paper('exponential', 1000, [64, 32, n]), 200, 10)]),
);
table(
  'steps',
  [250, 500, 1000, 2000].map((n) => [n, () => timeEngine(paper('exponential', n), 200, 10)]),
);

// One neuron, one pulse, 10 ms.
{
  const pulses = pulseOfPeak(5e-6);
  const netlist = join(folder, 'neuron.cir');
  writeFileSync(
    netlist,
    neuronNetlist([pulses], MIF, { duration: 10e-3, samples: 1000, output: join(folder, 'neuron.txt') }),
  );
  const time = (f: () => void) => {
    const begun = performance.now();
    f();
    return (performance.now() - begun) / 1e3;
  };
  let status: number | null = null;
  const spice = [0, 1, 2].map(() =>
    time(() => {
      status = spawnSync('ngspice', ['-b', netlist]).status;
    }),
  );
  const here = Array.from({ length: 20 }, () => time(() => simulate([pulses])));
  const perNeuron = Math.min(...own.steps) / 2000;
  say('\nOne neuron over 10 ms');
  if (status !== 0) say('  ngspice: skipped, it is not installed or does not run');
  else
    say(
      `  ngspice at reltol 1e-7 ${ms(Math.min(...spice))} (with its start), the float64 reference ${ms(Math.min(...here))}, ` +
        `the kernel forward and backward ${(perNeuron * 1e6).toFixed(1)} µs: ${(Math.min(...spice) / perNeuron).toFixed(0)} × faster`,
    );
}
process.exit(0);
