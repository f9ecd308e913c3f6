/** Energy and latency of an inference, by part: from measured conductances and membrane voltages, and from figures that are given. */
import { z } from 'zod';
import { type MifParameters, mifConductance, mifStepper, restState } from '../../model/index.js';
import { readJson } from '../../shared/json.js';
import type { Area } from '../mapping/mapping.js';

const figure = (meaning: string) => z.number().nonnegative().optional().describe(meaning);

/** What no measurement tells: figures of the hardware that is meant. What is left out is not counted. */
const costFigures = z.strictObject({
  segment: figure('resistance of a line between two neighbouring cells, Ω'),
  rowDac: figure('energy of setting a row driver once, J'),
  columnAdc: figure('energy of one sample of a column current, J'),
  driveDac: figure('energy of setting a neuron’s drive once, J'),
  membraneAdc: figure('energy of one sample of a membrane voltage, J'),
});
export type CostFigures = z.infer<typeof costFigures>;

/** Throws `bad-file` for a file that cannot be read or has other fields. */
export const readCostFigures = (path: string): CostFigures =>
  readJson(path, costFigures, {
    hint: 'give segment (Ω) and rowDac, columnAdc, driveDac, membraneAdc (J each time), or some of them',
  });

/** Mean of one inference. */
export interface InferenceCost {
  /** J; the sum of the parts that are counted. */
  energy: number;
  /** s, of the arrays and the board's neurons one after the other, without link and host. */
  latency: number;
  /** J; absent: not counted, as no figure is given. */
  parts: { cells: number; neurons: number; wires?: number; converters?: number };
  /** Vectors that an array multiplied, and runs of the board's neurons. */
  products: number;
  runs: number;
}

/** One vector in so many is looked at. */
const EVERY = 16;

/** Adds up what a board does, for the mean of many inferences. */
export class CostMeter {
  #products = 0;
  #looked = 0;
  /** J, of the vectors looked at: what their rows deliver, and what lines take of it for 1 Ω a segment. */
  #delivered = 0;
  #lines = 0;
  /** J, of the neurons of images looked at. */
  #neurons = 0;
  #images = 0;

  /** A vector, V, on an area of an array of so many columns with these conductances, S, for `time`, s. */
  product(
    area: Area,
    voltages: Float32Array,
    conductance: Float64Array,
    columns: number,
    time: number,
  ): void {
    if (this.#products++ % EVERY !== 0) return;
    this.#looked++;
    const down = new Float64Array(area.columns);
    const across = new Float64Array(area.columns);
    for (let r = 0; r < area.rows; r++) {
      const v = voltages[r];
      const first = (area.row + r) * columns + area.column;
      for (let c = 0; c < area.columns; c++) across[c] = v * (conductance[first + c] || 0);
      let onward = 0;
      for (let c = area.columns - 1; c >= 0; c--) {
        onward += across[c];
        down[c] += across[c];
        this.#lines += time * (onward * onward + down[c] * down[c]);
      }
      this.#delivered += time * v * onward;
      // The way to the area's first column.
      this.#lines += time * area.column * onward * onward;
    }
    // The way from the area's last row to the meters.
    const below = columns > 0 ? conductance.length / columns - area.row - area.rows : 0;
    for (const current of down) this.#lines += time * below * current * current;
  }

  /** The neurons of one image: membrane voltages, V, samples × neurons, NaN where lost. */
  neurons(parameters: readonly MifParameters[], voltages: Float32Array, samplePeriod: number): void {
    parameters.forEach((p, n) => {
      this.#neurons += neuronEnergy(p, voltages, n, parameters.length, samplePeriod);
    });
  }

  /** `neurons` has been told of all layers of one image. */
  image(): void {
    this.#images++;
  }

  /** The mean of so many inferences. */
  cost(inferences: number, board: BoardUse, figures: CostFigures = {}): InferenceCost {
    const products = this.#products / inferences;
    const each = products / Math.max(1, this.#looked);
    const { segment, rowDac = 0, columnAdc = 0, driveDac = 0, membraneAdc = 0 } = figures;
    const wires = segment === undefined ? undefined : segment * this.#lines * each;
    const converters =
      products * (board.rows * rowDac + board.columns * board.samples * columnAdc) +
      board.drives * driveDac +
      board.membraneSamples * membraneAdc;
    const parts = {
      cells: this.#delivered * each - (wires ?? 0),
      neurons: this.#neurons / Math.max(1, this.#images),
      ...(wires !== undefined && { wires }),
      ...(converters > 0 && { converters }),
    };
    const energy = Object.values(parts).reduce((sum, part) => sum + part, 0);
    const latency = products * board.productTime + board.runs * board.runTime;
    return { energy, latency, parts, products, runs: board.runs };
  }
}

/** What one product and the neurons of one inference take of a board. */
export interface BoardUse {
  rows: number;
  columns: number;
  /** ADC samples of a column in a product. */
  samples: number;
  /** Of a product, s. */
  productTime: number;
  /** Runs of the board's neurons, and the time of each, s. */
  runs: number;
  runTime: number;
  /** How often the drive of a neuron is set, and how many membrane samples are taken. */
  drives: number;
  membraneSamples: number;
}

/**
 * What a neuron's two memristors turn into heat, J: their states follow from the membrane voltage by their own equation. A
 * neuron ends near where it began, so that its capacitor keeps next to nothing.
 */
function neuronEnergy(
  p: MifParameters,
  voltages: Float32Array,
  n: number,
  neurons: number,
  period: number,
): number {
  const stepper = mifStepper(p, 'exponential', period);
  let state = restState(p);
  let energy = 0;
  for (let i = n; i < voltages.length; i += neurons) {
    const { x1, x2 } = stepper.relax(state);
    const v = Number.isNaN(voltages[i]) ? state.v : voltages[i];
    state = { ...state, v, x1, x2 };
    const power = mifConductance(p, x1) * (v - p.e1) ** 2 + mifConductance(p, x2) * (v - p.e2) ** 2;
    energy += power * period;
  }
  return energy;
}
