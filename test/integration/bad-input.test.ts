import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { encodeFrame, FrameDecoder } from '../../firmware-protocol/frame.js';
import { Network, networkSpec, saveNetwork } from '../../src/model/index.js';
import { openPty } from '../../src/virtual-board/index.js';
import { type Ended, memloop, scratch, startMock } from './shell.js';

const require = createRequire(import.meta.url);
const VIRTUAL = ['--port', 'virtual:w-sdc-8x8x4'];

function expectOneLine(outcome: Ended, pattern: RegExp): void {
  expect(outcome.stderr.trim()).toMatch(pattern);
  expect(outcome.stderr.trim().split('\n')).toHaveLength(1);
  expect(outcome.stdout).toBe('');
  expect(outcome.code).toBe(2);
}

describe('bad input ends in one line with the remedy, exit 2', () => {
  const home = () => ({ MEMLOOP_HOME: scratch() });

  it('no board named', async () => {
    expectOneLine(await memloop(['info'], { MEMLOOP_PORT: '' }), /--port URL or set MEMLOOP_PORT/);
  });

  it('unknown option and unknown command', async () => {
    expectOneLine(await memloop(['read', '--rwo', '3']), /unknown option '--rwo'/);
    expectOneLine(await memloop(['raed']), /unknown command 'raed'/);
  });

  it('unknown port', async () => {
    expectOneLine(await memloop(['info', '--port', '/dev/ttyNOPE7']), /ttyNOPE7.*memloop ports/);
  });

  it('port in use', async () => {
    const { port } = await startMock(['--profile', 'w-sdc-8x8x4']);
    const { openTransport } = await import('../../src/driver/index.js');
    const holder = await openTransport(port);
    onTestFinished(() => holder.close());
    expectOneLine(await memloop(['info', '--port', port]), /is used by another/);
  });

  it('not a memloop board: the device echoes', async () => {
    const pty = openPty();
    onTestFinished(() => pty.close());
    pty.onData((bytes) => pty.write(bytes));
    expectOneLine(await memloop(['info', '--port', pty.path]), /echoes.*not a memloop board/);
  });

  it('foreign protocol version', async () => {
    const pty = openPty();
    onTestFinished(() => pty.close());
    const decoder = new FrameDecoder();
    pty.onData(async (bytes) => {
      for (const { message } of decoder.push(bytes))
        if (message.name === 'Hello')
          await pty.write(
            encodeFrame({
              message: {
                name: 'HelloReply',
                nonce: message.nonce,
                protocolVersion: 77,
                protocolHash: 0x12345678,
                bootId: 1,
                session: 0,
                firmwareVersion: '9.9',
                boardSerial: 'OTHER',
              },
              session: 0,
              sequence: 0,
            }),
          );
    });
    expectOneLine(await memloop(['info', '--port', pty.path]), /version 77.*this memloop speaks version 2/);
  });

  it('a damaged checkpoint', async () => {
    const folder = scratch();
    const file = join(folder, 'network.safetensors');
    saveNetwork(file, Network.initialise(networkSpec([64, 4, 10]), 1), { 'memloop.dataset': 'digits' });
    writeFileSync(file, readFileSync(file).subarray(0, 900));
    expectOneLine(
      await memloop(['program', '--model', file, ...VIRTUAL], home()),
      /network\.safetensors.*cut off/,
    );
  });

  it('a target of the wrong shape or outside the range', async () => {
    const file = join(scratch(), 'matrix.json');
    const rows = (count: number, value: number) =>
      JSON.stringify(Array.from({ length: count }, () => Array(8).fill(value)));
    const program = () => memloop(['program', '--target', file, ...VIRTUAL], home());
    writeFileSync(file, rows(7, 1e-5));
    expectOneLine(await program(), /7 rows.*8×8/);
    writeFileSync(file, rows(8, 1));
    expectOneLine(await program(), /row 0, column 0 asks for.*range/);
    writeFileSync(file, '[[1,');
    expectOneLine(await program(), /not JSON/);
  });

  it('an unknown profile, and an unknown field in one', async () => {
    expectOneLine(await memloop(['info', '--port', 'virtual:nope']), /nope/);
    const profile = JSON.parse(readFileSync(require.resolve('#assets/profiles/ideal.json'), 'utf8'));
    const file = join(scratch(), 'profile.json');
    writeFileSync(file, JSON.stringify({ ...profile, colour: 'red' }));
    expectOneLine(await memloop(['mock', '--profile', file]), /profile\.json.*colour/);
  });

  it('a voltage over the limit', async () => {
    const cell = ['--row', '0', '--column', '0', '--width', '1e-4'];
    expectOneLine(await memloop(['pulse', ...cell, '--voltage', '3', ...VIRTUAL], home()), /3 V.*limits/);
  });

  it('writes nothing', async () => {
    const folder = scratch();
    await memloop([
      'finetune',
      '--model',
      join(folder, 'none.safetensors'),
      '--run',
      join(folder, 'run'),
      ...VIRTUAL,
    ]);
    expect(existsSync(join(folder, 'run'))).toBe(false);
  });
});
