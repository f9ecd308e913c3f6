/** The Pico's binary in the emulator against the same C in WebAssembly: to the digit. */
import { describe, expect, test } from 'vitest';
import { guardBoard } from '../../../src/calibration/index.js';
import type { CellOperation } from '../../../src/driver/index.js';
import { Deployment, recover } from '../../../src/loop/index.js';
import { emulatorOf, PICO_PROFILE, type TracedPulse } from '../../../src/virtual-board/index.js';
import { temporaryHome } from '../../calibration/boards.js';
import { patterns, smallNetwork } from '../../loop/small.js';
import { openPico } from './shared.js';

const BOTH = ['wasm', 'emulator'] as const;

describe('the emulated Pico does what the same front end does in WebAssembly', () => {
  test('all that a board can do, on little stack and without a complaint of the chip', async () => {
    const warnings: string[] = [];
    const results = [];
    for (const runs of BOTH) {
      const trace: Omit<TracedPulse, 'time'>[] = [];
      const { board, virtual } = await openPico({
        runs,
        trace: ({ time, ...pulse }) => trace.push(pulse),
        onWarning: (text) => warnings.push(text),
      });
      const pulses = Array.from({ length: 120 }, (_, n): CellOperation => {
        return {
          ...{ kind: 'pulse', array: 0, row: n % 8, column: (n >> 3) % 8 },
          ...{ voltage: n % 3 === 0 ? -0.5 : 0.6, width: 1e-5 + n * 7e-7 },
        };
      });
      const outcomes = await board.cells(pulses);
      const reads = await board.cells([
        { kind: 'read', array: 0, row: 2, column: 5, voltage: 0.1, samples: 4 },
      ]);
      const rows = await board.readRows(0, 0, 8, 0.1, 4);
      const inputs = Float32Array.from({ length: 16 }, (_, i) => 0.02 * (i % 9));
      const products = await board.multiply(0, inputs, { samples: 2 });
      const currents = await board.reference(3, 4, 0, Float32Array.of(-0.1, 0, 0.1));
      const { pulsesApplied } = await board.health();
      const state = [...virtual.frontEnd.crossbars[0].state];
      results.push({
        ...board.description,
        outcomes,
        reads,
        rows,
        products,
        currents,
        pulsesApplied,
        state,
        trace,
      });
      const emulator = emulatorOf(virtual.frontEnd);
      if (emulator) expect(emulator.stackUsed, 'of 4096 bytes').toBeLessThan(1024);
      await board.close();
    }
    const [wasm, emulator] = results;
    expect(emulator).toEqual(wasm);
    expect(wasm.boardSerial).toMatch(/^PICO-[0-9A-F]{16}$/);
    // A register that only the chip has: the levels of the UART's interrupts.
    expect(new Set(warnings)).toEqual(new Set(['UART0: Unimplemented peripheral write to 0x34: 0x0']));
  });

  test('the loop: programmed, measured and fine-tuned, with the neurons on the host', async () => {
    const small = await smallNetwork();
    const pictures = patterns(40, 2);
    const results = [];
    for (const runs of BOTH) {
      const { board, virtual } = await openPico({ runs, profile: PICO_PROFILE, seed: 4 });
      const guarded = guardBoard(board, { home: temporaryHome() });
      const network = small.network.clone();
      const signal = new AbortController().signal;
      const deployment = await Deployment.open(
        { board: guarded, emit: () => {}, signal },
        network,
        small.scales,
      );
      const data = { train: patterns(20, 5), test: pictures };
      const { software, before, after, tuning } = await recover(deployment, data, {
        epochs: 1,
        batch: 10,
        seed: 1,
      });
      results.push({
        software,
        before,
        after,
        tuning: { ...tuning, seconds: 0 },
        state: [...virtual.frontEnd.crossbars[0].state],
      });
      await guarded.close();
    }
    const strip = (value: unknown) =>
      JSON.parse(
        JSON.stringify(value, (key, v) => (/seconds|requests|roundTrips|latency/i.test(key) ? undefined : v)),
      );
    expect(strip(results[1])).toEqual(strip(results[0]));
    expect(results[0].after.accuracy).toBeGreaterThan(results[0].software - 0.1);
  });
});
