import { KEYS, type View } from '../keys.js';
import { Frame, Line, usePaint } from '../panel.js';
import type { DashboardState } from '../state.js';

/** Every key, and why it may not be pressed now. */
export function Help({
  state,
  view,
  width,
  height,
}: {
  state: DashboardState;
  view: View;
  width: number;
  height: number;
}) {
  const paint = usePaint();
  const column = Math.max(...KEYS.map(({ shown }) => shown.length));
  return (
    <Frame title="keys" notes={['? or esc: back']} width={width} height={height} focused>
      {KEYS.map((key) => {
        const enabled = key.enabled(view, state);
        const shown = key.shown.padEnd(column);
        const line =
          enabled === true
            ? ` ${paint('accent', shown)}  ${key.help}`
            : paint('dim', ` ${shown}  ${key.help} (not now: ${enabled})`);
        return <Line key={key.shown}>{line}</Line>;
      })}
    </Frame>
  );
}
