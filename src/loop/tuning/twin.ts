/** What a passport tells offline training about the chip that a network is trained for. */
import { type ArrayPassport, checkNeurons, type Passport } from '../../calibration/index.js';
import {
  type ChipTwin,
  layerMatrix,
  type MifParameters,
  type NetworkSpec,
  type TrainSettings,
} from '../../model/index.js';
import { MemloopError } from '../../shared/errors.js';
import { PROGRAMMING_ERROR } from '../chip/scales.js';
import {
  type ConductanceWindow,
  clamp,
  commonWindow,
  forEachPair,
  mapLayers,
  READ_VOLTAGE,
} from '../mapping/mapping.js';

/** Ratio of the ADC samples behind a point of the converters' residuals to those behind a product. */
const SAMPLES = 16 / 4;
/**
 * Weight of the decision's loss. The paper's loss, a mean over time, would make neurons agree that rest at different
 * voltages, which no drive can do.
 */
const DECISION = 10;
/** Standard deviations of what is known exactly. */
const EXACT: MifParameters = {
  capacitance: 0,
  e1: 0,
  e2: 0,
  k: 0,
  voff: 0,
  von: 0,
  roff: 0,
  ron: 0,
  tau: 0,
  tauAlpha: 0,
};

export interface TwinTraining {
  twin: ChipTwin;
  /** Noise of programming and reading as the passport tells them, for training to draw from. */
  settings: Pick<TrainSettings, 'weightNoise' | 'sumNoise' | 'decision'>;
}

/**
 * The chip of a passport as offline training needs it, for networks of this shape, placed as `Deployment` places them.
 * Throws `calibration` if neurons or converters were not calibrated or too long ago, `bad-input` if the chip is too small.
 *
 * @param scales those of a network that is mapped already, one entry per layer.
 */
export function twinTraining(
  passport: Passport,
  spec: NetworkSpec,
  scales?: readonly { weightMax: number }[],
  now: Date = new Date(),
): TwinTraining {
  const { description, converters } = passport;
  const { neurons, measured } = neuronsOf(passport, spec, now);
  // Converters that no reference tells of are taken as exact.
  const exact = description.references?.length === 0;
  if (!converters && !exact) throw uncalibrated(passport, 'converters');
  const shapes = spec.layers.map((layer) => ({ ...layerMatrix(layer), weightMax: 1, inputMax: 1 }));
  const map = mapLayers(
    shapes,
    { ...description, arrays: description.arraySerials.length },
    { min: 0, max: 1 },
    READ_VOLTAGE,
  );
  const window = commonWindow(passport, map);
  const span = window.max - window.min;
  const limits = map.layers.map((layer, l) => {
    const low = new Float32Array(layer.inputs * layer.outputs).fill(-1);
    const high = low.map(() => 1);
    forEachPair(map, layer, (weight, array, plus, minus) => {
      const chip = passport.array(array);
      const [p, m] = [reach(chip, plus, minus, window), reach(chip, minus, plus, window)];
      low[weight] = clamp((p.min - m.max) / span, -1, 1);
      high[weight] = clamp((p.max - m.min) / span, -1, 1);
    });
    const weightMax = scales?.[l].weightMax;
    return { low, high, ...(weightMax !== undefined && { weightMax }) };
  });
  // A sum is the difference of two columns in every tile along its inputs.
  const tiles = Math.max(
    ...map.layers.map(({ outputs, tiles }) => {
      const parts = new Uint32Array(outputs);
      for (const { outputStart, outputCount } of tiles)
        for (let j = 0; j < outputCount; j++) parts[outputStart + j]++;
      return Math.max(0, ...parts);
    }),
  );
  const current = (converters?.residuals.at(-1) ?? 0) * Math.sqrt(2 * tiles * SAMPLES);
  return {
    twin: {
      name: `board ${passport.boardSerial}, neurons ${measured}`,
      neurons,
      limits,
    },
    settings: {
      weightNoise: PROGRAMMING_ERROR,
      sumNoise: current / (READ_VOLTAGE * span),
      decision: DECISION,
    },
  };
}

const uncalibrated = ({ boardSerial }: Passport, what: 'converters' | 'neurons') =>
  new MemloopError(
    'calibration',
    `the ${what} of board ${boardSerial} are not calibrated: run \`memloop calibrate\``,
  );

/** The output neurons: measured ones, or on a board that has none the network's own, of the host. */
function neuronsOf(
  passport: Passport,
  spec: NetworkSpec,
  now: Date,
): { neurons: ChipTwin['neurons']; measured: string } {
  const { outputs } = spec.layers.at(-1)!;
  if (passport.description.neurons === 0) {
    const own = { parameters: spec.neuron, sigma: EXACT };
    return { neurons: Array.from({ length: outputs }, () => own), measured: 'of the host' };
  }
  if (!passport.neurons) throw uncalibrated(passport, 'neurons');
  const { neurons, measured } = checkNeurons(passport.neurons, passport.description, now);
  return {
    neurons: Array.from({ length: outputs }, (_, n) => {
      const { parameters, sigma } = neurons[n % neurons.length];
      const { driveOffset: _offset, ...known } = sigma;
      return { parameters, sigma: known };
    }),
    measured: `measured ${measured}`,
  };
}

/**
 * The conductances that a cell can be set to, S: the window; beyond it, if its partner is stuck; or the only one, if it
 * is stuck itself.
 */
function reach(
  chip: ArrayPassport,
  cell: number,
  partner: number,
  window: ConductanceWindow,
): ConductanceWindow {
  const health = chip.unhealthy.get(cell)?.health;
  if (health === undefined)
    return chip.unhealthy.has(partner) ? { ...window, max: window.reach ?? window.max } : window;
  const known = chip.tables.conductance[cell];
  const stands = Number.isFinite(known) ? known : health === 'stuck high' ? window.max : window.min;
  return { min: stands, max: stands };
}
