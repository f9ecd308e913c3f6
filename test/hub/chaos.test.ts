import { appendFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { scratch } from '../integration/shell.js';
import { chaos } from './chaos.js';
import { NO_SERVER } from './shared.js';

/** `npm run soak:hub` gives them. */
const { MEMLOOP_SOAK_BENCHES, MEMLOOP_SOAK_JOBS, MEMLOOP_SOAK_SEED, MEMLOOP_SOAK_LOG } = process.env;
const long = MEMLOOP_SOAK_JOBS !== undefined;
const benches = Number(MEMLOOP_SOAK_BENCHES ?? 2);
const jobs = Number(MEMLOOP_SOAK_JOBS ?? 6);

it.skipIf(NO_SERVER)(
  'whatever fails, no pulse is doubled or unbooked, and every job has its end',
  { timeout: long ? 24 * 3_600_000 : 240_000 },
  async () => {
    const seed = Number(MEMLOOP_SOAK_SEED ?? 1);
    const log = (line: string) => {
      if (MEMLOOP_SOAK_LOG) appendFileSync(MEMLOOP_SOAK_LOG, `${line}\n`);
    };
    const options = { seed, benches, jobs, leases: long ? Math.ceil(jobs / 10) : 0, pause: long ? 3 : 1 };
    const verdict = await chaos({ ...options, folder: scratch(), log });
    log(JSON.stringify({ ...options, ...verdict }));
    if (long) console.log(JSON.stringify({ ...options, ...verdict }, undefined, 2));
    expect(verdict.violations).toEqual([]);
    expect(verdict.pulses).toBeGreaterThan(0);
  },
);
