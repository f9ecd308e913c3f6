import type { Emit } from './events.js';

/**
 * Progress events of one stage, with rate (units per second) and time left (s).
 *
 * @param already units that were done before, in an earlier run: the rate does not count them.
 */
export function progressOf(emit: Emit | undefined, stage: string, units: string, total: number, already = 0) {
  const began = performance.now();
  let done = already;
  const report = () => {
    const seconds = Math.max((performance.now() - began) / 1000, 1e-3);
    const rate = (done - already) / seconds;
    const timeLeft = rate > 0 ? (total - done) / rate : 0;
    emit?.({ type: 'progress', stage, done, total, units, rate, timeLeft });
  };
  return {
    /** So many more are done. */
    step(count = 1): void {
      done += count;
      report();
    },
    /** So many are done in all. */
    set(value: number): void {
      done = value;
      report();
    },
  };
}
