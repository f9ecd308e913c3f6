/** V by which a peak must be higher to be e times as likely: of the size of neurons' mismatch, so that it does not saturate. */
const PEAK_SCALE = 5e-3;

/**
 * The loss of fine-tuning: negative log-likelihood of a softmax over each neuron's highest voltage, by which the
 * network decides. Among equal neurons the paper's loss, a mean over time, trains the decision too. Among neurons
 * with mismatch it does not: the right one can be above the others nearly always and still peak lower, and rest
 * potentials that differ would be fought with drives that do nothing for the decision.
 * @param voltages samples × neurons, V, NaN where lost
 * @returns the loss and dLoss/dv, samples × neurons, 1/V; both 0 if a neuron was not heard at all
 */
export function decisionLoss(
  voltages: ArrayLike<number>,
  neurons: number,
  label: number,
): { loss: number; gradient: Float64Array } {
  const gradient = new Float64Array(voltages.length);
  const peaks = new Float64Array(neurons).fill(Number.NEGATIVE_INFINITY);
  const at = new Int32Array(neurons).fill(-1);
  for (let i = 0; i < voltages.length; i++) {
    const neuron = i % neurons;
    if (voltages[i] > peaks[neuron]) {
      peaks[neuron] = voltages[i];
      at[neuron] = i;
    }
  }
  if (at.includes(-1)) return { loss: 0, gradient };
  const top = Math.max(...peaks);
  const odds = peaks.map((peak) => Math.exp((peak - top) / PEAK_SCALE));
  const sum = odds.reduce((a, b) => a + b, 0);
  for (let j = 0; j < neurons; j++) gradient[at[j]] = (odds[j] / sum - (j === label ? 1 : 0)) / PEAK_SCALE;
  return { loss: Math.log(sum) - (peaks[label] - top) / PEAK_SCALE, gradient };
}
