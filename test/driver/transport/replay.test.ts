import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type Board,
  type CellOperation,
  connectBoard,
  exchangesOf,
  inProcessTransport,
  openTransport,
  readRecording,
} from '../../../src/driver/index.js';
import { createVirtualBoard, servePty } from '../../../src/virtual-board/index.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'memloop-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const pulses = (voltage: number): CellOperation[] =>
  Array.from({ length: 300 }, (_, i) => ({
    kind: 'pulse',
    array: 0,
    row: i % 32,
    column: i % 7,
    voltage,
    width: 1e-5,
  }));
const stimulus = { steps: 500, decimation: 5, pulseSteps: [3], drives: new Float32Array(10).fill(1e-4) };

async function work(board: Board, voltage = 0.4) {
  const before = await board.readRows(0, 0, 32, 0.1, 2);
  const outcomes = await board.cells(pulses(voltage));
  const after = await board.readRows(0, 0, 32, 0.1, 2);
  const runs = await board.run([stimulus, stimulus]);
  return { before, outcomes, after, runs, description: board.description };
}

async function record(): Promise<{ file: string; results: Awaited<ReturnType<typeof work>> }> {
  const file = join(folder, 'session.ndjson');
  const virtual = createVirtualBoard({ profile: 'ideal', seed: 5 });
  const board = await connectBoard(inProcessTransport('virtual:ideal', virtual), { record: file });
  const results = await work(board);
  await board.close();
  virtual.close();
  return { file, results };
}

describe('a recorded session', () => {
  test('replayed, gives the same answers to the same requests', async () => {
    const { file, results } = await record();
    const board = await connectBoard(await openTransport(`replay:${file}`));
    expect(await work(board)).toEqual(results);
    await board.close();
  });

  test('replayed, ends at the first request that differs and names it', async () => {
    const { file } = await record();
    const board = await connectBoard(await openTransport(`replay:${file}`));
    const { outcomes } = await work(board, 0.41).catch((error) => ({ outcomes: error }));
    expect(outcomes).toMatchObject({ reason: 'board-lost' });
    expect(outcomes.message).toMatch(/request \d+ is #\d+ Cells ops\[200\], but the recording has/);
    await board.close();
  });

  test('replayed further than it goes, says where it ends', async () => {
    const { file } = await record();
    const board = await connectBoard(await openTransport(`replay:${file}`));
    await work(board);
    await board.stop();
    await expect(board.readRows(1, 0, 1, 0.1, 1)).rejects.toThrow(/the recording ends before #\d+ ReadRows/);
    await board.close();
  });

  test('holds every frame both ways, undamaged, each request answered', async () => {
    const { file, results } = await record();
    const { header, frames, damaged, events } = readRecording(file);
    expect(header.url).toBe('virtual:ideal');
    expect(damaged).toEqual({ board: 0, host: 0 });
    expect(events.map(({ event }) => event)).toEqual([
      'port open: virtual:ideal',
      'port closed: the board was closed',
    ]);
    const exchanges = exchangesOf(frames);
    expect(exchanges.map(({ request }) => request.message.name).slice(0, 3)).toEqual([
      'Hello',
      'Describe',
      'ArrayInfo',
    ]);
    for (const { answers } of exchanges) expect(answers.length).toBeGreaterThan(0);
    const cells = exchanges.flatMap(({ request: { message } }) =>
      message.name === 'Cells' ? message.ops : [],
    );
    expect(cells).toHaveLength(results.outcomes.length);
  });

  test.each([
    ['with requests on their way', 120],
    ['between two jobs', 0],
  ])('that a reboot interrupted %s is interrupted at the same place again', async (_, after) => {
    const file = join(folder, 'session.ndjson');
    let applied = 0;
    const virtual = createVirtualBoard({
      profile: 'ideal',
      seed: 5,
      trace: () => {
        if (++applied === after) virtual.reboot();
      },
    });
    const job = async (board: Board, between: () => Promise<unknown>) => {
      const first = await board.readRows(0, 0, 4, 0.1, 1);
      await between();
      const outcomes = await board.cells(Array.from({ length: 10 }, () => pulses(0.4)).flat());
      return { first, outcomes, last: await board.readRows(0, 0, 32, 0.1, 1) };
    };
    // A busy machine must not look like a noisy line: how requests are cut depends on it, and a replay has no noise.
    const link = { minTimeout: 0.5, initialTimeout: 0.5 };
    const board = await connectBoard(inProcessTransport('virtual:ideal', virtual), { record: file, link });
    const results = await job(board, async () => {
      if (after > 0) return;
      virtual.reboot();
      while (board.counters.sessions < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    });
    const { sessions } = board.counters;
    await board.close();
    virtual.close();
    expect(sessions).toBe(2);
    expect(results.outcomes.some(({ status }) => status === 'unknown')).toBe(after > 0);

    const again = await connectBoard(await openTransport(`replay:${file}`));
    expect(await job(again, async () => {})).toEqual(results);
    await again.close();
  });

  test('in which the cable was pulled, goes on over the gap', async () => {
    const [file, link] = [join(folder, 'session.ndjson'), join(folder, 'board')];
    const virtual = createVirtualBoard({ profile: 'ideal', seed: 5 });
    let served = await servePty(virtual, { link });
    const job = async (board: Board, meanwhile: () => Promise<unknown>) => {
      const first = await board.readRows(0, 0, 4, 0.1, 1);
      const work = board.cells(Array.from({ length: 20 }, () => pulses(0.4)).flat());
      await meanwhile();
      return { first, outcomes: await work, last: await board.readRows(0, 0, 32, 0.1, 1) };
    };
    const board = await connectBoard(await openTransport(link), { record: file, reconnect: { within: 30 } });
    const { bytesReceived } = board.counters;
    const pause = () => new Promise((resolve) => setTimeout(resolve, 1));
    const results = await job(board, async () => {
      while (board.counters.bytesReceived < bytesReceived + 500) await pause();
      await served.close();
      served = await servePty(virtual, { link });
    });
    await board.close();
    await served.close();
    virtual.close();
    expect(results.outcomes).toEqual(results.outcomes.map(() => ({ status: 'applied' })));
    const { events } = readRecording(file);
    const [opened, closed] = [`port open: ${link}`, 'port closed: the port was'];
    expect(events.map(({ event }) => event)).toMatchObject([
      opened,
      `${closed} unplugged`,
      opened,
      `${closed} closed`,
    ]);

    const again = await connectBoard(await openTransport(`replay:${file}`));
    expect(await job(again, async () => {})).toEqual(results);
    await again.close();
  });

  test('cut off by a kill is read up to the last whole line', async () => {
    const { file } = await record();
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.slice(0, text.length / 2));
    expect(readRecording(file).frames.length).toBeGreaterThan(5);
  });

  test('that is damaged is refused with the line named', async () => {
    const { file } = await record();
    const lines = readFileSync(file, 'utf8').split('\n');
    lines[4] = lines[4].replace('"time"', '"tine"');
    writeFileSync(file, lines.join('\n'));
    expect(() => readRecording(file)).toThrow(
      /session\.ndjson line 5: field "time": is missing; give a file/,
    );
    writeFileSync(file, 'PNG');
    expect(() => readRecording(file)).toThrow(/line 1/);
    expect(() => readRecording(join(folder, 'none'))).toThrow(/cannot read the recording/);
  });
});

test('a recording that cannot be written ends the session instead of going on without', async () => {
  const virtual = createVirtualBoard({ profile: 'ideal', seed: 5 });
  const transport = inProcessTransport('virtual:ideal', virtual);
  await expect(connectBoard(transport, { record: join(folder, 'no/such/folder') })).rejects.toMatchObject({
    reason: 'disk',
  });
  virtual.close();
});
