import { Box } from 'ink';
import { percent } from '../../shared/text.js';
import { type Curve, plot, within } from '../drawing/plot.js';
import { Frame, Line, labelWidth, Nothing, type PanelProps, Scaled, usePaint } from '../panel.js';
import type { DashboardState, Range, TrainingPoint } from '../state.js';

const TITLE = '3 training';

/** Accuracy and loss of the training, offline and then in the loop, side by side. */
export function Curves({ state, ...panel }: PanelProps & { state: DashboardState }) {
  const latest = state.training.at(-1);
  if (!latest) {
    return (
      <Frame {...panel} title={TITLE}>
        <Nothing>no training yet</Nothing>
      </Frame>
    );
  }
  const width = panel.width - 2;
  const height = panel.height - 2;
  const left = Math.ceil((width - 1) / 2);
  const known = state.training.filter(({ accuracy }) => accuracy !== undefined);
  const most = Math.max(...state.training.map(({ loss }) => loss).filter(Number.isFinite), Number.MIN_VALUE);
  const accuracy = known.at(-1)?.accuracy;
  const epoch = Number.isInteger(latest.epoch) ? latest.epoch : latest.epoch.toFixed(1);
  return (
    <Frame {...panel} title={TITLE} notes={[`epoch ${epoch}/${latest.epochs}`, latest.phase]}>
      <Box columnGap={1}>
        <Plot
          heading={`accuracy ${accuracy === undefined ? '' : percent(accuracy, 1)}`}
          series={2}
          points={known.map((point) => ({ ...point, value: point.accuracy as number }))}
          range={[0, 1]}
          labels={['100%', '0']}
          width={left}
          height={height}
        />
        <Plot
          heading={`loss ${latest.loss.toPrecision(3)}`}
          series={1}
          points={state.training.map((point) => ({ ...point, value: point.loss }))}
          range={[0, most]}
          labels={[most.toPrecision(2), '0']}
          width={width - left - 1}
          height={height}
        />
      </Box>
    </Frame>
  );
}

interface PlotProps {
  heading: string;
  series: number;
  points: readonly (TrainingPoint & { value: number })[];
  range: Range;
  labels: readonly [top: string, bottom: string];
  width: number;
  height: number;
}

function Plot({ heading, series, points, range, labels, width, height }: PlotProps) {
  const paint = usePaint();
  const [top, bottom] = labels;
  const curves = phases(points).map(
    (phase, i, all): Curve => ({
      series,
      points: phase.map(({ epoch, epochs, value }) => {
        const share = epochs > 0 ? Math.min(1, epoch / epochs) : 0;
        return Number.isFinite(value) ? ([(i + share) / all.length, within(value, range)] as const) : null;
      }),
    }),
  );
  const lines = plot(curves, { width: width - labelWidth(top, bottom) - 1, height: height - 1, paint });
  return (
    <Box flexDirection="column" width={width}>
      <Line>{paint.series(series, heading)}</Line>
      <Scaled lines={lines} top={top} bottom={bottom} width={width} />
    </Box>
  );
}

/** Each phase gets its part of the width from the start, so that a curve grows without being squeezed. */
function phases<T extends TrainingPoint>(points: readonly T[]): T[][] {
  const parts: T[][] = [];
  for (const point of points) {
    const part = parts.at(-1);
    if (part?.[0]?.phase === point.phase) part.push(point);
    else parts.push([point]);
  }
  return parts;
}
