/** Target conductances from a file. */
import { z } from 'zod';
import type { BoardDescription } from '../../driver/board/board.js';
import { MemloopError } from '../../shared/errors.js';
import { readJson } from '../../shared/json.js';
import { quantity } from '../../shared/text.js';
import type { ConductanceWindow } from '../mapping/mapping.js';

const matrix = z.array(z.array(z.number().nullable()));
/** Rows of numbers (S, null: leave the cell alone), bare or as `memloop read --json` prints them. */
const targetFile = z.union([matrix, z.object({ conductance: matrix })]);

/**
 * The targets of one array: rows × columns, S, NaN for cells to leave alone. Throws `bad-file` or `bad-input`, naming
 * file and cell.
 */
export function readTarget(
  path: string,
  board: Pick<BoardDescription, 'rows' | 'columns'>,
  window: ConductanceWindow,
): Float64Array {
  const data = readJson(path, targetFile, {
    hint: `give ${board.rows} rows of ${board.columns} numbers in siemens, null for cells to leave alone`,
  });
  const rows = 'conductance' in data ? data.conductance : data;
  const ragged = rows.findIndex((row) => row.length !== board.columns);
  if (rows.length !== board.rows || ragged >= 0)
    throw new MemloopError(
      'bad-input',
      `${path} has ${rows.length} rows${ragged >= 0 ? ` and row ${ragged} has ${rows[ragged].length} columns` : ''}, the board's arrays are ${board.rows}×${board.columns}; give one number per cell`,
    );
  return Float64Array.from(rows.flat(), (value, i) => {
    if (value === null) return Number.NaN;
    if (!(value >= window.min && value <= window.max))
      throw new MemloopError(
        'bad-input',
        `${path}: row ${Math.floor(i / board.columns)}, column ${i % board.columns} asks for ${quantity(value, 'S')}, the chip's range is ${quantity(window.min, 'S')} to ${quantity(window.max, 'S')}; keep targets inside it`,
      );
    return value;
  });
}
