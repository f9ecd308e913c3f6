import { Box, Text } from 'ink';
import { amount, duration, percent } from '../../shared/text.js';
import type { Paint } from '../drawing/paint.js';
import type { View } from '../keys.js';
import { Line, usePaint } from '../panel.js';
import { type DashboardState, STAGE_NAMES } from '../state.js';

interface HeaderProps {
  state: DashboardState;
  view: View;
  width: number;
  /** 2 leaves the accuracies out. */
  lines: 2 | 3;
  /** 'live', or how a replay runs. */
  mode: string;
}

/** What runs, how far it is, and the three accuracies. */
export function Header({ state, view, width, lines, mode }: HeaderProps) {
  const paint = usePaint();
  const { board } = state;
  return (
    <Box flexDirection="column" width={width} paddingX={1} flexShrink={0}>
      <Sides left={headline(paint, state)} right={condition(paint, state, view, mode)} yields="left" />
      {lines === 3 && (
        <Sides
          left={accuracies(paint, state)}
          right={board ? paint('dim', `${board.boardSerial} on ${board.port}`) : ''}
          yields="right"
        />
      )}
      <Line>{progress(paint, state, width - 2)}</Line>
    </Box>
  );
}

/** Where both do not fit, one side yields. */
function Sides({ left, right, yields }: { left: string; right: string; yields: 'left' | 'right' }) {
  return (
    <Box justifyContent="space-between" columnGap={2} height={1} flexShrink={0}>
      <Box flexShrink={yields === 'left' ? 1 : 0}>
        <Text wrap="truncate-end">{left}</Text>
      </Box>
      <Box flexShrink={yields === 'right' ? 1 : 0}>
        <Text wrap="truncate-end">{right}</Text>
      </Box>
    </Box>
  );
}

function headline(paint: Paint, { run, stage }: DashboardState): string {
  const name = paint('strong', run ? `memloop ${run.command}` : 'memloop');
  if (!stage) return name;
  return `${name}  ${paint('accent', stage.stage)}${stage.detail ? paint('dim', `  ${stage.detail}`) : ''}`;
}

function condition(paint: Paint, state: DashboardState, view: View, mode: string): string {
  const elapsed = duration(state.now - (state.started ?? state.now));
  if (view.quitting) return `${paint('warn', 'stopping')} ${elapsed}`;
  if (view.paused) return `${paint('warn', 'display held')} ${elapsed}`;
  if (state.finished) return `${paint('good', 'finished')} ${elapsed}`;
  if (state.error) return `${paint('bad', 'failed')} ${elapsed}`;
  return `${paint('dim', mode)} ${elapsed}`;
}

function accuracies(paint: Paint, { accuracies }: DashboardState): string {
  return Object.entries(STAGE_NAMES)
    .map(([stage, name]) => {
      const accuracy = accuracies[stage as keyof typeof STAGE_NAMES];
      return `${paint('dim', name)} ${accuracy === undefined ? paint('dim', '–') : paint('strong', percent(accuracy, 1))}`;
    })
    .join('   ');
}

function progress(paint: Paint, state: DashboardState, width: number): string {
  if (!state.progress) return state.error ? paint('bad', state.error) : '';
  const { done, total, units, rate, timeLeft } = state.progress;
  const share = total > 0 ? Math.max(0, Math.min(1, done / total)) : 0;
  const facts = [
    `${Math.floor(share * 100)} %`,
    `${amount(done)}/${amount(total)} ${units}`,
    `${amount(rate)}/s`,
    `${duration(timeLeft)} left`,
  ];
  const text = facts.join('  ');
  const bar = Math.min(60, width - text.length - 2);
  if (bar < 5) return text;
  const full = Math.round(share * bar);
  return `${paint('accent', '━'.repeat(full))}${paint('dim', '─'.repeat(bar - full))}  ${text}`;
}
