import type { Emit } from './events.js';

/** Progress events of one stage with their rate and time left. */
export function progressOf(emit: Emit | undefined, stage: string, units: string, total: number) {
  const began = performance.now();
  let done = 0;
  const report = () => {
    const seconds = Math.max((performance.now() - began) / 1000, 1e-3);
    const rate = done / seconds;
    emit?.({
      type: 'progress',
      stage,
      done,
      total,
      units,
      rate,
      timeLeft: rate > 0 ? (total - done) / rate : 0,
    });
  };
  return {
    step(count = 1): void {
      done += count;
      report();
    },
    set(value: number): void {
      done = value;
      report();
    },
  };
}
