/** The dashboard as a picture of state, view and size; it holds no state of its own. */
import { Box, Text } from 'ink';
import { createPaint, type Depth } from './drawing/paint.js';
import { clamped, type View } from './keys.js';
import { layoutOf, type PanelBox, type Size, SMALLEST } from './layout.js';
import { PaintContext } from './panel.js';
import { Conductance } from './panels/conductance.js';
import { Curves } from './panels/curves.js';
import { Footer } from './panels/footer.js';
import { Header } from './panels/header.js';
import { Help } from './panels/help.js';
import { Link } from './panels/link.js';
import { Log } from './panels/log.js';
import { Membrane } from './panels/membrane.js';
import type { DashboardState } from './state.js';

export interface AppProps {
  state: DashboardState;
  view: View;
  size: Size;
  depth: Depth;
  /** 'live', or how a replay runs. */
  mode: string;
}

export function App({ state, view: chosen, size, depth, mode }: AppProps) {
  const { columns, rows } = size;
  if (columns < SMALLEST.columns || rows < SMALLEST.rows) return <TooSmall {...size} />;
  const view = clamped(chosen, state);
  const { header, bands } = layoutOf(size, view.zoomed ? view.panel : undefined, view.panel);
  const middle = rows - 1 - header - 1;
  const panel = ({ panel: name, width, height }: PanelBox) => {
    const props = { width, height, focused: name === view.panel, state };
    switch (name) {
      case 'conductance':
        return <Conductance key={name} {...props} view={view} />;
      case 'membrane':
        return <Membrane key={name} {...props} />;
      case 'curves':
        return <Curves key={name} {...props} />;
      case 'link':
        return <Link key={name} {...props} />;
      case 'log':
        return <Log key={name} {...props} scroll={view.scroll} />;
    }
  };
  return (
    <PaintContext value={createPaint(depth)}>
      <Box flexDirection="column" width={columns} height={rows - 1}>
        <Header state={state} view={view} width={columns} lines={header} mode={mode} />
        {view.help ? (
          <Help state={state} view={view} width={columns} height={middle} />
        ) : (
          bands.map((band) => (
            <Box key={band[0]?.[0]?.panel}>
              {band.map((stack) => (
                <Box key={stack[0]?.panel} flexDirection="column">
                  {stack.map(panel)}
                </Box>
              ))}
            </Box>
          ))
        )}
        <Footer state={state} view={view} width={columns} />
      </Box>
    </PaintContext>
  );
}

function TooSmall({ columns, rows }: Size) {
  return (
    <Box width={columns} height={Math.max(1, rows - 1)} overflow="hidden">
      <Text wrap="wrap">{`terminal too small: ${columns}×${rows}, needs ${SMALLEST.columns}×${SMALLEST.rows}`}</Text>
    </Box>
  );
}
