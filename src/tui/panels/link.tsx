import { Box, Text } from 'ink';
import { amount, si } from '../../shared/text.js';
import { sparkline } from '../drawing/plot.js';
import { Frame, Nothing, type PanelProps, usePaint } from '../panel.js';
import type { DashboardState } from '../state.js';

const TITLE = '4 link';

/** Health of the link to the board: first what goes wrong. */
export function Link({ state, ...panel }: PanelProps & { state: DashboardState }) {
  const paint = usePaint();
  if (!state.link) {
    return (
      <Frame {...panel} title={TITLE}>
        <Nothing>no board yet</Nothing>
      </Frame>
    );
  }
  const { latest, roundTrips, sending, receiving } = state.link;
  // What the state and the round trip leave of the first line.
  const trend = Math.max(6, Math.min(60, panel.width - 34));
  const item = (name: string, value: string, bad = false) =>
    `${paint('dim', name)} ${bad ? paint('warn', value) : value}`;
  const count = (name: string, n: number) => item(name, amount(n), n > 0);
  const up = latest.state === 'connected';
  const items = [
    `${paint(up ? 'good' : latest.state === 'closed' ? 'dim' : 'bad', `${up ? '●' : '○'} ${latest.state}`)}`,
    `${item('round trip', si(latest.roundTrip, 's'))} ${paint('accent', sparkline(roundTrips, trend))}`,
    count('retries', latest.retries),
    count('bad CRC', latest.crcErrors),
    count('lost samples', latest.lostSamples),
    count('unknown pulses', state.pulses.unknown),
    count('duplicates', latest.duplicates),
    item('window', String(latest.inFlight)),
    item('requests', amount(latest.requests)),
    item('pulses', amount(state.pulses.applied)),
    item('out', si(sending, 'B/s')),
    item('in', si(receiving, 'B/s')),
  ];
  return (
    <Frame {...panel} title={TITLE}>
      <Box flexWrap="wrap" columnGap={2} height={panel.height - 2} overflow="hidden">
        {items.map((text) => (
          <Box key={text} height={1} flexShrink={0}>
            <Text wrap="truncate-end">{text}</Text>
          </Box>
        ))}
      </Box>
    </Frame>
  );
}
