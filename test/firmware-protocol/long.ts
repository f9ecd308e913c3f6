/** Runs of a property: few in CI, many with MEMLOOP_LONG=1 (`npm run test:long`). */
export const runs = (short: number, long: number): number => (process.env.MEMLOOP_LONG ? long : short);
