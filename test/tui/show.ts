/**
 * Shows the dashboard on this terminal with a made-up run; `hold` stops it at a second of the run:
 * `node -e "import('vite').then(({ runnerImport }) => runnerImport('./test/tui/show.ts'))" SPEED 64x64x3 HOLD`
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Subject } from 'rxjs';
import type { MemloopEvent } from '../../src/shared/events.js';
import { startDashboard } from '../../src/tui/index.js';
import { syntheticRun } from './synthetic.js';

const speed = Number(process.argv[1] ?? 1);
const [rows = 64, columns = 64, arrays = 3] = (process.argv[2] ?? '').split('x').filter(Boolean).map(Number);
const hold = Number(process.argv[3] ?? Number.POSITIVE_INFINITY);
const events = new Subject<MemloopEvent>();
let quit = false;
const dashboard = await startDashboard({
  events,
  onQuit: () => {
    quit = true;
  },
});
const start = Date.now() / 1000;
for (const event of syntheticRun({ start, rows, columns, arrays })) {
  const wait = event.time - start - (Date.now() / 1000 - start) * speed;
  if (wait > 0) await sleep((wait / speed) * 1000);
  while (event.time - start > hold && !quit) await sleep(20);
  if (quit) break;
  events.next(event);
}
await dashboard.stop();
