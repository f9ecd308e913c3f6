/** The command line on the board through the library's C interface; the device is simulated by another process. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { expectDone, expectOneLine } from '../../cli/shared.js';
import { memloop, scratch } from '../../integration/shell.js';
import { type StandInBench, standIn, stopWhileProgramming } from '../shared.js';

const hasCompiler = spawnSync(process.env.CC ?? 'cc', ['--version']).status === 0;
if (!hasCompiler) console.warn('skipped: tests of ad2: through its C interface need a C compiler (cc)');

const TARGETS = Array.from({ length: 8 }, (_, row) => [12e-6 + 3e-6 * row, 40e-6 - 3e-6 * row]);

const mock = (faults: object, ...args: string[]) => standIn('waveforms', { seed: 1, ...faults }, ...args);

/** Asks the simulated device for its closed switches. */
const closedSwitches = (path: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const name = Buffer.from('closedSwitches');
    const head = Buffer.alloc(8);
    head.writeUInt32LE(name.length, 0);
    const socket = createConnection(path, () => socket.write(Buffer.concat([head, name])));
    socket.once('data', (bytes) => {
      resolve(bytes.readDoubleLE(12));
      socket.destroy();
    });
    socket.once('error', reject);
  });

/** Without reads. */
const pulsesOf = ({ received }: StandInBench) =>
  received().filter(({ voltage }) => voltage > 0.11 || voltage < 0);

describe.skipIf(!hasCompiler)('through the C interface', { timeout: 300_000 }, () => {
  beforeAll(() => {
    const built = spawnSync('src/virtual-board/stand-ins/ad2/build.sh', { encoding: 'utf8' });
    expect(built.stderr).toBe('');
  });

  it('info, read, pulse, sweep, fit, program and passport', async () => {
    const bench = await mock({}, '--seed', '2');
    const { environment, folder } = bench;
    const ask = (...args: string[]) => memloop([...args, '--json'], environment);
    const info = await ask('info');
    expectDone(info);
    expect(info.result.board).toMatchObject({ rows: 8, columns: 2, neurons: 0, products: 'none' });
    const read = await ask('read');
    expect(read.result.conductance).toHaveLength(8);
    const pulse = await ask('pulse', '--row', '3', '--column', '1', '--voltage', '0.4', '--width', '20e-6');
    expectDone(pulse);
    expect(pulsesOf(bench)).toHaveLength(1);
    const wave = ['--amplitude', '0.5', '--points', '100', '--out', join(folder, 'loop')];
    const swept = await ask('sweep', '--row', '1', ...wave);
    expectDone(swept);
    expect(swept.result.samples).toHaveLength(100);
    const fitted = await ask('fit', join(folder, 'loop.csv'), '--series', '9901', '--frequency', '100');
    expect(fitted.result.fits[0]).toMatchObject({ class: 'pass' });
    expect(fitted.result.fits[0].nrmse[0]).toBeLessThan(0.005);
    const calibrated = await ask('calibrate');
    expectDone(calibrated);
    expect(calibrated.stdout).toContain('has no neurons: the host runs them');
    writeFileSync(join(folder, 'targets.json'), JSON.stringify(TARGETS));
    const programmed = await ask('program', '--target', join(folder, 'targets.json'));
    expectDone(programmed);
    expect(programmed.result.inTolerance).toBeGreaterThanOrEqual(15 / 16);
    const passport = await ask('passport');
    expectDone(passport);
    expect(passport.stdout).toContain('"pulses"');
  });

  it('Ctrl-C opens all switches; after kill -9 the next command does, and finishes the job', async () => {
    const { environment, folder } = await mock({}, '--seed', '2');
    const file = join(folder, 'targets.json');
    writeFileSync(file, JSON.stringify(TARGETS));
    const program = ['program', '--target', file];
    const socket = environment.MEMLOOP_DWF_SOCKET;
    const { code } = await stopWhileProgramming(program, environment, 'SIGINT');
    expect(code).toBe(130);
    expect(await closedSwitches(socket)).toBe(0);
    await stopWhileProgramming(program, environment, 'SIGKILL');
    const finished = await memloop([...program, '--json'], environment);
    expectDone(finished);
    expect(finished.result.inTolerance).toBeGreaterThanOrEqual(15 / 16);
    expect(await closedSwitches(socket)).toBe(0);
  });

  it('what is wrong with device or board: one line with the remedy', async () => {
    const cases = [
      [{ mode: 2 }, 'ad2:?mode=1&series=10000', /is at mode 2/],
      [{ suppliesOff: true }, undefined, /supplies \(V\+ and V−\) on/],
      [{ inUse: true }, undefined, /close WaveForms/],
      [{ absent: true }, undefined, /no Analog Discovery is plugged in/],
      [{}, 'ad2:210000?mode=1', /there is no Analog Discovery 210000/],
    ] as const;
    await Promise.all(
      cases.map(async ([faults, port, message]) => {
        const { environment } = await mock(faults);
        const end = await memloop(['info', ...(port ? ['--port', port] : [])], environment);
        expectOneLine(end, message, end.code === 1 ? 1 : 2);
      }),
    );
  });

  it('unplugged in the middle: one line, and the pulse counts', async () => {
    const unplug = { kind: 'unplug', after: true, calls: 100_000, every: [30, 30] };
    const { environment } = await mock({ faults: [unplug] });
    const cell = ['--row', '0', '--column', '0'];
    const args = ['pulse', ...cell, '--voltage', '0.3', '--width', '20e-6', '--count', '40'];
    const end = await memloop(args, environment);
    expect(end.code).toBe(1);
    expect(end.stderr.trim().split('\n')).toHaveLength(1);
  });
});

describe('without a device', () => {
  it('a library that is missing: one line with the remedy', async () => {
    const end = await memloop(['info', '--port', 'ad2:'], { MEMLOOP_LIBDWF: '/nowhere/libdwf.so' });
    expectOneLine(end, /cannot load the WaveForms library .*install Digilent WaveForms/);
  });

  it('virtual-ad2: needs no compiler', async () => {
    const end = await memloop(['read', '--port', 'virtual-ad2:?seed=3&mode=2', '--json'], {
      MEMLOOP_HOME: scratch(),
    });
    expectDone(end);
    expect(end.result.conductance).toHaveLength(8);
    expect(end.stdout).toContain('"type":"board"');
    const bad = await memloop(['read', '--port', 'virtual-ad2:?seed=x']);
    expectOneLine(bad, /seed in virtual-ad2:\?seed=x is not a whole number/);
  });
});
