/** What the crossbar's lines are connected to, and what its cells therefore see. */
import { COLUMNS, ROWS, SWITCHES, type SwitchGroup } from '../../../firmware-protocol/generated/wiring.js';

/** Connections and voltages at one moment; a line that nothing drives is NaN. */
export interface Lines {
  /** V against the virtual ground. */
  readonly rows: Float64Array;
  readonly columns: Float64Array;
  /** Rows behind the series resistor, one bit each. */
  series: number;
  /** Columns at the virtual ground of a meter, one bit each. */
  metered: number;
}

const place = Object.fromEntries(SWITCHES.map((name, i) => [name, i])) as Record<SwitchGroup, number>;
export const group = (closed: Uint8Array, name: SwitchGroup): number => closed[place[name]];

const bit = (mask: number, n: number): boolean => ((mask >> n) & 1) === 1;

/** A meter holds a column at the virtual ground; a DAC on the same column is stronger. */
export function linesOf(
  closed: Uint8Array,
  row: (n: number) => number,
  column: (n: number) => number,
): Lines {
  const direct = group(closed, 'ROW_DIRECT');
  const series = group(closed, 'ROW_SERIES');
  const metered = group(closed, 'COLUMN_TO_METER');
  const biased = group(closed, 'COLUMN_TO_BIAS');
  const driven = (mask: number, n: number, voltage: number) => (bit(mask, n) ? voltage : Number.NaN);
  return {
    rows: Float64Array.from({ length: ROWS }, (_, r) => driven(direct | series, r, row(r))),
    columns: Float64Array.from({ length: COLUMNS }, (_, c) =>
      bit(biased, c) ? column(c) : driven(metered, c, 0),
    ),
    series: series & ~direct,
    metered: metered & ~biased,
  };
}

/** Voltage over each cell, V; 0 where one of its lines floats. */
export function across({ rows, columns }: Lines): Float64Array {
  return Float64Array.from(
    { length: ROWS * COLUMNS },
    (_, i) => rows[Math.floor(i / COLUMNS)] - columns[i % COLUMNS] || 0,
  );
}

/** A cell counts as selected when it sees so many times what any other does. */
const SELECTED = 1.5;

/** The cell that a pulse is on: the one behind the series resistor that sees most. */
export function selected(lines: Lines, voltages: Float64Array): { row: number; column: number } | undefined {
  let most = 0;
  for (let i = 1; i < voltages.length; i++) if (Math.abs(voltages[i]) > Math.abs(voltages[most])) most = i;
  const row = Math.floor(most / COLUMNS);
  const highest = Math.abs(voltages[most]);
  const others = voltages.reduce((top, v, i) => (i === most ? top : Math.max(top, Math.abs(v))), 0);
  const alone = bit(lines.series, row) && highest > SELECTED * others;
  return alone ? { row, column: most % COLUMNS } : undefined;
}
