/** The fence and the sessions as one state machine, searched whole: in CI up to a bound, `npm run test:long` further. */
import { expect, test } from 'vitest';
import { runs } from '../long.js';
import { type Bounds, search } from './search.js';

const ONCE: Bounds = { hellos: [1, 1, 1], leases: 2, reboots: 0, pulses: 1, depth: Infinity };
const SHORT: [string, Bounds][] = [
  ['every state of a session each, without reboots', ONCE],
  ['five steps with all that can happen', { ...ONCE, hellos: [2, 2, 1], leases: 3, reboots: 2, depth: 5 }],
];
const LONG: [string, Bounds][] = [
  ['every state of a session each, with a reboot', { ...ONCE, reboots: 1 }],
  ['every state with two sessions of one', { ...ONCE, hellos: [2, 1, 0], reboots: 1 }],
  ['seven steps with all that can happen', { hellos: [2, 2, 1], leases: 3, reboots: 2, pulses: 2, depth: 7 }],
];

for (const [name, bounds] of [...SHORT, ...(runs(0, 1) ? LONG : [])])
  test(`no pulse by an older holder, none twice: ${name}`, () => {
    const found = search(bounds);
    expect(found.broken).toBeUndefined();
    expect(found.complete).toBe(bounds.depth === Infinity);
    expect(found.applied).toBeGreaterThan(100);
    expect(found.fenced).toBeGreaterThan(10);
    console.info(`${found.states} states, ${found.transitions} transitions, ${found.depth} steps deep`);
  });
