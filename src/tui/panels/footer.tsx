import { Box } from 'ink';
import { KEYS, type View } from '../keys.js';
import { Line, usePaint } from '../panel.js';
import type { DashboardState } from '../state.js';

/** The keys that can be pressed, or why the last one did nothing. Keys without effect now are pale, or in brackets. */
export function Footer({ state, view, width }: { state: DashboardState; view: View; width: number }) {
  const paint = usePaint();
  const hints = KEYS.flatMap((key) => {
    if (!key.hint) return [];
    const [shown, word] = key.hint;
    return key.enabled(view, state) === true
      ? [`${paint('accent', shown)} ${word}`]
      : [paint('dim', paint.depth === 1 ? `(${shown} ${word})` : `${shown} ${word}`)];
  });
  return (
    <Box width={width} paddingX={1} flexShrink={0}>
      <Line>{view.notice ? paint('warn', view.notice) : hints.join('  ')}</Line>
    </Box>
  );
}
