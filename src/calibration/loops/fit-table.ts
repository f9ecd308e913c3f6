import { FITTED, type Fit, type FittedName } from './fit-report.js';

/** The parameters of fits with their uncertainties as text, one block per fit, and the NRMSE of all. */
export function fitTable(fits: readonly Fit[]): string {
  const units: Record<FittedName, [scale: number, unit: string]> = {
    ron: [1e-3, 'kΩ'],
    roff: [1e-3, 'kΩ'],
    von: [1e3, 'mV'],
    voff: [1e3, 'mV'],
    tau: [1e6, 'µs'],
    vt: [1e3, 'mV'],
    alpha: [1e9, 'nA'],
    beta: [1, '1/V'],
    voltageOffset: [1e3, 'mV'],
    currentOffset: [1e9, 'nA'],
  };
  return fits
    .map((fit) => {
      const values: Record<FittedName, number> = {
        ...fit.parameters,
        voltageOffset: fit.offsets.voltage,
        currentOffset: fit.offsets.current,
      };
      const each = FITTED.map((name) => {
        const [scale, unit] = units[name];
        return `${name} ${Number((values[name] * scale).toPrecision(4))} ± ${Number((fit.uncertainty[name] * scale).toPrecision(2))} ${unit}`;
      });
      return [
        ...fit.loops.map(
          (name, i) =>
            `${name}: NRMSE ${(100 * fit.nrmse[i]).toFixed(2)} %${i === 0 ? `, ${fit.class}` : ''}`,
        ),
        `  ${each.slice(0, 6).join(', ')}`,
        `  ${each.slice(6).join(', ')}`,
      ].join('\n');
    })
    .concat(
      `median NRMSE ${(100 * median(fits.flatMap(({ nrmse }) => nrmse))).toFixed(2)} %, largest ${(100 * Math.max(...fits.flatMap(({ nrmse }) => nrmse))).toFixed(2)} %`,
    )
    .join('\n');
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
}
