import { expect, test } from 'vitest';
import { connectBoard, inProcessTransport } from '../../../src/driver/index.js';
import { createPicoBoard, emulatorOf } from '../../../src/virtual-board/pico/board.js';

for (const runs of ['wasm', 'emulator'] as const)
test(runs, async () => {
  const board = createPicoBoard({ runs, seed: 3, onWarning: (t) => console.log(t) });
  const frames: unknown[] = [];
  board.frontEnd.frameListeners.push((f) => frames.push(f));
  const t0 = performance.now();
  setTimeout(() => { const e = emulatorOf(board.frontEnd); if (e) console.log('instr', e.instructions, board.frontEnd.time, frames.length); }, 1500);
  const host = await connectBoard(inProcessTransport('x:', board));
  console.log(host.description.boardSerial, host.description.firmwareVersion, performance.now() - t0);
  const t1 = performance.now();
  const rows = await host.readRows(0, 0, 8, 0.1, 4);
  console.log([...rows].slice(0, 16), performance.now() - t1);
  const truth = board.frontEnd.crossbars[0].conductances(0.1);
  console.log([...truth].slice(0, 16).map((g) => g * 0.1));
  const t2 = performance.now();
  const out = await host.cells(Array.from({ length: 200 }, (_, i) => ({ kind: 'pulse', array: 0, row: i % 8, column: (i >> 3) % 8, voltage: i % 2 ? 0.6 : -0.5, width: 1e-5 + i * 1e-6 })));
  console.log(out.filter((o) => o.status === 'applied').length, performance.now() - t2, board.frontEnd.time);
  console.log([...(await host.readRows(0, 0, 8, 0.1, 4))].slice(0, 8));
  console.log([...(await host.multiply(0, Float32Array.from({ length: 8 }, (_, i) => 0.02 * i), { samples: 2 }))]);
  console.log([...(await host.reference(3, 4, 0, Float32Array.of(-0.1, 0, 0.1)))], await host.health());
  const e = emulatorOf(board.frontEnd);
  if (e) console.log('stack', e.stackUsed, 'instr', e.instructions);
  await host.close();
}, 20000);
