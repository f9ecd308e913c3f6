// Program a matrix of conductances onto an array, by write-verify, and read it back.
//
//     node examples/program-matrix.mjs [PORT]
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBoard } from 'memloop';
import { arrayWindow, calibratedBoard, programArray } from 'memloop/calibration';

// What is known of a chip is kept here. Leave this line out for a real chip: its passport belongs in the data folder.
process.env.MEMLOOP_HOME ??= mkdtempSync(join(tmpdir(), 'memloop-example-'));

const emit = (event) => {
  if (event.type === 'progress') process.stderr.write(`\r${event.stage} ${event.done}/${event.total}   `);
};
const board = await openBoard(process.argv[2] ?? 'virtual:w-sdc-8x8x4?seed=7', { emit });
try {
  const array = 0;
  const { rows, columns } = board.description;
  // Corrects converters; calibrates them first where the passport has no fresh calibration. No pulse.
  const calibrated = await calibratedBoard(board, { emit });

  // A ramp over the conductances that nearly all cells of the array can be brought to, S, row by row.
  const { low, high } = arrayWindow(board.passport.array(array));
  const targets = Float64Array.from(
    { length: rows * columns },
    (_, i) => low + ((high - low) * i) / (rows * columns - 1),
  );
  const report = await programArray(calibrated, array, targets, { emit });

  const { inTolerance, pulsesPerCell, tolerance, failed, conductance } = report;
  console.log(
    `\n${(100 * inTolerance).toFixed(1)} % of ${report.cells} cells within ±${(1e6 * tolerance).toFixed(2)} µS, ` +
      `${pulsesPerCell.toFixed(2)} pulses per cell`,
  );
  for (const { row, column, reason } of failed) console.log(`row ${row} column ${column}: ${reason}`);
  for (let r = 0; r < rows; r++)
    console.log(
      Array.from(conductance.subarray(r * columns, (r + 1) * columns), (g) => (1e6 * g).toFixed(1)).join(
        '\t',
      ),
    );
} finally {
  await board.close();
}
