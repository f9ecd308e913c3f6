import { appendFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Subject } from 'rxjs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { EventBody, MemloopEvent } from '../../src/shared/events.js';
import { type InfluxSink, startInflux } from '../../src/telemetry/index.js';
import { hasInfluxd, Influxd } from './influxd.js';

/** How long a condition may take to come true. */
const PATIENCE = { timeout: 20_000, interval: 10 };
const QUICK = { period: 0.02, retry: 0.02, maxRetry: 0.05, start: 2, close: 5 };

let stateDir: string;
let told: EventBody[];
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'memloop-influx-'));
  told = [];
});
afterEach(() => rmSync(stateDir, { recursive: true }));

const warnings = () =>
  told.flatMap((event) => (event.type === 'log' ? [`${event.level}: ${event.message}`] : []));

const pulse = (column: number, time = 1.7e9): MemloopEvent => ({
  type: 'pulses',
  time,
  status: 'applied',
  pulses: [{ array: 1, row: 2, column, voltage: 0.25, width: 1e-4 }],
});

describe('settings', () => {
  const start = (url: string) =>
    startInflux(new Subject(), { dir: 'r' }, { env: { MEMLOOP_INFLUX_URL: url }, stateDir });

  test.each([
    'memloop',
    'ftp://127.0.0.1/memloop',
    'http://127.0.0.1:8086',
    'http://127.0.0.1:8086/',
    'http://h/a/b',
  ])('a wrong URL is refused in one line: %s', async (url) => {
    await expect(start(url)).rejects.toMatchObject({
      reason: 'bad-input',
      message: expect.stringMatching(/^MEMLOOP_INFLUX_URL: [^\n]*it should look like[^\n]*$/),
    });
  });

  test('without MEMLOOP_INFLUX_URL nothing is sent or kept', async () => {
    expect(await startInflux(new Subject(), { dir: 'r' }, { env: {}, stateDir })).toBeUndefined();
    expect(readdirSync(stateDir)).toEqual([]);
  });
});

describe.skipIf(!hasInfluxd)('a real influxd (skipped where the influxd program is not installed)', () => {
  let server: Influxd;
  beforeAll(async () => {
    server = await Influxd.create();
    await server.start();
  });
  afterAll(() => server.remove());
  beforeEach(async () => {
    await server.start();
    await server.query('DROP DATABASE memloop');
  });

  const open = async (events: Subject<MemloopEvent>, options = {}): Promise<InfluxSink> => {
    const sink = await startInflux(
      events,
      { dir: 'runs/one' },
      {
        env: { MEMLOOP_INFLUX_URL: server.url },
        stateDir,
        emit: (event) => told.push(event),
        times: QUICK,
        ...options,
      },
    );
    if (!sink) throw new Error('no sink');
    return sink;
  };
  const columns = async () =>
    (await server.query('SELECT "column", voltage FROM pulse')).map(([, column]) => column);
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => String(from + i));

  test('gets every kind of event, in a database made for it', async () => {
    const events = new Subject<MemloopEvent>();
    const sink = await open(events);
    const time = 1.7e9;
    events.next({ type: 'accuracy', time, stage: 'programmed', accuracy: 0.41, samples: 360 });
    events.next({ type: 'log', time, level: 'warning', message: 'a "quoted", odd=one\\ with\nlines' });
    events.next({ type: 'stage', time, stage: 'only in the journal' });
    events.next({ type: 'run-finished', time, result: { softwareAccuracy: 0.97, passport: 'x' } });
    events.next({
      type: 'progress',
      time,
      stage: 'odd, =stage\\',
      done: 1,
      total: 2,
      units: 'cells',
      rate: 1e-7,
      timeLeft: Number.POSITIVE_INFINITY,
    });
    events.next({
      type: 'membrane',
      time,
      run: 3,
      samplePeriod: 1e-6,
      voltages: [[0.01, null, 0.03], []],
      label: 1,
      decision: 0,
    });
    events.next({
      type: 'conductance',
      time,
      array: 2,
      rows: 1,
      columns: 3,
      conductance: [1e-6, null, 3e-6],
    });
    await sink.close();
    expect(await server.query('SELECT run, stage, accuracy, samples FROM accuracy')).toEqual([
      [1.7e18, 'one', 'programmed', 0.41, 360],
    ]);
    expect(await server.query('SELECT level, message FROM log')).toEqual([
      [expect.any(Number), 'warning', 'a "quoted", odd=one\\ with\nlines'],
    ]);
    expect(await server.query('SELECT * FROM result')).toEqual([[expect.any(Number), 'one', 0.97]]);
    expect(await server.query('SELECT stage, rate FROM progress')).toEqual([
      [expect.any(Number), 'odd, =stage', 1e-7],
    ]);
    expect(await server.query('SELECT neuron, mean, lost FROM membrane')).toEqual([
      [expect.any(Number), '0', 0.02, 1],
      [expect.any(Number), '1', null, 0],
    ]);
    expect(await server.query('SELECT correct FROM decision')).toEqual([[expect.any(Number), 0]]);
    expect(await server.query('SELECT array, mean, least, most, cells FROM conductance')).toEqual([
      [expect.any(Number), '2', 2e-6, 1e-6, 3e-6, 2],
    ]);
    expect(told).toEqual([]);
  });

  test('killed in the middle and started again has every point once, in order', async () => {
    const events = new Subject<MemloopEvent>();
    const sink = await open(events);
    let column = 0;
    const send = async (pulses: number) => {
      for (const end = column + pulses; column < end; column++) {
        events.next(pulse(column));
        // Over time, so that the kill and the start come in the middle of it.
        if (column % 100 === 0) await sleep(2);
      }
    };
    await send(3000);
    const killed = server.kill();
    await send(3000);
    await killed;
    await send(3000);
    await vi.waitFor(
      () => expect(warnings()).toContainEqual(expect.stringContaining('cannot be reached')),
      PATIENCE,
    );
    const started = server.start();
    await send(3000);
    await started;
    await send(1000);
    await sink.close();
    expect(await columns()).toEqual(range(0, column));
    expect(warnings()).toEqual([
      expect.stringMatching(/^warning: .* cannot be reached/),
      expect.stringMatching(/^info: .* is back/),
    ]);
  });

  test('that is away for a whole run gets its points from the next one', async () => {
    await server.kill();
    const events = new Subject<MemloopEvent>();
    const first = await open(events);
    for (let column = 0; column < 12_000; column++) events.next(pulse(column));
    await first.close();
    expect(warnings()).toEqual([
      expect.stringMatching(/cannot be reached \(connect ECONNREFUSED.*kept on disk$/),
      expect.stringMatching(/the next run delivers them$/),
    ]);
    await server.start();
    const second = await open(events);
    events.next(pulse(12_000, 1.7e9 + 1));
    await second.close();
    expect(await columns()).toEqual(range(0, 12_001));
    expect(readdirSync(join(stateDir, 'influx'))).toHaveLength(1);
    expect(readdirSync(join(stateDir, 'influx', readdirSync(join(stateDir, 'influx'))[0] as string))).toEqual(
      [],
    );
  });

  test('gets what a killed process left, its half line and damage aside', async () => {
    const sink = await open(new Subject());
    const place = join(stateDir, 'influx', readdirSync(join(stateDir, 'influx'))[0] as string);
    await sink.close();
    const gone = 2 ** 22 + 1;
    const line = (column: number) =>
      `${JSON.stringify({ measurement: 'pulse', tags: { column: String(column) }, fields: { voltage: 1 }, timestamp: String(column + 1) })}\n`;
    const left = join(place, `1000-abcd-${gone}.points`);
    writeFileSync(left, `${line(0)}{"measurement":7}\n${line(1)}`);
    appendFileSync(left, line(2).slice(0, 20));
    await (await open(new Subject())).close();
    expect(await columns()).toEqual(range(0, 2));
    expect(warnings()).toEqual([expect.stringMatching(/1 damaged lines/)]);
    expect(readdirSync(place)).toEqual([]);
  });

  test('that stays away costs a bounded file and a warning', async () => {
    await server.kill();
    const events = new Subject<MemloopEvent>();
    const sink = await open(events, { maxBytes: 20_000 });
    events.next(pulse(0));
    await vi.waitFor(() => expect(warnings()).toHaveLength(1), PATIENCE);
    for (let column = 1; column < 1000; column++) events.next(pulse(column));
    await server.start();
    await vi.waitFor(() => expect(warnings().at(-1)).toContain('is back'), PATIENCE);
    events.next(pulse(1000));
    await sink.close();
    const kept = (await columns()).length;
    expect(kept).toBeGreaterThan(50);
    expect(kept).toBeLessThan(200);
    expect((await columns()).at(-1)).toBe('1000');
    expect(warnings()).toEqual([
      expect.stringMatching(/cannot be reached/),
      expect.stringMatching(/new ones are dropped/),
      `warning: ${1001 - kept} points for InfluxDB were dropped while it could not be reached`,
      expect.stringMatching(/is back/),
    ]);
  });

  test('that loses its database gets it again', async () => {
    const events = new Subject<MemloopEvent>();
    const sink = await open(events);
    await server.query('DROP DATABASE memloop');
    events.next(pulse(0));
    await vi.waitFor(async () => expect(await columns()).toEqual(['0']), PATIENCE);
    await sink.close();
    expect(await columns()).toEqual(['0']);
  });

  test('that refuses points of a wrong type says so and takes the others', async () => {
    const events = new Subject<MemloopEvent>();
    const sink = await open(events);
    await fetch(`http://127.0.0.1:${server.port}/write?db=memloop`, {
      method: 'POST',
      body: 'accuracy accuracy="text" 1700000000000000000',
    });
    events.next({ type: 'accuracy', time: 1.7e9, stage: 'software', accuracy: 0.9, samples: 1 });
    events.next(pulse(0));
    await sink.close();
    expect(await columns()).toEqual(['0']);
    expect(warnings()).toEqual([expect.stringMatching(/refuses some points: .*field type conflict/)]);
  });
});

describe.skipIf(!hasInfluxd)(
  'influxd with a login (skipped where the influxd program is not installed)',
  () => {
    test('takes the right password; a wrong one is one line that does not repeat it', async () => {
      const server = await Influxd.create({ auth: true });
      try {
        await server.start();
        await server.query(`CREATE USER ada WITH PASSWORD 's3cret' WITH ALL PRIVILEGES`);
        const events = new Subject<MemloopEvent>();
        const open = (password: string) =>
          startInflux(
            events,
            { dir: 'runs/one' },
            {
              env: {
                MEMLOOP_INFLUX_URL: server.url,
                MEMLOOP_INFLUX_USERNAME: 'ada',
                MEMLOOP_INFLUX_PASSWORD: password,
              },
              stateDir,
              times: QUICK,
            },
          );
        const refused = await open('wr0ng').catch((error) => error);
        expect(refused).toMatchObject({ reason: 'bad-input' });
        expect(refused.message).toMatch(/^InfluxDB at http:[^\n]*refuses the credentials[^\n]*$/);
        expect(refused.message).not.toContain('wr0ng');
        const sink = await open('s3cret');
        events.next(pulse(0));
        await sink?.close();
        expect(
          await server.query('SELECT voltage FROM pulse', { name: 'ada', password: 's3cret' }),
        ).toHaveLength(1);
      } finally {
        await server.remove();
      }
    });
  },
);
