/** The command line against the server in another process, over HTTP and TLS. */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { expectDone, expectOneLine } from '../../cli/shared.js';
import { memloop, scratch } from '../../integration/shell.js';
import { standIn, stopWhileProgramming } from '../shared.js';
import { CERTIFICATE, KEY, OTHER_CERTIFICATE } from './shared.js';

const mock = (faults: object = {}) => standIn('ktram', faults, '--tcp', '127.0.0.1:0');

/** One cell on each row and column: pulses on one do not disturb another that has a target. */
const TARGETS = Array.from({ length: 8 }, (_, row) =>
  Array.from({ length: 8 }, (_, column) => (column === (3 * row) % 8 ? 12e-6 + row * 4e-6 : null)),
);

describe('the command line on a kT-RAM server', () => {
  it('over TLS: info, read, pulse, sweep, fit, program and passport', async () => {
    const { environment, folder, received, port } = await mock({ certificate: CERTIFICATE, key: KEY });
    expect(port).toMatch(/^ktram\+https:/);
    const ask = (...args: string[]) => memloop([...args, '--json'], environment);
    const info = await ask('info');
    expectDone(info);
    expect(info.result.board).toMatchObject({ arrays: 8, rows: 8, columns: 8, neurons: 0, products: 'none' });
    const read = await ask('read', '--array', '7');
    expectDone(read);
    expect(read.result.conductance).toHaveLength(8);
    const pulse = await ask('pulse', '--row', '3', '--column', '1', '--voltage', '0.5', '--width', '20e-6');
    expectDone(pulse);
    expect(received()).toMatchObject([{ array: 0, row: 3, column: 1, voltage: 0.5 }]);
    const wave = ['--amplitude', '0.5', '--points', '60', '--out', join(folder, 'loop')];
    const swept = await ask('sweep', '--row', '1', ...wave);
    expectDone(swept);
    const loop = ['--series', '20000', '--frequency', '100', '--pulsed'];
    const fitted = await ask('fit', join(folder, 'loop.csv'), ...loop);
    expect(fitted.code).toBe(0);
    writeFileSync(join(folder, 'targets.json'), JSON.stringify(TARGETS));
    const programmed = await ask('program', '--target', join(folder, 'targets.json'));
    expect(programmed.result.inTolerance).toBeGreaterThanOrEqual(7 / 8);
    const passport = await ask('passport');
    expectDone(passport);
    expect(passport.stdout).not.toContain(environment.MEMLOOP_KTRAM_PASSWORD);
  });

  it('after Ctrl-C and after kill -9 the same command finishes the job', async () => {
    const { environment, folder, received } = await mock();
    const file = join(folder, 'targets.json');
    writeFileSync(file, JSON.stringify(TARGETS));
    const program = ['program', '--target', file];
    expect((await stopWhileProgramming(program, environment, 'SIGINT')).code).toBe(130);
    await stopWhileProgramming(program, environment, 'SIGKILL');
    const finished = await memloop([...program, '--json'], environment);
    expect(finished.result.inTolerance).toBeGreaterThanOrEqual(7 / 8);
    const passport = await memloop(['passport', '--json'], environment);
    expectDone(passport);
    expect(received().length).toBeGreaterThan(8);
  });

  it('an account or a module that is missing, reads that are not calibrated: one line with the remedy', async () => {
    const cases = [
      [{}, { MEMLOOP_KTRAM_USER: '' }, /does not accept user and password: put those/, 1],
      [{}, { MEMLOOP_KTRAM_PASSWORD: 'wrong-one' }, /does not accept user and password/, 1],
      [{ modules: [] }, {}, /has no array module: put one in/, 2],
      [{ calibrated: false }, {}, /not calibrated for reads .*administrator/, 1],
    ] as const;
    await Promise.all(
      cases.map(async ([faults, wrong, message, code]) => {
        const { environment } = await mock(faults);
        const end = await memloop(['info'], { ...environment, ...wrong });
        expectOneLine(end, message, code);
        expect(end.stderr).not.toMatch(/wrong-one|stand-in-/);
      }),
    );
  });

  it('certificates: none given, the wrong one, not checked; and no TLS at all', async () => {
    const { port, environment } = await mock({ certificate: CERTIFICATE, key: KEY });
    const [host] = port.split('?');
    const plain = await mock();
    const ask = (url: string, ...args: string[]) => memloop(['info', '--port', url, ...args], environment);
    const [none, wrong, nowhere, insecure, http, noTls] = await Promise.all([
      ask(host),
      ask(`${host}?ca=${OTHER_CERTIFICATE}`),
      ask(`${host}?ca=/nowhere.pem`),
      ask(`${host}?insecure=1`, '--json'),
      ask(host.replace('https', 'http')),
      ask(plain.port.replace('http', 'https')),
    ]);
    expectOneLine(none, /is not trusted .*give ca=FILE/, 1);
    expectOneLine(wrong, /other\.pem does not vouch for it/, 1);
    expectOneLine(nowhere, /cannot read the certificate \/nowhere\.pem/, 2);
    expect(insecure.stdout).toMatch(/"level":"warning".*is not checked \(insecure=1\)/);
    expect(insecure.code).toBe(0);
    expectOneLine(http, /no kT-RAM server/, 2);
    expectOneLine(noTls, /does not speak TLS: is it ktram\+http/, 2);
  });

  it('nobody there, or somebody else: one line', async () => {
    const other = createServer((socket) => socket.end('SSH-2.0-x\r\n'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void other.close());
    const { port } = other.address() as { port: number };
    const info = (url: string, ...args: string[]) => memloop(['info', '--port', url, ...args]);
    const [somebody, nobody, unknown, login] = await Promise.all([
      info(`ktram+http://127.0.0.1:${port}`),
      info('ktram+http://127.0.0.1:1'),
      info('ktram+https://no-such-host.invalid'),
      info('ktram+https://me:geheim@host', '--run', join(scratch(), 'run')),
    ]);
    expectOneLine(somebody, /no kT-RAM server answers at/, 2);
    expectOneLine(nobody, /no kT-RAM server at .*ECONNREFUSED/, 2);
    expectOneLine(unknown, /no machine is known as/, 2);
    expectOneLine(login, /user and password do not belong in a URL/, 2);
    expect(login.stderr).not.toContain('geheim');
  });

  it('gone in the middle of a job: one line, and nothing is pulsed again', async () => {
    const gone = { kind: 'restart', done: 'half', time: 600, on: 'write', every: [5, 5] };
    const { environment, received } = await mock({ faults: [gone] });
    const pulse = ['--row', '0', '--column', '0', '--voltage', '0.3', '--width', '20e-6', '--count', '40'];
    const end = await memloop(['pulse', ...pulse], environment);
    expect(end.code).toBe(1);
    expect(end.stderr.trim().split('\n')).toHaveLength(1);
    expect(received().length).toBeLessThanOrEqual(5);
  });
});
