import { Subject } from 'rxjs';
import { describe, expect, test } from 'vitest';
import type { EventBody, MemloopEvent } from '../../src/shared/events.js';
import { jsonLines, plainLines, summary } from '../../src/tui/lines.js';
import { initialState, reduce } from '../../src/tui/state.js';
import { syntheticRun } from './synthetic.js';

function linesOf(listen: typeof plainLines, events: Iterable<MemloopEvent>): string[] {
  const subject = new Subject<MemloopEvent>();
  const lines: string[] = [];
  listen(subject, (line) => lines.push(line));
  for (const event of events) subject.next(event);
  return lines;
}

const SMALL = { arrays: 2, rows: 8, columns: 8, start: 0 };

const link = (state: 'connected' | 'lost' | 'closed'): EventBody => ({
  type: 'link',
  state,
  requests: 1,
  retries: 0,
  crcErrors: 0,
  duplicates: 0,
  lostSamples: 0,
  bytesSent: 0,
  bytesReceived: 0,
  roundTrip: 0,
  inFlight: 0,
});

describe('plain lines', () => {
  const lines = linesOf(plainLines, syntheticRun(SMALL));

  test('tell a run from its start to its end', () => {
    const order = [
      'training: digits, 64-32-10 and 10 MIF neurons',
      'software accuracy 97.2 % (360 samples)',
      'programmed accuracy 41.4 % (360 samples)',
      'warning: column 17 of array 1 saturates; its range was raised',
      'fine-tuned accuracy 96.4 % (360 samples)',
    ];
    expect(lines.filter((line) => order.includes(line))).toEqual(order);
  });

  test('are few, one line each, without escape codes', () => {
    expect(lines.length).toBeLessThan(60);
    for (const line of lines) expect(line).toMatch(/^[^\p{Cc}]+$/u);
  });

  test('tell when the link is lost and back, not that all is well with it', () => {
    const states = ['connected', 'connected', 'lost', 'connected', 'closed'] as const;
    const events = states.map((state, i) => ({ ...link(state), time: i }));
    expect(linesOf(plainLines, events)).toEqual(['warning: link lost', 'link connected']);
  });

  test('tell progress every few seconds, with rate and time left', () => {
    const progress = Array.from(
      { length: 100 },
      (_, i): MemloopEvent => ({
        type: 'progress',
        time: i / 4,
        stage: 'program',
        done: i * 10,
        total: 1000,
        units: 'cells',
        rate: 40,
        timeLeft: 75,
      }),
    );
    expect(linesOf(plainLines, progress)).toEqual([
      'program: 0 %, 0 of 1,000 cells, 40/s, 1:15 left',
      'program: 20 %, 200 of 1,000 cells, 40/s, 1:15 left',
      'program: 40 %, 400 of 1,000 cells, 40/s, 1:15 left',
      'program: 60 %, 600 of 1,000 cells, 40/s, 1:15 left',
      'program: 80 %, 800 of 1,000 cells, 40/s, 1:15 left',
    ]);
  });
});

describe('JSON lines', () => {
  const events = linesOf(jsonLines, syntheticRun(SMALL)).map((line) => JSON.parse(line) as MemloopEvent);

  test('leave out what is bulky, and the result, which the command prints', () => {
    const types = new Set(events.map(({ type }) => type));
    expect([...types].sort()).toEqual(
      ['accuracy', 'board', 'link', 'log', 'progress', 'run-started', 'stage', 'training'].sort(),
    );
    expect(events.filter(({ type }) => type === 'link').length).toBeLessThan(60);
  });

  test('tell every pulse that was not applied, and every change of the link', () => {
    const pulse = { array: 0, row: 0, column: 0, voltage: 1, width: 1e-4 };
    const bodies: EventBody[] = [
      { type: 'pulses', status: 'applied', pulses: [pulse] },
      { type: 'pulses', status: 'unknown', pulses: [pulse] },
      link('connected'),
      link('connected'),
      link('lost'),
    ];
    const told = linesOf(
      jsonLines,
      bodies.map((body) => ({ ...body, time: 1 })),
    ).map((line) => JSON.parse(line));
    expect(told.map(({ status, state }) => status ?? state)).toEqual(['unknown', 'connected', 'lost']);
  });
});

describe('the summary', () => {
  const stateOf = (events: Iterable<MemloopEvent>) => [...events].reduce(reduce, initialState);
  const run = [...syntheticRun(SMALL)];

  test('of a finished run gives its time and warnings', () => {
    expect(summary(stateOf(run))).toEqual([
      'memloop demo finished in 0:58',
      '  warning: column 17 of array 1 saturates; its range was raised',
    ]);
  });

  test('of a run that was stopped gives the accuracies so far', () => {
    const programmed = run.findIndex((event) => event.type === 'accuracy' && event.stage === 'programmed');
    expect(summary(stateOf(run.slice(0, programmed + 1)))).toEqual([
      'memloop demo ended after 0:28',
      '  accuracy: software 97.2 %, programmed 41.4 %',
    ]);
  });
});
