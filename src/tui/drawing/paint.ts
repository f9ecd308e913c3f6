/**
 * Colours, by what the terminal can show: none at depth 1, 16 at depth 4, 256 at depth 8, all at depth 24
 * (bits, as `tty.WriteStream.getColorDepth` counts). At depth 1 no escape code is ever written.
 */
export type Depth = 1 | 4 | 8 | 24;
export type Role = 'strong' | 'dim' | 'accent' | 'good' | 'warn' | 'bad';

/** An exact colour and its neighbour among the 256. Colours are compared by identity. */
export interface Colour {
  readonly rgb: readonly [red: number, green: number, blue: number];
  readonly extended: number;
}

export interface Paint {
  readonly depth: Depth;
  (role: Role, text: string): string;
  /** The colour of the i-th curve or neuron. */
  series(i: number, text: string): string;
  /** Foreground and background of an exact colour; only where depth ≥ 8. */
  on(foreground: Colour | undefined, background: Colour | undefined, text: string): string;
}

/** Codes for 16 and for 256 colours, chosen to be read on dark and on light ground. */
const ROLES: Record<Exclude<Role, 'strong'>, readonly [basic: number, extended: number]> = {
  dim: [90, 245],
  accent: [36, 74],
  good: [32, 71],
  warn: [33, 179],
  bad: [31, 167],
};
const SERIES_BASIC = [36, 33, 32, 35, 34, 31, 96, 93, 92, 95];
const SERIES = [74, 179, 71, 168, 104, 173, 80, 143, 132, 110];

export function createPaint(depth: Depth): Paint {
  const foreground = (basic: number, extended: number, text: string) => {
    if (depth === 1 || text === '') return text;
    return depth === 4 ? `\u001b[${basic}m${text}\u001b[39m` : `\u001b[38;5;${extended}m${text}\u001b[39m`;
  };
  const exact = ({ rgb, extended }: Colour) => (depth === 24 ? `2;${rgb.join(';')}` : `5;${extended}`);
  const paint = (role: Role, text: string) => {
    if (role !== 'strong') return foreground(...ROLES[role], text);
    return depth === 1 ? text : `\u001b[1m${text}\u001b[22m`;
  };
  return Object.assign(paint, {
    depth,
    series: (i: number, text: string) =>
      foreground(SERIES_BASIC[i % SERIES_BASIC.length] as number, SERIES[i % SERIES.length] as number, text),
    on: (front: Colour | undefined, back: Colour | undefined, text: string) => {
      if (depth < 8) return text;
      const open = `${front ? `\u001b[38;${exact(front)}m` : ''}${back ? `\u001b[48;${exact(back)}m` : ''}`;
      return `${open}${text}${front ? '\u001b[39m' : ''}${back ? '\u001b[49m' : ''}`;
    },
  });
}

/** Dark violet to yellow by even steps of brightness, so that it also reads as a ramp of greys. */
const RAMP: readonly Colour['rgb'][] = [
  [68, 12, 92],
  [62, 74, 137],
  [38, 130, 142],
  [53, 183, 121],
  [253, 231, 60],
];
const EXTENDED_RAMP = [53, 54, 55, 61, 31, 30, 36, 35, 71, 77, 113, 149, 185, 227];
const LEVELS = 64;

const HEAT: readonly Colour[] = Array.from({ length: LEVELS }, (_, level) => {
  const share = level / (LEVELS - 1);
  const place = share * (RAMP.length - 1);
  const i = Math.min(RAMP.length - 2, Math.floor(place));
  const [from, to] = [RAMP[i] as Colour['rgb'], RAMP[i + 1] as Colour['rgb']];
  const mix = (k: 0 | 1 | 2) => Math.round(from[k] + (to[k] - from[k]) * (place - i));
  const extended = EXTENDED_RAMP[Math.round(share * (EXTENDED_RAMP.length - 1))] as number;
  return { rgb: [mix(0), mix(1), mix(2)], extended };
});

/** Colour of a share between 0 and 1. */
export const heat = (share: number): Colour =>
  HEAT[Math.round(Math.max(0, Math.min(1, share)) * (LEVELS - 1))] as Colour;

/** Joins equal neighbours, so that a line has as few codes as possible. */
export function runs<T>(
  items: readonly T[],
  same: (a: T, b: T) => boolean,
  draw: (run: T[]) => string,
): string {
  let text = '';
  for (let start = 0; start < items.length; ) {
    let end = start + 1;
    while (end < items.length && same(items[start] as T, items[end] as T)) end++;
    text += draw(items.slice(start, end));
    start = end;
  }
  return text;
}
