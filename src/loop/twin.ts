/** What a passport tells offline training of the chip that a network is for. */
import { type ArrayPassport, checkNeurons, type Passport } from '../calibration/index.js';
import { MemloopError } from '../errors.js';
import type { ChipTwin, NetworkSpec, TrainSettings } from '../model/index.js';
import { commonWindow, READ_VOLTAGE } from './deployment.js';
import { type ConductanceWindow, forEachPair, mapLayers } from './mapping.js';

/** What programming leaves, as a share of the window: `programArray`'s tolerance unless told otherwise. */
const TOLERANCE = 0.02;
/** ADC samples in a point of the converters' residuals over those in a product. */
const SAMPLES = 16 / 4;
/**
 * Weight of the decision's loss: the paper's, a mean over time, would have neurons that rest at different voltages agree,
 * which no drive can make them do.
 */
const DECISION = 10;

export interface TwinTraining {
  twin: ChipTwin;
  /** What the passport says of programming and of reading, for training to draw from. */
  settings: Pick<TrainSettings, 'weightNoise' | 'sumNoise' | 'decision'>;
}

/**
 * The chip of a passport as training needs it for networks of this shape, placed as `Deployment` places them. Throws
 * `calibration` where the neurons or the converters are not known or known no longer, `bad-input` if the chip is too
 * small.
 */
export function twinTraining(passport: Passport, spec: NetworkSpec, now: Date = new Date()): TwinTraining {
  const { description, converters } = passport;
  if (!passport.neurons || !converters)
    throw new MemloopError(
      'calibration',
      `the ${passport.neurons ? 'converters' : 'neurons'} of board ${passport.boardSerial} are not calibrated: run \`memloop calibrate\``,
    );
  const { neurons, measured } = checkNeurons(passport.neurons, description, now);
  const { outputs } = spec.layers.at(-1)!;
  const shapes = spec.layers.map((layer) => ({ ...layer, weightMax: 1, inputMax: 1 }));
  const map = mapLayers(
    shapes,
    { ...description, arrays: description.arraySerials.length },
    { min: 0, max: 1 },
    READ_VOLTAGE,
  );
  const window = commonWindow(passport, map);
  const span = window.max - window.min;
  const limits = map.layers.map((layer) => {
    const low = new Float32Array(layer.inputs * layer.outputs).fill(-1);
    const high = low.map(() => 1);
    forEachPair(map, layer, (weight, array, plus, minus) => {
      const chip = passport.array(array);
      const [p, m] = [reach(chip, plus, window), reach(chip, minus, window)];
      low[weight] = Math.max(-1, (p.min - m.max) / span);
      high[weight] = Math.min(1, (p.max - m.min) / span);
    });
    return { low, high };
  });
  // A sum is the difference of two columns in every tile along its inputs.
  const tiles = Math.max(...map.layers.map(({ tiles }) => new Set(tiles.map((t) => t.inputStart)).size));
  const current = converters.residuals.at(-1)! * Math.sqrt(2 * tiles * SAMPLES);
  return {
    twin: {
      name: `board ${passport.boardSerial}, neurons measured ${measured}`,
      neurons: Array.from({ length: outputs }, (_, n) => {
        const { parameters, sigma } = neurons[n % neurons.length];
        const { driveOffset: _offset, ...known } = sigma;
        return { parameters, sigma: known };
      }),
      limits,
    },
    settings: {
      weightNoise: TOLERANCE * Math.sqrt(2 / 3),
      sumNoise: current / (READ_VOLTAGE * span),
      decision: DECISION,
    },
  };
}

/** The conductances that a cell can be set to, S: all of the window, or where it stands if it does not move. */
function reach(chip: ArrayPassport, cell: number, window: ConductanceWindow): ConductanceWindow {
  const health = chip.unhealthy.get(cell)?.health;
  if (health === undefined) return window;
  const known = chip.tables.conductance[cell];
  const stands = Number.isFinite(known) ? known : health === 'stuck high' ? window.max : window.min;
  return { min: stands, max: stands };
}
