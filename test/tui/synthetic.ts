/** A made-up run of the whole loop, for tests of the dashboard and for looking at it (show.ts). */
import type { EventBody, MemloopEvent } from '../../src/shared/events.js';

export interface SyntheticOptions {
  arrays?: number;
  rows?: number;
  columns?: number;
  /** Seconds since 1970. */
  start?: number;
}

const NEURONS = 10;

/** Events of about 75 s, ten and more a second. */
export function* syntheticRun(options: SyntheticOptions = {}): Generator<MemloopEvent> {
  const { arrays = 3, rows = 64, columns = 64, start = 1.7e9 } = options;
  const random = sequence(7);
  const normal = () => random() + random() + random() - 1.5;
  let time = start;
  const at = (body: EventBody): MemloopEvent => ({ ...body, time });
  const counters = {
    requests: 0,
    retries: 0,
    crcErrors: 0,
    duplicates: 0,
    lostSamples: 0,
    bytesSent: 0,
    bytesReceived: 0,
    inFlight: 3,
  };
  const link = (): MemloopEvent => {
    counters.requests += 40;
    counters.bytesSent += 9000;
    counters.bytesReceived += 24_000;
    if (random() < 0.02) counters.retries += 1;
    return at({ type: 'link', state: 'connected', ...counters, roundTrip: 8e-4 + 4e-4 * random() });
  };

  yield at({ type: 'run-started', command: 'demo', version: '0.1.0', seed: 1, backend: 'wasm' });
  yield at({ type: 'stage', stage: 'training', detail: 'digits, 64-32-10 and 10 MIF neurons' });
  for (let batch = 1; batch <= 150; batch++) {
    time += 0.1;
    const share = batch / 150;
    yield at({
      type: 'training',
      phase: 'offline',
      epoch: share * 15,
      epochs: 15,
      loss: 2.3 * Math.exp(-4 * share) + 0.05 + 0.03 * random(),
      validationAccuracy: Math.min(0.972, 0.1 + 0.9 * (1 - Math.exp(-5 * share)) + 0.01 * normal()),
    });
    yield at({
      type: 'progress',
      stage: 'training',
      done: batch,
      total: 150,
      units: 'batches',
      rate: 10,
      timeLeft: (150 - batch) / 10,
    });
  }
  yield at({ type: 'accuracy', stage: 'software', accuracy: 0.972, samples: 360 });
  yield at({
    type: 'board',
    port: '/dev/pts/3',
    boardSerial: 'VB-0007',
    firmwareVersion: '1.0.0',
    arrays,
    rows,
    columns,
    neurons: NEURONS,
  });
  yield link();

  yield at({ type: 'stage', stage: 'programming', detail: `${arrays * rows * columns} cells` });
  const cells = arrays * rows * columns;
  const targets = Array.from({ length: cells }, (_, i) => {
    const [row, column] = [Math.floor(i / columns) % rows, i % columns];
    const wave = Math.sin(row / 5 + Math.floor(i / rows / columns)) * Math.cos(column / 7);
    return 2.5e-6 + 70e-6 * Math.min(1, Math.max(0, 0.35 + 0.3 * wave + 0.15 * normal()));
  });
  for (let array = 0; array < arrays; array++) {
    const conductance = Array.from({ length: rows * columns }, () => 3e-6 + 4e-6 * random());
    yield at({ type: 'conductance', array, rows, columns, conductance });
  }
  for (let done = 0; done < cells; done++) {
    if (done % Math.ceil(cells / 200) === 0) {
      time += 0.1;
      yield link();
      yield at({
        type: 'progress',
        stage: 'programming',
        done,
        total: cells,
        units: 'cells',
        rate: cells / 20,
        timeLeft: (20 * (cells - done)) / cells,
      });
    }
    const array = Math.floor(done / (rows * columns));
    const [row, column] = [Math.floor(done / columns) % rows, done % columns];
    const target = targets[done] as number;
    const failed = random() < 0.02;
    const pulses = failed ? 60 : 4 + Math.floor(8 * random());
    yield at({
      type: 'pulses',
      status: 'applied',
      pulses: Array.from({ length: pulses }, () => ({ array, row, column, voltage: 0.5, width: 1e-4 })),
    });
    yield at({
      type: 'cell',
      array,
      row,
      column,
      conductance: failed ? (random() < 0.5 ? 2.2e-6 : 76e-6) : target * (1 + 0.02 * normal()),
      target,
      pulses,
      energy: pulses * 2.3e-10,
      status: failed ? 'failed' : 'in-tolerance',
      ...(failed ? { reason: 'stuck low' } : {}),
    });
  }
  yield at({ type: 'accuracy', stage: 'programmed', accuracy: 0.414, samples: 360 });

  yield at({ type: 'stage', stage: 'fine-tuning', detail: 'in the loop' });
  for (let image = 1; image <= 300; image++) {
    time += 0.1;
    const share = image / 300;
    yield link();
    const label = Math.floor(10 * random());
    const decision = random() < 0.5 + 0.46 * share ? label : Math.floor(10 * random());
    yield at({
      type: 'membrane',
      run: image,
      samplePeriod: 4e-6,
      label,
      decision,
      voltages: Array.from({ length: NEURONS }, (_, neuron) => {
        const drive = neuron === decision ? 0.1 : 0.015 + 0.03 * random();
        return Array.from({ length: 250 }, (_, i) => {
          if (neuron === 3 && i > 100 && i < 110) return null;
          const t = (i % 100) / 18;
          return 0.018 + drive * t * Math.exp(1 - t) + 0.0008 * normal();
        });
      }),
    });
    yield at({
      type: 'training',
      phase: 'in-loop',
      epoch: 6 * share,
      epochs: 6,
      loss: 1.6 * Math.exp(-5 * share) + 0.1,
      trainAccuracy: Math.min(0.97, 0.414 + 0.56 * (1 - Math.exp(-6 * share))),
      pulses: image * 12,
    });
    yield at({
      type: 'progress',
      stage: 'fine-tuning',
      done: image,
      total: 300,
      units: 'images',
      rate: 10,
      timeLeft: (300 - image) / 10,
    });
    if (image === 120) {
      yield at({
        type: 'log',
        level: 'warning',
        message: 'column 17 of array 1 saturates; its range was raised',
      });
    }
  }
  yield at({ type: 'accuracy', stage: 'finetuned', accuracy: 0.964, samples: 360 });
  yield at({
    type: 'run-finished',
    result: { softwareAccuracy: 0.972, programmedAccuracy: 0.414, finetunedAccuracy: 0.964 },
  });
}

/** A small congruential sequence in [0, 1): pictures must not change from run to run. */
function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
