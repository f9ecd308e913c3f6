/**
 * A host and the firmware over a wire that may lose, repeat, delay and re-order every frame, with reboots and
 * new sessions at any time. The host here is the smallest that keeps the rules of README.md.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeFrame, type Frame, FrameDecoder } from '../../firmware-protocol/frame.js';
import { PROTOCOL_HASH, PROTOCOL_VERSION, WINDOW } from '../../firmware-protocol/generated/protocol.js';
import { Firmware } from '../../src/virtual-board/firmware.js';
import { DESCRIPTION, RecordingFrontEnd } from './board.js';
import { runs } from './long.js';

type Fate = 'open' | 'applied' | 'not applied' | 'unknown';

/** Every pulse has its own width, in ticks, by which it is known again in the front end. */
const FIRST_WIDTH = 25;

class World {
  readonly frontEnd = new RecordingFrontEnd({ ...DESCRIPTION, maxWidth: 6.5e-3, maxEnergy: 1 });
  readonly #decoder = new FrameDecoder();
  readonly #board = new Firmware(this.frontEnd, (bytes) => this.toHost.push(...this.#decoder.push(bytes)));
  /** Every frame that was ever sent each way: any may arrive, at any time, any number of times. */
  readonly toBoard: Uint8Array[] = [];
  readonly toHost: Frame[] = [];

  /** What the host believes of each pulse. */
  readonly fates: Fate[] = [];
  #session = 0;
  #nonce = 0;
  #next = 1;
  /** Open requests by sequence number: their pulses and bytes. */
  readonly #open = new Map<number, { pulses: number[]; bytes: Uint8Array }>();

  constructor() {
    this.#board.boot();
    this.hello();
  }

  hello(): void {
    for (const { pulses } of this.#open.values()) for (const each of pulses) this.fates[each] = 'unknown';
    this.#open.clear();
    this.#session = 0;
    this.#nonce++;
    this.#sayHello();
  }

  #sayHello(): void {
    const message = {
      name: 'Hello' as const,
      nonce: this.#nonce,
      protocolVersion: PROTOCOL_VERSION,
      protocolHash: PROTOCOL_HASH,
    };
    this.toBoard.push(encodeFrame({ message, session: 0, sequence: 0 }));
  }

  request(pulses: number): void {
    const oldest = Math.min(...this.#open.keys());
    if (this.#session === 0 || this.#next >= oldest + WINDOW) return;
    const ids = Array.from({ length: pulses }, () => this.fates.push('open') - 1);
    const ops = ids.map((id) => ({
      kind: 'PULSE' as const,
      array: 0,
      row: id % 4,
      column: 0,
      code: 100,
      width: (FIRST_WIDTH + id) * 1e-7,
      samples: 0,
    }));
    const sequence = this.#next++;
    const bytes = encodeFrame({ message: { name: 'Cells', ops }, session: this.#session, sequence });
    this.#open.set(sequence, { pulses: ids, bytes });
    this.toBoard.push(bytes);
  }

  repeat(): void {
    if (this.#session === 0) this.#sayHello();
    for (const { bytes } of this.#open.values()) this.toBoard.push(bytes);
  }

  /** One of all the frames ever sent reaches the board. */
  reachBoard(which: number): void {
    this.#board.receive(this.toBoard.at(-1 - (which % this.toBoard.length))!);
  }

  work(polls: number): void {
    for (let i = 0; i < polls; i++) this.#board.poll();
  }

  /** One of all the frames that the board ever sent reaches the host. */
  reachHost(which: number): void {
    const frame = this.toHost.at(-1 - (which % this.toHost.length));
    if (!frame) return;
    const { message, session, sequence } = frame;
    if (message.name === 'HelloReply') {
      if (this.#session === 0 && message.nonce === this.#nonce) {
        this.#session = message.session;
        this.#next = 1;
      }
      return;
    }
    if (session !== this.#session || session === 0) return;
    if (message.name === 'Refused' && message.status === 'NO_SESSION') {
      this.hello();
      return;
    }
    const request = this.#open.get(sequence);
    if (!request) return;
    if (message.name === 'CellsReply') {
      expect(message.results).toHaveLength(request.pulses.length);
      message.results.forEach(({ status }, i) => {
        this.fates[request.pulses[i]] = status === 'OK' ? 'applied' : 'not applied';
      });
      this.#open.delete(sequence);
    } else if (message.name === 'Refused' && message.status === 'STOPPED') {
      for (const each of request.pulses) this.fates[each] = 'not applied';
      this.#open.delete(sequence);
    }
  }

  reboot(): void {
    this.#board.boot();
  }

  silence(): void {
    this.frontEnd.time += 2e6;
    this.#board.poll();
  }

  /** From now on nothing is lost. */
  finish(): void {
    for (let i = 0; (this.#session === 0 || this.#open.size > 0) && i < 100; i++) {
      const sent = this.toBoard.length;
      // A Hello that stays unanswered needs another nonce: the session of this one may have come and gone.
      if (this.#session === 0) this.hello();
      this.repeat();
      for (const bytes of this.toBoard.slice(sent)) this.#board.receive(bytes);
      const heard = this.toHost.length;
      this.work(500);
      for (let k = this.toHost.length - heard; k-- > 0; ) this.reachHost(k);
    }
    expect(this.#session).not.toBe(0);
    expect(this.#open.size).toBe(0);
  }

  check(): void {
    const applied = this.frontEnd.pulses.map(({ width }) => width - FIRST_WIDTH);
    expect(new Set(applied).size, 'no pulse is applied twice').toBe(applied.length);
    expect(applied, 'pulses are applied in the order they were asked for').toEqual(
      [...applied].sort((a, b) => a - b),
    );
    const done = new Set(applied);
    this.fates.forEach((fate, id) => {
      if (fate === 'applied') expect(done, `acknowledged pulse ${id} was applied`).toContain(id);
      if (fate === 'not applied') expect(done, `refused pulse ${id} was not applied`).not.toContain(id);
    });
  }
}

/** A step of the world. Small numbers are recent frames: most traffic is nearly in order. */
const age = fc.oneof({ weight: 3, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: fc.nat(100_000) });
const step: fc.Arbitrary<(world: World) => void> = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 5 }).map((n) => (world: World) => world.request(n)) },
  { weight: 12, arbitrary: age.map((which) => (world: World) => world.reachBoard(which)) },
  { weight: 10, arbitrary: fc.integer({ min: 1, max: 12 }).map((n) => (world: World) => world.work(n)) },
  { weight: 12, arbitrary: age.map((which) => (world: World) => world.reachHost(which)) },
  { weight: 4, arbitrary: fc.constant((world: World) => world.repeat()) },
  { weight: 1, arbitrary: fc.constantFrom(hello, reboot, silence, silence, calm) },
);
function hello(world: World): void {
  world.hello();
}
function reboot(world: World): void {
  world.reboot();
}
function silence(world: World): void {
  world.silence();
}
function calm(world: World): void {
  world.finish();
}

/** The host falls silent while its pulses wait: the board stops, and refuses them. */
const refused = [
  (world: World) => world.reachBoard(0),
  (world: World) => world.work(12),
  ...hearing(),
  (world: World) => world.request(5),
  (world: World) => world.reachBoard(0),
  silence,
  (world: World) => world.work(12),
  ...hearing(),
];

/** The newest frames reach the host. */
function hearing(): ((world: World) => void)[] {
  return [0, 1, 2, 3].map((which) => (world) => world.reachHost(which));
}

describe('over any wire', () => {
  test('no pulse is applied twice, none is acknowledged that was not applied, and all is answered in the end', () => {
    const total = { applied: 0, acknowledged: 0, unknown: 0, refused: 0 };
    const numRuns = runs(100, 4000);
    fc.assert(
      fc.property(fc.array(step, { minLength: 50, maxLength: 400 }), (steps) => {
        const world = new World();
        for (const each of steps) each(world);
        world.check();
        world.finish();
        world.check();
        expect(world.fates).not.toContain('open');
        total.applied += world.frontEnd.pulses.length;
        for (const fate of world.fates) {
          if (fate === 'applied') total.acknowledged++;
          else if (fate === 'unknown') total.unknown++;
          else total.refused++;
        }
      }),
      { numRuns, examples: [[refused]] },
    );
    // The property is worth something only if all of these happened, often.
    expect(total.acknowledged).toBeGreaterThan(5 * numRuns);
    expect(total.unknown).toBeGreaterThan(numRuns);
    expect(total.refused).toBeGreaterThan(0);
    expect(total.applied).toBeGreaterThan(total.acknowledged);
  });
});
