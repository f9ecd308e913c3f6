import { duration } from '../../shared/text.js';
import { Frame, Line, type PanelProps, usePaint } from '../panel.js';
import type { DashboardState, LogEntry } from '../state.js';

const MARKS = { info: '', warning: '! ', error: '✗ ' } as const;
const ROLES = { info: undefined, warning: 'warn', error: 'bad' } as const;

/** What happened, newest at the bottom. */
export function Log({ state, scroll, ...panel }: PanelProps & { state: DashboardState; scroll: number }) {
  const paint = usePaint();
  const height = panel.height - 2;
  const end = Math.max(Math.min(height, state.log.length), state.log.length - scroll);
  const shown = state.log.slice(Math.max(0, end - height), end);
  const line = ({ level, time, text }: LogEntry) => {
    const role = ROLES[level];
    const message = `${MARKS[level]}${text}`;
    const since = duration(time - (state.started ?? time)).padStart(5);
    return `${paint('dim', since)}  ${role ? paint(role, message) : message}`;
  };
  return (
    <Frame
      {...panel}
      title="5 log"
      notes={end < state.log.length ? [`${state.log.length - end} newer below`] : []}
    >
      {shown.map((entry) => (
        <Line key={entry.sequence}>{line(entry)}</Line>
      ))}
    </Frame>
  );
}
