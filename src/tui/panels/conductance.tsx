import { Box } from 'ink';
import { amount, si } from '../../shared/text.js';
import { dotsIn, heatmap, scaleBar } from '../drawing/heatmap.js';
import type { Paint } from '../drawing/paint.js';
import { Picture } from '../drawing/picture.js';
import type { View } from '../keys.js';
import { Frame, Lines, Nothing, type PanelProps, usePaint } from '../panel.js';
import type { Cell, DashboardState } from '../state.js';

const TITLE = '1 conductance';
/** Columns of the record beside the map, and its lines below. */
const BESIDE = 21;
const BELOW = 2;

/** The map of an array, the cursor and the record of its cell. */
export function Conductance({ state, view, ...panel }: PanelProps & { state: DashboardState; view: View }) {
  const paint = usePaint();
  const array = state.arrays[view.array];
  if (!array || array.rows === 0) {
    return (
      <Frame {...panel} title={TITLE}>
        <Nothing>no board yet</Nothing>
      </Frame>
    );
  }
  const width = panel.width - 2;
  const height = panel.height - 2;
  const below = { width, height: height - BELOW };
  const side = { width: width - BESIDE, height };
  const dots = (room: { width: number; height: number }) => dotsIn(array, room.width, room.height, paint);
  const beside = dots(side) >= dots(below);
  const room = beside ? side : below;
  const range = state.conductanceRange ?? [0, 0];
  const map = heatmap(array, { ...room, range, cursor: view, paint });
  const { block } = map;
  const shrunk = block.rows * block.columns > 1 ? [`dot ${block.rows}×${block.columns}`] : [];
  const cell = array.cells[view.row]?.[view.column] as Cell;
  return (
    <Frame
      {...panel}
      title={TITLE}
      notes={[`${view.array + 1}/${state.arrays.length}`, `${array.rows}×${array.columns}`, ...shrunk]}
      caption={caption(paint, state, array.counts.failed)}
      pointer={map.cursor}
    >
      <Box flexDirection={beside ? 'row' : 'column'} columnGap={1} height={height}>
        <Box width={beside ? side.width : width} flexGrow={1} flexShrink={0}>
          <Picture lines={map.lines} width={map.width} />
        </Box>
        <Box flexDirection="column" width={beside ? BESIDE - 1 : width} flexShrink={0}>
          <Lines lines={(beside ? tall : flat)(paint, view, cell)} />
        </Box>
      </Box>
    </Frame>
  );
}

const BAR = 6;

function caption(paint: Paint, state: DashboardState, failed: number): { text: string; width: number } {
  if (!state.conductanceRange) return { text: paint('dim', 'nothing read yet'), width: 16 };
  const [least, most] = state.conductanceRange.map((g) => si(g, 'S', 2)) as [string, string];
  const bar = scaleBar(paint, BAR);
  const count = failed > 0 ? `${amount(failed)} failed  ` : '';
  return {
    text: `${paint('bad', count)}${paint('dim', least)} ${bar.text} ${paint('dim', most)}`,
    width: least.length + most.length + 2 + bar.width + count.length,
  };
}

const STATUS_ROLE = { untouched: 'dim', 'in-tolerance': 'good', programming: 'warn', failed: 'bad' } as const;

const resistance = (cell: Cell): string => (cell.conductance ? si(1 / cell.conductance, 'Ω') : '');

const signedPercent = (share: number): string =>
  `${share < 0 ? '−' : '+'}${Math.abs(share * 100).toFixed(1)} %`;

const deviation = ({ conductance, target }: Cell): string =>
  conductance === null || !target ? '' : signedPercent(conductance / target - 1);

const status = (paint: Paint, cell: Cell): string =>
  paint(STATUS_ROLE[cell.status], cell.reason ? `${cell.status}: ${cell.reason}` : cell.status);

const pulses = (cell: Cell): string => (cell.pulses === 1 ? '1 pulse' : `${amount(cell.pulses)} pulses`);

function tall(paint: Paint, { row, column }: View, cell: Cell): string[] {
  const target = cell.target === undefined ? [] : [`target ${si(cell.target, 'S')}`, `  ${deviation(cell)}`];
  return [
    paint('strong', `row ${row} column ${column}`),
    si(cell.conductance, 'S'),
    paint('dim', resistance(cell)),
    ...target,
    ...(cell.pulses > 0 ? [pulses(cell), si(cell.energy, 'J')] : []),
    paint(STATUS_ROLE[cell.status], cell.status),
    ...(cell.reason ? [cell.reason] : []),
  ];
}

function flat(paint: Paint, { row, column }: View, cell: Cell): string[] {
  const target = cell.target === undefined ? '' : ` → ${si(cell.target, 'S')} (${deviation(cell)})`;
  const effort = cell.pulses > 0 ? `${pulses(cell)}, ${si(cell.energy, 'J')}, ` : '';
  return [
    `${paint('strong', `r${row} c${column}`)}  ${si(cell.conductance, 'S')}${target}`,
    `${paint('dim', effort)}${status(paint, cell)}`,
  ];
}
