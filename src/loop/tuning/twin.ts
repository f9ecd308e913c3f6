/** What a passport tells offline training of the chip that a network is for. */
import { type ArrayPassport, checkNeurons, type Passport } from '../../calibration/index.js';
import type { ChipTwin, NetworkSpec, TrainSettings } from '../../model/index.js';
import { MemloopError } from '../../shared/errors.js';
import {
  type ConductanceWindow,
  clamp,
  commonWindow,
  forEachPair,
  mapLayers,
  READ_VOLTAGE,
} from '../chip/mapping.js';

/**
 * Standard deviation of a weight as programmed, as a share of the largest: two cells anywhere within `programArray`'s
 * usual tolerance of 2 % of the window.
 */
export const PROGRAMMING_ERROR = 0.02 * Math.sqrt(2 / 3);
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
 * The chip of a passport as training needs it for networks of this shape, placed as `Deployment` places them; `scales` are
 * those of a network that is mapped already. Throws `calibration` where the neurons or the converters are not known or
 * known no longer, `bad-input` if the chip is too small.
 */
export function twinTraining(
  passport: Passport,
  spec: NetworkSpec,
  scales?: readonly { weightMax: number }[],
  now: Date = new Date(),
): TwinTraining {
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
      weightNoise: PROGRAMMING_ERROR,
      sumNoise: current / (READ_VOLTAGE * span),
      decision: DECISION,
    },
  };
}

/** The conductances that a cell can be set to, S: the window and, for a stuck one's partner, beyond; or where it stands. */
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
