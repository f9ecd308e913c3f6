/** A task, a network and a board small enough for many chips in a test. */
import { guardBoard, type NeuronCalibration } from '../../src/calibration/index.js';
import {
  type Board,
  type BoardDescription,
  connectBoard,
  inProcessTransport,
} from '../../src/driver/index.js';
import { type Area, Deployment, layerScales } from '../../src/loop/index.js';
import { type Dataset, MIF, networkSpec, Random, train } from '../../src/model/index.js';
import { MemloopError } from '../../src/shared/errors.js';
import type { Emit } from '../../src/shared/events.js';
import { createVirtualBoard, loadProfile, type Profile, withEffects } from '../../src/virtual-board/index.js';
import { temporaryHome } from '../calibration/boards.js';

const FEATURES = 8;
const CLASSES = 4;

/** Four patterns of eight or so many pixels, blurred. */
export function patterns(count: number, seed: number, blur = 0.1, features = FEATURES): Dataset {
  const random = new Random(seed);
  const shapes = new Random(7);
  const pattern = Float32Array.from({ length: CLASSES * features }, () => shapes.uniform());
  const labels = Uint8Array.from({ length: count }, (_, n) => n % CLASSES);
  const inputs = Float32Array.from({ length: count * features }, (_, i) => {
    const label = labels[Math.floor(i / features)];
    const value = pattern[label * features + (i % features)] + blur * random.normal();
    return Math.min(1, Math.max(0, value));
  });
  return { name: 'patterns', inputs, labels, count, features, classes: CLASSES };
}

/** A network of one layer for `patterns`, trained in software. */
export async function smallNetwork() {
  const dataset = patterns(400, 1);
  const spec = networkSpec([FEATURES, CLASSES], { steps: 100, driveScale: 5e-6 });
  const { network } = await train({
    spec,
    dataset,
    epochs: 20,
    batch: 20,
    validation: 0,
    dropout: 0,
    decision: 1,
    seed: 1,
  });
  return { network, dataset, scales: layerScales(network, dataset) };
}

export type SmallNetwork = Awaited<ReturnType<typeof smallNetwork>>;

/** One array of 8×8 and four neurons, without imperfections. */
export function smallProfile(): Profile {
  const profile = withEffects(loadProfile('w-sdc-8x8x4'), []);
  return { ...profile, arrays: 1, neurons: CLASSES, run: { ...profile.run, stepTime: 5e-5 } };
}

/** As labs have them: no neurons, no references. */
export const bareProfile = (): Profile => ({ ...smallProfile(), neurons: 0, references: [] });

/** The board as one without analog products and with one current range. */
export function withoutProducts(board: Board): Board {
  const [range] = board.description.currentRanges;
  const description: BoardDescription = { ...board.description, products: 'none', currentRanges: [range] };
  return new Proxy(board, {
    get(target, name) {
      if (name === 'description') return description;
      if (name === 'multiply')
        return async () => {
          throw new MemloopError('board-refused', 'no analog products');
        };
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** All cells of an array of `smallProfile`. */
export const wholeArray = (array: number): Area => ({ array, row: 0, column: 0, rows: 8, columns: 8 });

/** The network on a new chip, whose neurons are taken at their word; `board.close()` is the caller's. */
export async function smallChip(
  profile: Profile,
  seed: number,
  { network, scales }: Pick<SmallNetwork, 'network' | 'scales'>,
  { wrap = (board: Board) => board, emit = (() => {}) as Emit } = {},
) {
  const virtual = createVirtualBoard({ profile, seed });
  const port = wrap(await connectBoard(inProcessTransport('virtual:small', virtual)));
  const board = guardBoard(port, { home: temporaryHome() });
  const { boardSerial } = board.description;
  const fit = { parameters: MIF, driveOffset: 0, sigma: { ...MIF, driveOffset: 0 }, residual: 0, noise: 0 };
  const neurons: NeuronCalibration = {
    boardSerial,
    measured: new Date().toISOString(),
    neurons: Array.from({ length: profile.neurons }, () => fit),
  };
  if (profile.neurons > 0) board.passport.saveNeurons(neurons);
  const deployment = await Deployment.open(
    { board, emit, signal: new AbortController().signal },
    network,
    scales,
  );
  return { virtual, board, deployment };
}
