import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LineNoise } from '../../../src/driver/link/line-noise.js';
import type { LinkAction } from '../../../src/driver/link/link-machine.js';
import { linkOptions } from '../../../src/driver/link/link-options.js';
import { applied, NO_FAULTS, pulses, World } from './world.js';

const LOSSY = { ...NO_FAULTS, lose: 1 };

describe('exactly once or unknown', () => {
  const chance = (max: number) => fc.double({ min: 0, max, noNaN: true });
  const faults = fc.record({
    drop: chance(0.003),
    flip: chance(0.003),
    double: chance(0.003),
    insert: chance(0.003),
    lose: chance(0.2),
    repeat: chance(0.2),
    late: chance(0.2),
  });
  const schedule = fc.record({
    seed: fc.integer(),
    faults,
    /** Polls of the firmware a millisecond: a slow board has requests waiting when it reboots. */
    polls: fc.constantFrom(1, 3, 20, 1000),
    batches: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 5, maxLength: 60 }),
    /** When the board reboots or the port is lost, s. */
    reboots: fc.array(chance(1.5), { maxLength: 3 }),
    unplugs: fc.array(chance(1.5), { maxLength: 2 }),
  });

  test('no pulse is applied twice, none is believed applied that was not, and every request ends', () => {
    const seen = { applied: 0, unknown: 0, 'not-sent': 0, refused: 0, failed: 0, withdrawn: 0 };
    fc.assert(
      fc.property(schedule, ({ seed, faults, polls, batches, reboots, unplugs }) => {
        const world = new World(seed);
        world.reattach = 0.1;
        world.polls = polls;
        world.faults = faults;
        world.start();
        const incidents = [
          ...reboots.map((at) => ({ at, happen: () => world.reboot() })),
          ...unplugs.map((at) => ({ at, happen: () => world.unplug() })),
        ].sort((a, b) => a.at - b.at);
        let next = 0;
        const firsts: number[] = [];
        for (const [i, size] of batches.entries()) {
          while (incidents[0] && incidents[0].at <= world.now) incidents.shift()?.happen();
          world.run(0.03 * world.random.uniform());
          if (i % 5 === 4) {
            world.request({ name: 'Ping' });
            firsts.push(next);
            continue;
          }
          firsts.push(next);
          world.request(pulses(next, size), { effect: true });
          next += size;
        }
        world.run(1.5 - world.now);
        for (const { happen } of incidents) happen();
        // The wire heals, so that every request must come to its end.
        world.run(0.5);
        world.faults = NO_FAULTS;
        world.run(20, () => world.outcomes.every((outcome) => outcome !== undefined));

        const trace = applied(world);
        const times = new Map<number, number>();
        for (const n of trace) times.set(n, (times.get(n) ?? 0) + 1);
        expect(Math.max(0, ...times.values())).toBeLessThanOrEqual(1);
        // In order, too: what came later never overtakes.
        expect(trace).toEqual([...trace].sort((a, b) => a - b));
        for (const [i, size] of batches.entries()) {
          const outcome = world.outcomes[i];
          expect(outcome).toBeDefined();
          seen[outcome!]++;
          if (i % 5 === 4) continue;
          const there = Array.from({ length: size }, (_, k) => times.get(firsts[i] + k) ?? 0);
          if (outcome === 'applied') expect(there).toEqual(there.map(() => 1));
          if (outcome === 'not-sent') expect(there).toEqual(there.map(() => 0));
        }
      }),
      { numRuns: 60 },
    );
    // The schedules must have met every kind of end, or the property says little.
    expect(seen.applied).toBeGreaterThan(100);
    expect(seen.unknown).toBeGreaterThan(5);
    expect(seen['not-sent']).toBeGreaterThan(5);
  });

  test('a lost request is sent again and applied once', () => {
    const world = World.connected();
    world.toBoard.faults = LOSSY;
    world.request(pulses(0, 3), { effect: true });
    world.run(0.005);
    world.toBoard.faults = NO_FAULTS;
    world.run(1);
    expect(world.outcomes).toEqual(['applied']);
    expect(applied(world)).toEqual([0, 1, 2]);
  });

  test('a lost answer is given again, its request is not executed again', () => {
    const world = World.connected();
    world.toHost.faults = LOSSY;
    world.request(pulses(0, 3), { effect: true });
    world.run(0.005);
    world.toHost.faults = NO_FAULTS;
    world.run(1);
    expect(world.outcomes).toEqual(['applied']);
    expect(world.sentOf('Cells').length).toBeGreaterThan(1);
    expect(applied(world)).toEqual([0, 1, 2]);
  });

  test('a gap makes the board refuse what follows, and all of it is sent again without a time-out', () => {
    const world = World.connected(1, { initialTimeout: 5, minTimeout: 5, maxTimeout: 5 });
    world.toBoard.faults = LOSSY;
    world.request(pulses(0, 1), { effect: true });
    world.toBoard.faults = NO_FAULTS;
    world.request(pulses(1, 1), { effect: true });
    world.request(pulses(2, 1), { effect: true });
    world.run(0.01);
    expect(world.outcomes).toEqual(['applied', 'applied', 'applied']);
    expect(applied(world)).toEqual([0, 1, 2]);
    expect(world.sentOf('Cells')).toHaveLength(6);
  });

  test('after a reboot a sent pulse is unknown, an unsent one is not sent, a read is repeated', () => {
    const world = World.connected();
    world.polls = 0;
    const sent = Array.from({ length: 6 }, (_, i) => world.request(pulses(i, 1), { effect: true }));
    const read = world.request({
      name: 'ReadRows',
      array: 0,
      firstRow: 0,
      rowCount: 1,
      code: 100,
      samples: 1,
    });
    const unsent = world.request(pulses(6, 1), { effect: true });
    world.run(0.01);
    world.reboot();
    world.polls = 1000;
    world.run(1);
    expect(sent.map((tag) => world.outcomes[tag])).toEqual(sent.map(() => 'unknown'));
    expect(world.outcomes[unsent]).toBe('not-sent');
    expect(world.outcomes[read]).toBe('applied');
    expect(applied(world)).toEqual([]);
    expect(world.count('session-lost')).toBe(1);
  });

  test('a port lost and found again resumes the session: nothing is unknown', () => {
    const world = World.connected();
    world.toHost.faults = LOSSY;
    world.request(pulses(0, 2), { effect: true });
    world.run(0.01);
    world.unplug();
    world.toHost.faults = NO_FAULTS;
    world.request(pulses(2, 2), { effect: true });
    world.run(1);
    expect(world.outcomes).toEqual(['applied', 'applied']);
    expect(applied(world)).toEqual([0, 1, 2, 3]);
    expect(world.actions).toContainEqual(expect.objectContaining({ do: 'connected', resumed: true }));
  });

  test('a Hello from before, late on the wire, does not end the session', () => {
    const world = World.connected();
    const [hello] = world.sentOf('Hello');
    world.unplug();
    world.run(0.3);
    const before = world.machine.counters.sessions;
    world.act([{ do: 'send', message: hello.message as never, session: 0, sequence: 0 }]);
    world.run(0.01);
    world.request(pulses(0, 1), { effect: true });
    world.run(0.1);
    expect(world.outcomes).toEqual(['applied']);
    expect(world.machine.counters.sessions).toBe(before);
  });

  test('an answer of an earlier session, late on the wire, is not believed', () => {
    const world = World.connected();
    const { session } = world.machine.hello!;
    world.request({ name: 'Ping' });
    world.run(0.1);
    const { sequence } = world.sentOf('Ping').at(-1)!;
    world.reboot();
    world.run(0.2);
    world.toBoard.faults = LOSSY;
    while (world.sent.at(-1)!.sequence < sequence) world.request(pulses(0, 1), { effect: true });
    const late = { name: 'CellsReply' as const, results: [{ status: 'OK' as const, count: 0 }] };
    world.act(world.machine.frame({ message: late, session, sequence }, world.now));
    expect(world.outcomes.slice(1).every((outcome) => outcome === undefined)).toBe(true);
  });

  test('sequence numbers come round after 2^32 requests, over a bad line too', () => {
    const world = new World(1, {}, 2 ** 32 - 20).start();
    world.run(0.02);
    world.faults = { ...NO_FAULTS, lose: 0.1, repeat: 0.1, late: 0.1 };
    for (let n = 0; n < 60; n++) world.request(pulses(3 * n, 3), { effect: true });
    world.run(20, () => world.outcomes.every((outcome) => outcome !== undefined));
    expect(world.outcomes).toEqual(Array.from({ length: 60 }, () => 'applied'));
    expect(applied(world)).toEqual(Array.from({ length: 180 }, (_, n) => n));
    const requests = world.sent.filter(({ message }) => message.name !== 'Hello');
    const sequences = new Set(requests.map(({ sequence }) => sequence));
    expect([2 ** 32 - 1, 0, 1].filter((sequence) => sequences.has(sequence))).toHaveLength(3);
    expect(world.machine.counters.sessions).toBe(1);
  });

  test('an announced reboot is only believed when the board no longer knows the session', () => {
    const world = World.connected();
    const message = { name: 'Notice' as const, code: 'BOOTED' as const, detail: 12345 };
    world.act(world.machine.frame({ message, session: 0, sequence: 0 }, world.now));
    world.run(0.1);
    expect(world.count('session-lost')).toBe(0);
    world.reboot();
    world.run(0.1);
    expect(world.count('session-lost')).toBe(1);
    expect(world.machine.state).toBe('connected');
  });
});

describe('on a line that loses frames', () => {
  const NEVER = { initialTimeout: 5, minTimeout: 5, maxTimeout: 5, heartbeat: 5, lostAfter: 30 };

  test('an answer that overtakes an earlier one tells that it was lost: it is asked for by a Ping, at once', () => {
    const world = World.connected(1, NEVER);
    world.toHost.faults = LOSSY;
    const lost = world.request(pulses(0, 3), { effect: true });
    world.run(0.003);
    world.toHost.faults = NO_FAULTS;
    const next = world.request(pulses(3, 3), { effect: true });
    world.run(0.02);
    expect([lost, next].map((tag) => world.outcomes[tag])).toEqual(['applied', 'applied']);
    expect(applied(world)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(world.sentOf('Cells')).toHaveLength(2);
    expect(world.sentOf('Ping')).toHaveLength(1);
  });

  test('a gap that comes again is seen again without a time-out', () => {
    const world = World.connected(1, NEVER);
    const [first] = [world.request(pulses(0, 1), { effect: true })];
    world.toBoard.faults = LOSSY;
    world.run(0.01);
    // The repeats of the first one are lost too, until the line is whole.
    for (let n = 1; n < 5; n++) {
      world.toBoard.faults = LOSSY;
      world.request(pulses(2 * n, 1), { effect: true });
      world.toBoard.faults = NO_FAULTS;
      world.request(pulses(2 * n + 1, 1), { effect: true });
      world.run(0.02);
    }
    expect(world.outcomes[first]).toBe('applied');
    expect(world.outcomes).toEqual(world.outcomes.map(() => 'applied'));
  });

  test('a damaged frame makes it ask for the answer again', () => {
    const world = World.connected(1, NEVER);
    world.toHost.faults = { ...NO_FAULTS, flip: 1 };
    world.request(pulses(0, 2), { effect: true });
    world.run(0.002);
    world.toHost.faults = NO_FAULTS;
    world.run(0.02);
    expect(world.outcomes).toEqual(['applied']);
    expect(applied(world)).toEqual([0, 1]);
  });

  test('a request with pulses is never withdrawn, a large read is, and every request ends', () => {
    fc.assert(
      fc.property(fc.integer(), fc.double({ min: 2e-4, max: 1.5e-3, noNaN: true }), (seed, rate) => {
        const world = World.connected(seed);
        world.faults = { ...NO_FAULTS, drop: rate, flip: rate, double: rate, insert: rate };
        const reads = Array.from({ length: 4 }, (_, i) => {
          const codes = new Int16Array(1000).fill(100);
          world.request(pulses(40 * i, 40), { effect: true, divisible: 10_000 });
          return world.request(
            { name: 'Multiply', array: 0, range: 0, samples: 1, codes },
            { divisible: 4000 },
          );
        });
        world.run(60, () => world.outcomes.every((outcome) => outcome !== undefined));
        for (const [tag, outcome] of world.outcomes.entries())
          expect(reads.includes(tag) ? ['applied', 'withdrawn'] : ['applied']).toContain(outcome);
        expect(applied(world)).toEqual(Array.from({ length: 160 }, (_, n) => n));
        expect(world.machine.counters.sessions).toBe(1);
      }),
      { numRuns: 40 },
    );
  });

  test('sizes and windows follow the loss, and recover', () => {
    const noise = new LineNoise();
    noise.passed(1e6);
    expect(noise.budget).toBe(Infinity);
    expect(noise.window(7)).toBe(7);
    const measured = (rate: number) => {
      for (let i = 0; i < 200; i++) {
        noise.passed(1 / rate);
        noise.lost();
      }
      return noise;
    };
    for (const rate of [1e-4, 5e-4, 2e-3]) {
      expect(measured(rate).rate / rate).toBeGreaterThan(0.5);
      expect(measured(rate).rate / rate).toBeLessThan(2);
    }
    expect(noise.budget).toBeGreaterThan(100);
    expect(noise.budget).toBeLessThan(300);
    expect(noise.window(7)).toBeLessThan(5);
    for (let i = 0; i < 1000; i++) noise.passed(1000);
    expect(noise.budget).toBe(Infinity);
  });
});

describe('window', () => {
  test('at most WINDOW − 1 ordinary requests are unanswered; Stop may take the last place', () => {
    const world = World.connected();
    world.polls = 0;
    for (let i = 0; i < 20; i++) world.request({ name: 'Ping' });
    expect(world.machine.inFlight).toBe(7);
    world.request({ name: 'Stop' }, { urgent: true });
    expect(world.machine.inFlight).toBe(8);
    expect(world.sent.at(-1)?.message.name).toBe('Stop');
    world.polls = 1000;
    world.run(1);
    expect(world.outcomes.filter((outcome) => outcome === undefined)).toEqual([]);
  });
});

describe('time', () => {
  test('the time-out follows the round trip, is doubled with each repeat, and repeats are not measured', () => {
    const world = World.connected();
    for (let i = 0; i < 20; i++) {
      world.request({ name: 'Ping' });
      world.run(0.01);
    }
    expect(world.machine.roundTrip).toBeCloseTo(0.002, 3);
    const measured = world.machine.roundTrip;
    world.toBoard.faults = LOSSY;
    const start = world.now;
    const before = world.sent.length;
    world.request({ name: 'Ping' });
    const times: number[] = [];
    for (let seen = before + 1; times.length < 3; world.run(0.001)) {
      if (world.sent.length > seen) {
        times.push(world.now - start);
        seen = world.sent.length;
      }
    }
    expect(times[0]).toBeCloseTo(0.05, 2);
    expect(times[1] - times[0]).toBeCloseTo(0.1, 2);
    expect(times[2] - times[1]).toBeCloseTo(0.2, 2);
    world.toBoard.faults = NO_FAULTS;
    world.run(0.5);
    expect(world.outcomes.at(-1)).toBe('applied');
    // The answered heartbeats since then had the old round trip.
    expect(world.machine.roundTrip).toBeCloseTo(measured, 3);
  });

  test('on a line slower than the shortest time-out, requests are soon not repeated any more', () => {
    const world = World.connected();
    world.toHost.latency = 0.2;
    for (let n = 0; n < 30; n++) {
      world.request(pulses(n, 1), { effect: true });
      world.run(1, () => world.outcomes[n] !== undefined);
    }
    expect(applied(world)).toHaveLength(30);
    expect(world.machine.counters.retries).toBeLessThan(10);
  });

  test('an idle link keeps the dead-man from acting', () => {
    const world = World.connected();
    const zeroes = () => world.frontEnd.calls.linesToZero ?? 0;
    const before = zeroes();
    world.run(5);
    expect(world.machine.counters.heartbeats).toBeGreaterThan(10);
    expect(zeroes()).toBe(before);
    expect(world.count('notice')).toBe(1);
  });

  test('a board that falls silent is lost within 3 s, idle or not; what was sent with an effect is unknown', () => {
    for (const busy of [false, true]) {
      const world = World.connected();
      world.run(1);
      world.toBoard.faults = LOSSY;
      if (busy) {
        world.request(pulses(0, 1), { effect: true });
        world.request({ name: 'Ping' });
      }
      const start = world.now;
      world.run(3, () => world.machine.state === 'failed');
      expect(world.machine.state).toBe('failed');
      expect(world.now - start).toBeLessThan(2.5);
      if (busy) expect(world.outcomes).toEqual(['unknown', 'unknown']);
      expect(world.actions).toContainEqual(
        expect.objectContaining({ do: 'lost', error: expect.objectContaining({ reason: 'board-lost' }) }),
      );
      world.request(pulses(1, 1), { effect: true });
      expect(world.outcomes.at(-1)).toBe('not-sent');
    }
  });

  test('a host that slept does not take its own silence for the board’s', () => {
    const world = World.connected();
    world.request({ name: 'Ping' });
    world.now += 30;
    world.act(world.machine.tick(world.now));
    expect(world.machine.state).toBe('connected');
    world.run(0.5);
    expect(world.outcomes).toEqual(['applied']);
    expect(world.machine.state).toBe('connected');
  });

  test('a request that keeps the board busy is given that time', () => {
    const world = World.connected();
    world.polls = 0;
    world.request(pulses(0, 1), { effect: true, boardTime: 3 });
    world.run(3);
    expect(world.machine.state).toBe('connected');
    world.polls = 1000;
    world.run(1);
    expect(world.outcomes).toEqual(['applied']);
  });

  test('options outside their range are refused', () => {
    expect(() => linkOptions({ lostAfter: 1000 })).toThrow(/lostAfter is 1000 s; give 0.1 to 60 s/);
    expect(() => linkOptions({ heartbeat: Number.NaN })).toThrow(/heartbeat/);
  });
});

describe('handshake', () => {
  test('silence is not a board', () => {
    const world = new World();
    world.toBoard.faults = LOSSY;
    world.start().run(3, () => world.machine.state === 'failed');
    expect(world.actions).toContainEqual(
      expect.objectContaining({ error: expect.objectContaining({ reason: 'not-a-board' }) }),
    );
    expect(world.now).toBeLessThan(2);
  });

  test('a device that echoes is not a board', () => {
    const world = new World();
    const echo = (actions: LinkAction<number>[], now: number) => {
      for (const action of actions) if (action.do === 'send') world.act(world.machine.frame(action, now));
    };
    echo(world.machine.start(0), 0);
    for (let now = 0; now < 3 && world.machine.state !== 'failed'; now += 0.02) {
      const actions = world.machine.tick(now);
      echo(actions, now);
      world.act(actions.filter((action) => action.do === 'lost'));
    }
    expect(world.actions).toContainEqual(
      expect.objectContaining({
        error: expect.objectContaining({
          reason: 'not-a-board',
          message: expect.stringContaining('only echoes'),
        }),
      }),
    );
  });

  test('another protocol is refused with both versions and hashes named', () => {
    const world = new World();
    world.start();
    const message = {
      name: 'HelloReply' as const,
      nonce: 1,
      protocolVersion: 9,
      protocolHash: 0xdeadbeef,
      bootId: 1,
      session: 0,
      firmwareVersion: '9.9',
      boardSerial: 'B',
    };
    world.act(world.machine.frame({ message, session: 0, sequence: 0 }, 0.01));
    const lost = world.actions.find((action) => action.do === 'lost');
    expect(lost).toMatchObject({ error: { reason: 'protocol-mismatch', exitCode: 2 } });
    expect(lost?.do === 'lost' && lost.error.message).toMatch(
      /version 9, hash 0xdeadbeef; this memloop speaks version \d+, hash 0x[0-9a-f]{8}/,
    );
  });

  test('an answer to another Hello is not believed', () => {
    const world = new World();
    world.start();
    const message = {
      name: 'HelloReply' as const,
      nonce: 77,
      protocolVersion: 9,
      protocolHash: 9,
      bootId: 1,
      session: 5,
      firmwareVersion: '',
      boardSerial: '',
    };
    expect(world.machine.frame({ message, session: 0, sequence: 0 }, 0.01)).toEqual([]);
    expect(world.machine.state).toBe('handshake');
  });
});
