/** The programming reports of several arrays as one. */
import type { FailedCell, ProgrammingReport } from '../../calibration/index.js';

/** What a programming job did. */
export interface ProgrammingSummary {
  /** Cells with a target. */
  cells: number;
  /** Share of them within tolerance at the last read. */
  inTolerance: number;
  pulsesPerCell: number;
  pulses: number;
  failed: FailedCell[];
  /** S, the largest of the arrays'. */
  tolerance: number;
  /** Requests to the board. */
  roundTrips: number;
  /** J, an estimate from the device equations. */
  energy: number;
}

/** Adds up the reports of a job, one per array. */
export function summarise(reports: readonly ProgrammingReport[]): ProgrammingSummary {
  const sum = (pick: (report: ProgrammingReport) => number) => reports.reduce((s, r) => s + pick(r), 0);
  const cells = sum((r) => r.cells);
  const pulses = sum((r) => r.pulses);
  return {
    cells,
    inTolerance: cells === 0 ? 1 : sum((r) => r.inTolerance * r.cells) / cells,
    pulsesPerCell: cells === 0 ? 0 : pulses / cells,
    pulses,
    failed: reports.flatMap((r) => r.failed),
    tolerance: Math.max(0, ...reports.map((r) => r.tolerance)),
    roundTrips: sum((r) => r.roundTrips),
    energy: sum((r) => r.energy),
  };
}

/** A summary in words: one line, and one for each reason why cells failed. */
export function summaryText(summary: ProgrammingSummary): string {
  const { cells, inTolerance, pulsesPerCell, failed, tolerance, roundTrips } = summary;
  const lines = [
    `${(100 * inTolerance).toFixed(2)} % of ${cells} cells within ±${(tolerance * 1e6).toFixed(2)} µS, ${pulsesPerCell.toFixed(2)} pulses per cell, ${roundTrips} round trips`,
  ];
  const reasons = new Map<string, FailedCell[]>();
  for (const cell of failed) reasons.set(cell.reason, [...(reasons.get(cell.reason) ?? []), cell]);
  for (const [reason, list] of reasons) {
    const named = list.slice(0, 8).map((c) => `${c.array}:${c.row},${c.column}`);
    lines.push(
      `${reason}: ${list.length} (array:row,column ${named.join(' ')}${list.length > 8 ? ' …' : ''})`,
    );
  }
  return lines.join('\n');
}
