import { spawn } from 'node:child_process';
import {
  appendFileSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lastValueFrom, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EventBody, MemloopEvent } from '../../src/shared/events.js';
import {
  followRun,
  isRunning,
  JOURNAL,
  latestRun,
  openRun,
  readJournal,
  readRun,
  replayJournal,
} from '../../src/telemetry/index.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'memloop-journal-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const at = (time: number, body: EventBody): MemloopEvent => ({ ...body, time });
const stage = (time: number): MemloopEvent => at(time, { type: 'stage', stage: `stage ${time}` });
const link = (time: number, requests: number): MemloopEvent =>
  at(time, {
    type: 'link',
    state: 'connected',
    requests,
    retries: 0,
    crcErrors: 0,
    duplicates: 0,
    lostSamples: 0,
    bytesSent: 0,
    bytesReceived: 0,
    roundTrip: 1e-3,
    inFlight: 1,
  });
const map = (time: number, conductance: number): MemloopEvent =>
  at(time, { type: 'conductance', array: 0, rows: 1, columns: 2, conductance: [conductance, conductance] });

const openTest = (dir = root) => openRun(dir, { command: 'test', argv: ['test', '--seed', '3'] });

async function collect<T>(events: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const event of events) all.push(event);
  return all;
}

describe('a run folder', () => {
  test('gives back what was appended and tells of the run', async () => {
    const run = await openTest();
    const events = [
      at(1, { type: 'run-started', command: 'test', version: '1', seed: 3, backend: 'wasm' }),
      at(2, { type: 'accuracy', stage: 'software', accuracy: 0.97, samples: 360 }),
      at(3, { type: 'run-finished', result: { softwareAccuracy: 0.97 } }),
    ];
    for (const event of events) run.append(event);
    expect(isRunning(await readRun(root))).toBe(true);
    await run.close();
    expect(await collect(readJournal(join(root, JOURNAL)))).toEqual(events);
    const record = await readRun(root);
    expect(record).toMatchObject({
      command: 'test',
      argv: ['test', '--seed', '3'],
      node: process.versions.node,
      seed: 3,
      backend: 'wasm',
      result: { softwareAccuracy: 0.97 },
    });
    expect(isRunning(record)).toBe(false);
    expect(readdirSync(root).sort()).toEqual(['events.ndjson', 'run.json']);
  });

  test('is not made by a command that was refused before it did anything', async () => {
    const run = await openTest(join(root, 'new'));
    run.append(at(1, { type: 'log', level: 'error', message: 'no such file' }));
    await run.close();
    expect(readdirSync(root)).toEqual([]);
  });

  test('in a place where none can be made is refused in one line', async () => {
    writeFileSync(join(root, 'file'), '');
    await expect(openTest(join(root, 'file'))).rejects.toMatchObject({ reason: 'bad-input' });
    await expect(openTest(join(root, 'file', 'deeper'))).rejects.toThrow(/^[^\n]*file: not a folder[^\n]*$/);
  });

  test('takes a second run, and drops the half line that a kill left', async () => {
    const first = await openTest();
    first.append(stage(1));
    await first.close();
    appendFileSync(join(root, JOURNAL), '{"type":"stage","sta');
    const second = await openTest();
    second.append(stage(2));
    await second.close();
    expect(await collect(readJournal(join(root, JOURNAL)))).toEqual([stage(1), stage(2)]);
  });

  test('stores a warning instead of an event that no reader would accept', async () => {
    const run = await openTest();
    run.append(at(1, { type: 'training', phase: 'offline', epoch: 1, epochs: 2, loss: Number.NaN }));
    await run.close();
    expect(await collect(readJournal(join(root, JOURNAL)))).toEqual([
      at(1, {
        type: 'log',
        level: 'warning',
        message: expect.stringContaining('training event was not stored'),
      }),
    ]);
  });

  test('is found as the latest of its siblings', async () => {
    for (const name of ['b', 'a']) {
      const run = await openTest(join(root, name));
      run.append(stage(1));
      await run.close();
    }
    writeFileSync(join(root, 'stray'), '');
    expect(await latestRun(root)).toBe(join(root, 'a'));
    expect(await latestRun(join(root, 'nowhere'))).toBeUndefined();
  });

  test('loses nothing acknowledged when the process is killed', async () => {
    const script = fileURLToPath(new URL('appender.ts', import.meta.url));
    const code = `import('vite').then(({ runnerImport }) => runnerImport(${JSON.stringify(script)}))`;
    // A pipe would be full, and its writer would wait or fail, whenever this process is slow.
    const acknowledged = join(root, 'acknowledged');
    const child = spawn(process.execPath, ['-e', code], {
      env: { ...process.env, RUN_DIR: root },
      stdio: ['ignore', openSync(acknowledged, 'w'), 'pipe'],
    });
    let complaint = '';
    child.stderr?.on('data', (data) => {
      complaint += data;
    });
    const watch = setInterval(() => statSync(acknowledged).size > 20_000 && child.kill('SIGKILL'), 5);
    await new Promise<void>((resolve, reject) => {
      child.on('close', (_, signal) => (signal === 'SIGKILL' ? resolve() : reject(new Error(complaint))));
    }).finally(() => clearInterval(watch));
    const told = readFileSync(acknowledged, 'utf8');
    const last = Number(told.slice(0, told.lastIndexOf('\n')).split('\n').at(-1));
    const cells = (await collect(readJournal(join(root, JOURNAL)))).map(
      (event) => event.type === 'pulses' && event.pulses[0]?.column,
    );
    expect(last).toBeGreaterThan(1000);
    expect(cells.length).toBeGreaterThan(last);
    expect(cells).toEqual(cells.map((_, i) => i));
    expect(isRunning(await readRun(root))).toBe(false);
  });
});

describe('a journal', () => {
  const file = () => join(root, 'events.ndjson');
  const lines = (...events: unknown[]) => events.map((event) => `${JSON.stringify(event)}\n`).join('');

  test('is read to its last whole line', async () => {
    writeFileSync(file(), `${lines(stage(1), stage(2))}{"type":"sta`);
    expect(await collect(readJournal(file()))).toEqual([stage(1), stage(2)]);
  });

  test('is read across the borders of what is read at once', async () => {
    const long = at(1, { type: 'log', level: 'info', message: 'µ'.repeat(150_000) });
    writeFileSync(file(), lines(long, stage(2), long));
    expect(await collect(readJournal(file()))).toEqual([long, stage(2), long]);
  });

  test('with a bad line is refused by file and line', async () => {
    writeFileSync(file(), `${lines(stage(1))}nonsense\n`);
    await expect(collect(readJournal(file()))).rejects.toThrow(
      /events\.ndjson:2 is not JSON: .*; remove this line/,
    );
    writeFileSync(
      file(),
      lines(stage(1), stage(2), { type: 'accuracy', time: 1, stage: 'software', accuracy: 7 }),
    );
    await expect(collect(readJournal(file()))).rejects.toThrow(/events\.ndjson:3: .*accuracy/);
    await expect(collect(readJournal(join(root, 'none')))).rejects.toMatchObject({ reason: 'bad-file' });
  });

  test('is followed while it grows, half lines and all, until the run has ended', async () => {
    const run = await openTest();
    run.append(stage(1));
    const seen: MemloopEvent[] = [];
    for await (const event of followRun(root, { poll: 0.005 })) {
      seen.push(event);
      if (event.time === 1) {
        const text = lines(stage(2));
        appendFileSync(file(), text.slice(0, 9));
        setTimeout(() => appendFileSync(file(), text.slice(9)), 30);
      }
      if (event.time === 2) {
        run.append(at(3, { type: 'run-finished', result: {} }));
        setTimeout(() => {
          run.append(stage(4));
          void run.close();
        }, 30);
      }
    }
    expect(seen).toEqual([stage(1), stage(2), at(3, { type: 'run-finished', result: {} }), stage(4)]);
  });

  test('stops being followed when aborted', async () => {
    const run = await openTest();
    run.append(stage(1));
    const abort = new AbortController();
    const seen: MemloopEvent[] = [];
    for await (const event of followRun(root, { poll: 0.005, signal: abort.signal })) {
      seen.push(event);
      setTimeout(() => abort.abort(), 20);
    }
    expect(seen).toEqual([stage(1)]);
    await run.close();
  });

  test('is replayed in order, and its damage is an error of the replay', async () => {
    writeFileSync(file(), lines(stage(1), stage(500), stage(501)));
    const replay = (speed: number) => lastValueFrom(replayJournal(file(), { speed }).pipe(toArray()));
    expect(await replay(Number.POSITIVE_INFINITY)).toEqual([stage(1), stage(500), stage(501)]);
    expect(await replay(1e6)).toHaveLength(3);
    appendFileSync(file(), 'x\n');
    await expect(replay(1e6)).rejects.toMatchObject({ reason: 'bad-file' });
  });
});

describe('thinning', () => {
  const store = async (events: MemloopEvent[]) => {
    const run = await openTest();
    for (const event of events) run.append(event);
    await run.close();
    return collect(readJournal(join(root, JOURNAL)));
  };

  test('keeps one link event a second, the newest at a stage, and every change of state', async () => {
    const lost = { ...link(3.2, 9), state: 'lost' } as MemloopEvent;
    const stored = await store([
      link(1, 1),
      link(1.2, 2),
      link(1.4, 3),
      stage(2),
      link(3, 5),
      link(3.1, 8),
      lost,
    ]);
    expect(stored).toEqual([link(1, 1), link(1.4, 3), stage(2), link(3, 5), lost]);
  });

  test('keeps the last map of an array, with what was learnt of its cells since', async () => {
    const cell = at(2, {
      type: 'cell',
      array: 0,
      row: 0,
      column: 1,
      conductance: 7e-6,
      pulses: 1,
      energy: 1e-9,
      status: 'in-tolerance',
    });
    const stored = await store([map(1, 1e-6), map(1.1, 2e-6), cell]);
    expect(stored).toEqual([
      map(1, 1e-6),
      cell,
      at(1.1, { type: 'conductance', array: 0, rows: 1, columns: 2, conductance: [2e-6, 7e-6] }),
    ]);
  });

  test('never drops a pulse, a cell or an accuracy', async () => {
    const pulses = (time: number) =>
      at(time, {
        type: 'pulses',
        status: 'applied',
        pulses: [{ array: 0, row: 0, column: 0, voltage: 0.1 + time, width: 1e-4 }],
      });
    const events = Array.from({ length: 500 }, (_, i) => pulses(i / 1e4));
    expect(await store(events)).toEqual(events);
  });

  test('keeps at most 200 samples a neuron, spread over the run', async () => {
    const voltages = [Array.from({ length: 1000 }, (_, i) => (i === 10 ? null : i * 1e-3 + 3e-7))];
    const [stored] = await store([at(1, { type: 'membrane', run: 1, samplePeriod: 1e-6, voltages })]);
    if (stored?.type !== 'membrane') throw new Error('no membrane event');
    expect(stored.samplePeriod).toBeCloseTo(5e-6, 12);
    expect(stored.voltages[0]).toHaveLength(200);
    expect(stored.voltages[0]?.slice(0, 4)).toEqual([0, 0.005, null, 0.015]);
  });

  test('keeps a journal small: 20 minutes of everything at 10 Hz', async () => {
    const conductance = Array.from({ length: 4096 }, (_, i) => 2e-6 + i * 1.23456789e-9);
    const voltages = Array.from({ length: 10 }, () =>
      Array.from({ length: 1000 }, (_, i) => Math.sin(i) / 10),
    );
    const run = await openTest();
    for (let i = 0; i < 12_000; i++) {
      const time = 1.7e9 + i / 10;
      run.append(link(time, i));
      run.append(at(time, { type: 'conductance', array: 0, rows: 64, columns: 64, conductance }));
      run.append(at(time, { type: 'membrane', run: i, samplePeriod: 1e-6, voltages }));
    }
    await run.close();
    expect(readFileSync(join(root, JOURNAL)).length).toBeLessThan(20e6);
  });
});
