import type { FailureReason } from '../programming/report.js';
import type { MeasuredLoop } from './loop-model.js';

/**
 * Health of the device as one loop shows it. `low` and `high` are its conductances (S) at the loop's lowest and highest
 * state. Stuck: hardly any hysteresis (both lobes below 5 % of their rectangles); stuck low if `high` is below 10 µS.
 * Write fails: `high` is below 5 µS. Erase fails: `low` is above two thirds of `high`.
 */
export function classify(
  loop: Pick<MeasuredLoop, 'voltage' | 'current'>,
  low: number,
  high: number,
): 'pass' | FailureReason {
  const { lobeOn, lobeOff } = lobes(loop);
  if (lobeOn < 0.05 && lobeOff < 0.05) return high < 1e-5 ? 'stuck low' : 'stuck high';
  if (high < 5e-6) return 'write fails';
  if (low > high / 1.5) return 'erase fails';
  return 'pass';
}

/** Area of the loop in each polarity, as a share of the rectangle around it: 0 for a resistor. */
export function lobes({ voltage, current }: Pick<MeasuredLoop, 'voltage' | 'current'>): {
  lobeOn: number;
  lobeOff: number;
} {
  const area = { on: 0, off: 0 };
  const n = voltage.length;
  for (let i = 0; i < n; i++) {
    const j = (i + 1) % n;
    const part = ((current[i] + current[j]) / 2) * (voltage[j] - voltage[i]);
    if (voltage[i] + voltage[j] > 0) area.on += part;
    else area.off += part;
  }
  const peak = (values: Float64Array, sign: number) =>
    values.reduce((m, value) => Math.max(m, sign * value), 0);
  const rectangle = (sign: number) => peak(voltage, sign) * peak(current, sign) || 1;
  return { lobeOn: Math.abs(area.on) / rectangle(1), lobeOff: Math.abs(area.off) / rectangle(-1) };
}
