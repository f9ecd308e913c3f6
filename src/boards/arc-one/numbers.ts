/**
 * How numbers are written for an instrument that checks none. There is no CRC, so a character that goes wrong on the line
 * makes another number; what can be chosen is which.
 */

/**
 * Whole numbers. `guarded` writes 14 as `14e-9`: whoever reads a whole number stops at the letter, whoever has lost a
 * line and takes it for a voltage or a width reads 14 nV or 14 ns, and as a command it is none.
 */
export type Spelling = 'guarded' | 'plain';

export const wholeText = (value: number, spelling: Spelling): string =>
  spelling === 'guarded' ? `${value}e-9` : `${value}`;

/** V, magnitude up to 1: no digit before the point, so no wrong digit makes more than 1 V of it. */
export const voltsText = (value: number): string =>
  `${value < 0 ? '-' : ''}${Math.min(Math.abs(value), 0.9999).toFixed(4).slice(1)}`;

/**
 * s, below 1 ms. Of all ways to write 100 µs this is the one whose worst wrong character makes the shortest pulse: of
 * .01e-2 (10 ms) none makes more than 10 ms, of 1.000e-04 one makes 1 s.
 */
export const secondsText = (value: number): string => `${(value * 100).toFixed(5).slice(1)}e-2`;
