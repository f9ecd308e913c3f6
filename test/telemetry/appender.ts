/** Appends events for ever and says after each that it is stored: the victim of the kill in journal.test.ts. */
import { writeSync } from 'node:fs';
import { openRun } from '../../src/telemetry/index.js';

const run = await openRun(process.env.RUN_DIR as string, { command: 'test', argv: [] });
for (let cell = 0; ; cell++) {
  run.append({
    type: 'pulses',
    time: Date.now() / 1000,
    status: 'applied',
    pulses: [{ array: 0, row: 0, column: cell, voltage: 0.5, width: 1e-4 }],
  });
  writeSync(1, `${cell}\n`);
}
