/** Whatever happens: no cell sees more than the pulse under way, and lines come to 0 V. */
import { describe, expect, test } from 'vitest';
import { Random } from '../../../src/model/random.js';
import {
  type CircuitFaults,
  createPicoBoard,
  emulatorOf,
  type PicoBoard,
} from '../../../src/virtual-board/index.js';
import { Host } from '../host.js';
import { cellsAt, type Moment, STEP, watchLines } from './shared.js';

const RUNS = ['wasm', 'emulator'] as const;
const WIDTH = 30e-6;
const CODE = -5000;

const pulses = (count: number) => ({
  name: 'Cells' as const,
  ops: Array.from({ length: count }, (_, i) => {
    return {
      ...{ kind: 'PULSE' as const, array: 0, row: i % 8, column: (i >> 3) % 8 },
      ...{ code: CODE, width: WIDTH, samples: 0 },
    };
  }),
});

const until = async (ready: () => boolean) => {
  const end = performance.now() + 30_000;
  while (!ready() && performance.now() < end) await new Promise((resolve) => setImmediate(resolve));
};

/** A host on a new board. What is said before the UART is up is lost. */
async function started(virtual: PicoBoard): Promise<Host> {
  const host = new Host(virtual);
  await host.notice('BOOTED');
  await host.hello();
  return host;
}

/** Longest time that any cell was beyond half of the voltage, s, and the highest voltage, in steps. */
function worst(moments: readonly Moment[]) {
  let longest = 0;
  let highest = 0;
  for (const moment of moments) {
    const top = Math.max(...cellsAt(moment).map(Math.abs));
    highest = Math.max(highest, top);
    if (top > Math.abs(CODE) / 2) longest = Math.max(longest, moment.to - moment.from);
  }
  return { longest, highest };
}

const atRest = ({ rows, columns, switches }: Moment) =>
  [...rows, ...columns, ...switches].every((v) => v === 0);

describe.each(RUNS)('%s', (runs) => {
  test('a start opens the switches before any DAC is set, and drives nothing over 50 mV', async () => {
    const virtual = createPicoBoard({ runs, seed: 3 });
    const host = await started(virtual);
    const moments = watchLines(virtual);
    const booted = host.notice('BOOTED');
    virtual.reboot();
    await booted;
    expect(moments[0].by).toBe('reset');
    expect(moments[1].by).toBe('switches');
    expect(moments[1].switches.every((byte) => byte === 0)).toBe(true);
    const first = moments.findIndex(({ rows, columns }) => [...rows, ...columns].some((v) => v !== 0));
    expect(first).toBeGreaterThan(1);
    expect(worst(moments).highest * STEP).toBeLessThan(0.0501);
    expect(atRest(moments.at(-1)!)).toBe(true);
    await virtual.close();
  });

  test('the supply fails at random instants', async () => {
    const virtual = createPicoBoard({ runs, seed: 3 });
    await started(virtual);
    const random = new Random(11);
    const moments = watchLines(virtual);
    for (let n = 0; n < (runs === 'wasm' ? 12 : 4); n++) {
      const host = new Host(virtual);
      await host.hello();
      const wanted = moments.length + random.integer(60);
      host.request(pulses(40)).catch(() => {});
      await until(() => moments.length >= wanted);
      const booted = host.notice('BOOTED');
      virtual.reboot();
      await booted;
      expect(atRest(moments.at(-1)!)).toBe(true);
    }
    const { longest, highest } = worst(moments);
    expect(highest).toBe(Math.abs(CODE));
    expect(longest).toBeLessThan(WIDTH + 0.1e-6);
    await virtual.close();
  });
});

describe('the emulated Pico', () => {
  test('hangs at random instants: the watchdog ends a pulse 2 ms after it should have, at the latest', async () => {
    const virtual = createPicoBoard({ seed: 3 });
    await started(virtual);
    const random = new Random(12);
    const moments = watchLines(virtual);
    for (let n = 0; n < 4; n++) {
      const host = new Host(virtual);
      await host.hello();
      host.request(pulses(20)).catch(() => {});
      const wanted = moments.length + 1 + random.integer(40);
      const booted = host.notice('BOOTED');
      // Once: a firmware that hung again as it starts would never say that it has booted.
      let hung = false;
      const hang = () => {
        if (hung || moments.length < wanted) return;
        hung = true;
        emulatorOf(virtual.frontEnd)!.stuck = true;
      };
      virtual.frontEnd.frameListeners.push(hang);
      await booted;
      virtual.frontEnd.frameListeners.splice(virtual.frontEnd.frameListeners.indexOf(hang), 1);
      expect(atRest(moments.at(-1)!)).toBe(true);
    }
    const { longest, highest } = worst(moments);
    expect(highest).toBe(Math.abs(CODE));
    expect(longest).toBeLessThan(WIDTH + 2e-3);
    await virtual.close();
  });

  test('hears nothing from its host: lines at 0 V within the dead-man time', async () => {
    const virtual = createPicoBoard({ seed: 3 });
    const host = await started(virtual);
    const moments = watchLines(virtual);
    await host.request(pulses(3));
    const { time } = virtual.frontEnd;
    await host.notice('DEAD_MAN');
    expect(virtual.frontEnd.time - time).toBeLessThan(2.1);
    expect(moments.at(-1)).toMatchObject({ by: 'reset' });
    expect(atRest(moments.at(-1)!)).toBe(true);
    await virtual.close();
  });
});

describe('what is wrong with the board is told, and nothing is driven then', () => {
  const faults: readonly [string, number, (faults: CircuitFaults) => void][] = [
    ['over-current', 1, (f) => (f.overCurrent = true)],
    ['a row DAC that does not answer', 2, (f) => f.silent.add('ROW_DAC')],
    ['a column DAC that does not answer', 2, (f) => f.silent.add('COLUMN_DAC')],
    ['switches that do not answer', 3, (f) => f.silent.add('SWITCHES')],
    ['an ADC that does not answer', 4, (f) => f.silent.add('ADC')],
    ['a row switch that is stuck closed', 5, (f) => (f.stuckClosed[2] = 1 << 6)],
    ['a bias switch that is stuck closed', 5, (f) => (f.stuckClosed[1] = 1 << 2)],
    ['a reference that is a fifth off', 6, (f) => (f.reference = 0.2)],
    ['a reference switch that stays open', 6, (f) => (f.stuckOpen[5] = 1 << 3)],
  ];
  const told = (host: Host) =>
    host.events.flatMap((event) => (event.name === 'Notice' && event.code === 'FAULT' ? [event.detail] : []));

  async function expectRefused(virtual: PicoBoard, host: Host, code: number) {
    await until(() => told(host).length > 0);
    expect(told(host)).toEqual([code]);
    const moments = watchLines(virtual);
    await host.hello();
    await expect(host.request(pulses(1))).rejects.toThrow(/STOPPED/);
    expect(moments.every(atRest)).toBe(true);
  }

  test.each(faults)('%s, at the start', async (_, code, spoil) => {
    const virtual = createPicoBoard({ runs: 'wasm', seed: 3 });
    const host = await started(virtual);
    spoil(virtual.frontEnd.faults);
    virtual.reboot();
    await expectRefused(virtual, host, code);
    await virtual.close();
  });

  test.each(RUNS)('over-current at work (%s)', async (runs) => {
    const virtual = createPicoBoard({ runs, seed: 3 });
    const host = await started(virtual);
    virtual.frontEnd.faults.overCurrent = true;
    await expectRefused(virtual, host, 1);
    await virtual.close();
  });
});
