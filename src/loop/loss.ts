/** The loss of fine-tuning: the paper's, and the decision's own. */
import { membraneLoss } from '../model/index.js';

/** V by which a peak must be higher to be e times as likely: of the size of neurons' mismatch, so that it does not saturate. */
const PEAK_SCALE = 5e-3;

/**
 * The paper's mean negative log-likelihood over time, plus that of a softmax over each neuron's highest voltage.
 * The network decides by the highest voltage; among equal neurons the paper's loss trains that too, among
 * neurons with mismatch the right one can be above the others nearly always and still peak lower.
 * @param voltages samples × neurons, V, NaN where lost
 * @returns the loss and dLoss/dv, samples × neurons, 1/V
 */
export function decisionLoss(
  voltages: ArrayLike<number>,
  neurons: number,
  label: number,
): { loss: number; gradient: Float64Array } {
  const { loss, gradient } = membraneLoss(voltages, neurons, label);
  const peaks = new Float64Array(neurons).fill(Number.NEGATIVE_INFINITY);
  const at = new Int32Array(neurons).fill(-1);
  for (let i = 0; i < voltages.length; i++) {
    const neuron = i % neurons;
    if (voltages[i] > peaks[neuron]) {
      peaks[neuron] = voltages[i];
      at[neuron] = i;
    }
  }
  if (at.includes(-1)) return { loss, gradient };
  const top = Math.max(...peaks);
  const odds = peaks.map((peak) => Math.exp((peak - top) / PEAK_SCALE));
  const sum = odds.reduce((a, b) => a + b, 0);
  for (let j = 0; j < neurons; j++) gradient[at[j]] += (odds[j] / sum - (j === label ? 1 : 0)) / PEAK_SCALE;
  return { loss: loss + Math.log(sum) - (peaks[label] - top) / PEAK_SCALE, gradient };
}
