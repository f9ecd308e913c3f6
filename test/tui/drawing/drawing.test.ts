import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { heatmap } from '../../../src/tui/drawing/heatmap.js';
import { createPaint, type Depth, heat } from '../../../src/tui/drawing/paint.js';
import { visibleLength } from '../../../src/tui/drawing/picture.js';
import { plot, sparkline } from '../../../src/tui/drawing/plot.js';
import type { ArrayState } from '../../../src/tui/state.js';

const plain = createPaint(1);
const full = createPaint(24);

function arrayOf(
  rows: number,
  columns: number,
  conductance: (row: number, column: number) => number | null,
): ArrayState {
  const cells = Array.from({ length: rows }, (_, r) =>
    Array.from({ length: columns }, (_, c) => ({
      conductance: conductance(r, c),
      pulses: 0,
      energy: 0,
      status: 'untouched' as const,
    })),
  );
  return { rows, columns, cells, counts: { untouched: 0, programming: 0, 'in-tolerance': 0, failed: 0 } };
}

describe('a heatmap', () => {
  const at = { row: 0, column: 0 };

  test('puts least in the darkest and most in the brightest colour, and unknown aside', () => {
    const array = arrayOf(
      2,
      2,
      (r, c) =>
        [
          [1, 2],
          [3, null],
        ][r]?.[c] as number | null,
    );
    const { lines } = heatmap(array, {
      width: 2,
      height: 1,
      range: [1, 3],
      cursor: { row: 9, column: 9 },
      paint: full,
    });
    const rgb = (share: number) => heat(share).rgb.join(';');
    expect(lines).toEqual([
      `\u001b[38;2;${rgb(0)}m\u001b[48;2;${rgb(1)}m▀\u001b[39m\u001b[49m\u001b[38;2;${rgb(0.5)}m\u001b[48;2;58;58;62m▀\u001b[39m\u001b[49m`,
    ]);
  });

  test('gets brighter with conductance', () => {
    const light = Array.from({ length: 64 }, (_, i) => {
      const [red, green, blue] = heat(i / 63).rgb;
      return 0.3 * red + 0.6 * green + 0.1 * blue;
    });
    expect(light).toEqual([...light].sort((a, b) => a - b));
  });

  test('is told apart by shades without colour', () => {
    const array = arrayOf(1, 6, (_, c) => (c === 5 ? null : c));
    const { lines } = heatmap(array, {
      width: 6,
      height: 1,
      range: [0, 4],
      cursor: { row: 9, column: 9 },
      paint: plain,
    });
    expect(lines).toEqual([' ░▒▓█·']);
  });

  test('shrinks by the mean of blocks', () => {
    const array = arrayOf(4, 4, (r) => (r < 2 ? 0 : 4));
    const map = heatmap(array, {
      width: 2,
      height: 2,
      range: [0, 4],
      cursor: { row: 9, column: 9 },
      paint: plain,
    });
    expect(map.lines).toEqual(['  ', '██']);
    expect(map.block).toEqual({ rows: 2, columns: 2 });
  });

  test('fits its room, is as wide as it says and has the cursor inside, whatever the sizes', () => {
    const sizes = fc.record({
      rows: fc.integer({ min: 1, max: 130 }),
      columns: fc.integer({ min: 1, max: 130 }),
      width: fc.integer({ min: 1, max: 120 }),
      height: fc.integer({ min: 1, max: 40 }),
      depth: fc.constantFrom<Depth>(1, 4, 8, 24),
    });
    fc.assert(
      fc.property(
        sizes,
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        ({ rows, columns, width, height, depth }, place) => {
          const cursor = { row: Math.floor(place * rows), column: Math.floor(place * columns) };
          const array = arrayOf(rows, columns, (r, c) => r + c);
          const map = heatmap(array, { width, height, range: [0, 200], cursor, paint: createPaint(depth) });
          expect(map.width).toBeLessThanOrEqual(width);
          expect(map.lines.length).toBeLessThanOrEqual(height);
          for (const line of map.lines) expect(visibleLength(line)).toBe(map.width);
          expect(map.cursor.x).toBeLessThan(map.width);
          expect(map.cursor.y).toBeLessThan(map.lines.length);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('of a chip that was never read is all unknown', () => {
    const { lines } = heatmap(
      arrayOf(2, 2, () => null),
      { width: 8, height: 2, range: [0, 0], cursor: at, paint: plain },
    );
    expect(lines.join('')).toMatch(/^[·[\] ]+$/);
  });
});

describe('a plot', () => {
  const line = (...points: ([number, number] | null)[]) => [{ series: 3, points }];

  test('draws a line from corner to corner', () => {
    expect(plot(line([0, 0], [1, 1]), { width: 2, height: 1, paint: plain })).toEqual(['⡠⠊']);
    expect(plot(line([0, 1], [1, 1]), { width: 3, height: 1, paint: plain })).toEqual(['⠉⠉⠉']);
  });

  test('leaves a gap where samples were lost', () => {
    const drawn = plot(line([0, 0.5], [0.2, 0.5], null, [0.8, 0.5], [1, 0.5]), {
      width: 10,
      height: 1,
      paint: plain,
    });
    expect(drawn[0]).toMatch(/^[^ ]+ {3,}[^ ]+$/);
  });

  test('in letters shows the upper curve where two meet', () => {
    const curves = [
      { series: 1, points: [[0, 0.5] as const, [1, 0.5] as const] },
      { series: 12, points: [[0, 0.5] as const, [0.4, 0.5] as const] },
    ];
    expect(plot(curves, { width: 5, height: 1, paint: plain, letters: true })).toEqual(['ccc11']);
  });

  test('ignores what lies outside', () => {
    expect(plot(line([0, -3], [1, 9]), { width: 4, height: 2, paint: plain })).toHaveLength(2);
  });
});

test('a sparkline has the newest values, over zero', () => {
  expect(sparkline([9, 0, 4, 8], 3)).toBe('▁▅█');
  expect(sparkline([], 3)).toBe('');
});
