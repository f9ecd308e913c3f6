/** The frame around each panel, and the pieces that all panels are made of. */
import { Box, Text } from 'ink';
import { createContext, type ReactNode, useContext } from 'react';
import { createPaint, type Paint, type Role } from './drawing/paint.js';
import { Picture } from './drawing/picture.js';

export const PaintContext = createContext<Paint>(createPaint(1));
export const usePaint = (): Paint => useContext(PaintContext);

/** One line of text, cut at the edge. */
export function Line({ children }: { children: string }) {
  return (
    <Box height={1} flexShrink={0}>
      <Text wrap="truncate-end">{children || ' '}</Text>
    </Box>
  );
}

/** Lines of text one below the other, each cut at the edge. */
export function Lines({ lines }: { lines: readonly string[] }) {
  // biome-ignore lint/suspicious/noArrayIndexKey: a line is its place
  return lines.map((line, y) => <Line key={y}>{line}</Line>);
}

/** What every panel is given: its place and whether keys go to it. Sizes include the frame. */
export interface PanelProps {
  width: number;
  height: number;
  focused: boolean;
}

interface FrameProps extends PanelProps {
  /** In the upper edge; plain text of single-width characters. */
  title: string;
  /** After the title, as many as fit. */
  notes?: readonly string[];
  /** At the right of the lower edge, with the width it takes; left out when it does not fit. */
  caption?: { text: string; width: number };
  /** Marked on the edges, counted from the inside's corner. */
  pointer?: { x: number; y: number } | undefined;
  children: ReactNode;
}

export function Frame({ title, notes = [], caption, pointer, width, height, focused, children }: FrameProps) {
  const paint = usePaint();
  const edge: Role = focused ? 'accent' : 'dim';
  const inside = width - 2;
  const head = title.slice(0, Math.max(0, inside - 4));
  const note = notes.reduce((text, part) => {
    const longer = text ? `${text}, ${part}` : ` ${part}`;
    return head.length + longer.length + 4 <= inside ? longer : text;
  }, '');
  const line = (start: number, length: number, mark: string) =>
    Array.from({ length }, (_, i) => (start + i === pointer?.x ? mark : '─')).join('');
  const used = head.length + note.length + 3;
  const top =
    paint(edge, '╭─ ') +
    paint(focused ? 'accent' : 'strong', head) +
    paint('dim', note) +
    paint(edge, ` ${line(used, inside - used, '▼')}╮`);
  const fits = caption && caption.width + 4 <= inside ? caption : undefined;
  const free = fits ? inside - fits.width - 3 : inside;
  const bottom =
    paint(edge, `╰${line(0, free, '▲')}`) + (fits ? ` ${fits.text}${paint(edge, ' ─╯')}` : paint(edge, '╯'));
  const side = (mark: string | undefined) =>
    Array.from({ length: height - 2 }, (_, y) => paint(edge, y === pointer?.y && mark ? mark : '│'));
  return (
    <Box flexDirection="column" width={width} height={height} flexShrink={0}>
      <Line>{top}</Line>
      <Box height={height - 2}>
        <Picture lines={side('▶')} width={1} />
        <Box flexDirection="column" width={inside} height={height - 2} overflow="hidden">
          {children}
        </Box>
        <Picture lines={side(undefined)} width={1} />
      </Box>
      <Line>{bottom}</Line>
    </Box>
  );
}

/** Text in the middle of a panel that has nothing to show yet. */
export function Nothing({ children }: { children: string }) {
  const paint = usePaint();
  return (
    <Box flexGrow={1} justifyContent="center" alignItems="center">
      <Text wrap="truncate-end">{paint('dim', children)}</Text>
    </Box>
  );
}

interface ScaledProps {
  lines: readonly string[];
  top: string;
  bottom: string;
  width: number;
}

/** A plot's lines with the ends of its scale at the left, in `width` columns all told. */
export function Scaled({ lines, top, bottom, width }: ScaledProps) {
  const paint = usePaint();
  const labels = lines.map((_, y) => (y === 0 ? top : y === lines.length - 1 ? bottom : ''));
  const label = labelWidth(top, bottom);
  const scaled = lines.map((line, y) => paint('dim', `${labels[y]?.padStart(label)}│`) + line);
  return <Picture lines={scaled} width={width} />;
}

/** Columns that `Scaled` takes from the width of the plot. */
export const labelWidth = (top: string, bottom: string): number => Math.max(top.length, bottom.length);
