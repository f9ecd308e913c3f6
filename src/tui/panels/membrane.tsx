import { Box, Text } from 'ink';
import { si } from '../../shared/text.js';
import { type Curve, letter, plot, within } from '../drawing/plot.js';
import { Frame, Lines, labelWidth, Nothing, type PanelProps, Scaled, usePaint } from '../panel.js';
import type { DashboardState, Range } from '../state.js';

const TITLE = '2 membrane';
const LEGEND = 12;

/** The neurons' membrane voltages in the newest run. */
export function Membrane({ state, ...panel }: PanelProps & { state: DashboardState }) {
  const paint = usePaint();
  const { membrane, membraneRanges } = state;
  if (!membrane || membraneRanges.length === 0) {
    return (
      <Frame {...panel} title={TITLE}>
        <Nothing>no run of the neurons yet</Nothing>
      </Frame>
    );
  }
  const membraneRange: Range = [
    Math.min(...membraneRanges.map(([least]) => least)),
    Math.max(...membraneRanges.map(([, most]) => most)),
  ];
  const width = panel.width - 2;
  const height = panel.height - 2;
  const neurons = membrane.voltages.length;
  const samples = Math.max(...membrane.voltages.map((trace) => trace.length));
  const beside = width >= 44 && height > neurons;
  const [bottom, top] = membraneRange.map((v) => si(v, 'V')) as [string, string];
  const lines = plot(curvesOf(membrane.voltages, membraneRange, membrane.decision), {
    width: width - labelWidth(top, bottom) - 1 - (beside ? LEGEND : 0),
    height: beside ? height : height - 1,
    paint,
    letters: paint.depth === 1,
  });
  const name = (neuron: number, text: string) => {
    const coloured = paint.series(neuron, text);
    return neuron === membrane.decision ? paint('strong', coloured) : coloured;
  };
  const mark = (neuron: number) =>
    neuron === membrane.decision ? '◀' : neuron === membrane.label ? '◁' : ' ';
  const time = si(samples * membrane.samplePeriod, 's');
  return (
    <Frame
      {...panel}
      title={TITLE}
      notes={verdict(state)}
      caption={{ text: paint('dim', time), width: time.length }}
    >
      <Box>
        <Scaled lines={lines} top={top} bottom={bottom} width={width - (beside ? LEGEND : 0)} />
        {beside && (
          <Box flexDirection="column" width={LEGEND} paddingLeft={1}>
            <Lines
              lines={membrane.voltages.map(
                (trace, neuron) => `${name(neuron, letter(neuron))}${mark(neuron)}${peak(trace).padStart(8)}`,
              )}
            />
          </Box>
        )}
      </Box>
      {!beside && (
        <Text wrap="truncate-end">
          {membrane.voltages.map((_, neuron) => `${name(neuron, letter(neuron))}${mark(neuron)}`).join(' ')}
        </Text>
      )}
    </Frame>
  );
}

/** The decision's curve lies on top. */
function curvesOf(
  voltages: readonly (readonly (number | null)[])[],
  range: Range,
  decision?: number,
): Curve[] {
  const curves = voltages.map((trace, series) => ({
    series,
    points: trace.map((v, i) =>
      v === null ? null : ([i / Math.max(1, trace.length - 1), within(v, range)] as const),
    ),
  }));
  return curves.sort((a, b) => Number(a.series === decision) - Number(b.series === decision));
}

const peak = (trace: readonly (number | null)[]): string => {
  const most = trace.reduce<number>((best, v) => (v !== null && v > best ? v : best), -Infinity);
  return si(most, 'V');
};

function verdict({ membrane, decisions }: DashboardState): string[] {
  if (!membrane) return [];
  const { run, label, decision } = membrane;
  const parts = [`run ${run}`];
  if (decision !== undefined && label !== undefined) {
    parts.push(label === decision ? `${label} ✓` : `${label} taken for ${decision} ✗`);
  } else if (decision !== undefined) parts.push(`decides ${decision}`);
  if (decisions.length >= 10) {
    const right = decisions.filter(Boolean).length;
    parts.push(`${Math.round((right / decisions.length) * 100)} % of ${decisions.length}`);
  }
  return parts;
}
