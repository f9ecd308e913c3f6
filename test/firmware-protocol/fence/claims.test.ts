/** Who may pulse: the rules of README.md on claims, one by one. */
import { describe, expect, test } from 'vitest';
import { encodeFrame, FrameDecoder } from '../../../firmware-protocol/frame.js';
import {
  type CellOp,
  type CellResult,
  type Message,
  PROTOCOL_HASH,
  PROTOCOL_VERSION,
} from '../../../firmware-protocol/generated/protocol.js';
import { Firmware } from '../../../src/virtual-board/firmware.js';
import { RecordingFrontEnd, TestBoard } from '../board.js';
import { parseRaw, type RawFrame, rawFrame } from '../raw.js';

const op = (kind: CellOp['kind']): CellOp => ({
  kind,
  array: 0,
  row: 0,
  column: 0,
  code: 100,
  width: 1e-4,
  samples: 1,
});
const pulse: Message = { name: 'Cells', ops: [op('PULSE')] };
const claim = (token: bigint, bootId = 0xb0070000): Message => ({
  name: 'Claim',
  bootId,
  tokenHigh: Number(token >> 32n),
  tokenLow: Number(token & 0xffffffffn),
});
const opened = (): TestBoard => {
  const board = new TestBoard();
  board.hello();
  return board;
};
const statusOf = (answer: Message): string =>
  answer.name === 'CellsReply' ? (answer.results[0] as CellResult).status : 'no answer';

describe('a claimed board', () => {
  test('one that nobody claims takes pulses from everybody', () => {
    const board = opened();
    expect(statusOf(board.ask(pulse))).toBe('OK');
    board.hello();
    expect(statusOf(board.ask(pulse))).toBe('OK');
  });

  test('pulses are refused in a session that has not claimed; reads are done', () => {
    const board = opened();
    expect(board.ask(claim(5n))).toEqual({ name: 'ClaimReply' });
    expect(statusOf(board.ask(pulse))).toBe('OK');
    board.hello();
    const answer = board.ask({ name: 'Cells', ops: [op('READ'), op('PULSE'), op('READ')] });
    expect(answer).toMatchObject({ results: [{ status: 'OK' }, { status: 'FENCED' }, { status: 'OK' }] });
    expect(board.frontEnd.pulses).toHaveLength(1);
  });

  test('an older token is refused, the same and a newer one are taken, in all 64 bits', () => {
    for (const [held, lower, higher] of [
      [5n, 4n, 6n],
      [1n << 32n, 0xffffffffn, (1n << 32n) + 1n],
      [0xfffffffffffffffen, 0xffffffffn, 0xffffffffffffffffn],
    ]) {
      const board = opened();
      board.ask(claim(held));
      board.hello();
      const low = Number(held & 0xffffffffn);
      expect(board.ask(claim(lower))).toEqual({ name: 'Refused', status: 'FENCED', detail: low });
      expect(statusOf(board.ask(pulse))).toBe('FENCED');
      expect(board.ask(claim(held))).toEqual({ name: 'ClaimReply' });
      expect(statusOf(board.ask(pulse))).toBe('OK');
      expect(board.ask(claim(higher))).toEqual({ name: 'ClaimReply' });
      expect(statusOf(board.ask(pulse))).toBe('OK');
    }
  });

  test('a claim of before a reboot is refused, and so are then the pulses of its session', () => {
    const board = opened();
    board.ask(claim(5n));
    board.firmware.boot();
    board.settle().take();
    board.hello();
    expect(board.ask(claim(9n))).toMatchObject({ name: 'Refused', status: 'FENCED' });
    expect(statusOf(board.ask(pulse))).toBe('FENCED');
    expect(board.ask(claim(1n, 0xb0070001))).toEqual({ name: 'ClaimReply' });
    expect(statusOf(board.ask(pulse))).toBe('OK');
  });
});

describe('a host of the version before', () => {
  const HASH = 0x5e74aff5;
  const u32 = (value: number) => [0, 8, 16, 24].map((shift) => (value >>> shift) & 255);
  const hello = (nonce: number): RawFrame => ({
    id: 1,
    session: 0,
    sequence: 0,
    payload: [...u32(nonce), 1, 0, ...u32(HASH)],
  });
  const PULSE = [1, 0, 1, 0, 0, 0, 100, 0, 232, 3, 1];

  class OldHost {
    readonly frontEnd = new RecordingFrontEnd();
    #inbox: Uint8Array[] = [];
    readonly firmware = new Firmware(this.frontEnd, (bytes) => this.#inbox.push(bytes));
    session = 0;

    constructor() {
      this.firmware.boot();
      this.#settle();
    }

    #settle(): Uint8Array[] {
      while (this.firmware.poll());
      const all = this.#inbox;
      this.#inbox = [];
      return all;
    }

    hello(nonce: number): RawFrame {
      this.firmware.receive(rawFrame(hello(nonce)));
      const reply = parseRaw(Buffer.concat(this.#settle()));
      this.session = Buffer.from(reply.payload).readUInt32LE(14);
      return reply;
    }

    claimedByAnother(token: bigint): void {
      const hello: Message = {
        name: 'Hello',
        nonce: 99,
        protocolVersion: PROTOCOL_VERSION,
        protocolHash: PROTOCOL_HASH,
      };
      this.firmware.receive(encodeFrame({ message: hello, session: 0, sequence: 0 }));
      const { payload } = parseRaw(Buffer.concat(this.#settle()));
      const session = Buffer.from(payload).readUInt32LE(14);
      this.firmware.receive(encodeFrame({ message: claim(token), session, sequence: 1 }));
      expect(new FrameDecoder().push(Buffer.concat(this.#settle()))[0].message.name).toBe('ClaimReply');
    }

    ask(id: number, payload: number[], sequence: number, hash = HASH): RawFrame | undefined {
      this.firmware.receive(rawFrame({ id, session: this.session, sequence, payload }, hash));
      const answer = Buffer.concat(this.#settle());
      if (answer.length === 0) return undefined;
      // Its checksum is of the version before: a host of today's does not read it.
      const today = new FrameDecoder();
      expect(today.push(answer)).toEqual([]);
      expect(today.counters.crc).toBe(1);
      return parseRaw(answer);
    }
  }

  test('gets a session of its own version, in which all works that it knows', () => {
    const host = new OldHost();
    const { payload } = host.hello(7);
    expect(payload.slice(0, 10)).toEqual([...u32(7), 1, 0, ...u32(HASH)]);
    expect(host.session).not.toBe(0);
    expect(host.ask(4, [], 1)?.id).toBe(0x84);
    expect(host.ask(5, PULSE, 2)).toMatchObject({ id: 0x85, payload: [1, 0, 0, 0, 0] });
    expect(host.frontEnd.pulses).toHaveLength(1);
    expect(host.ask(4, [], 3, 0x12345678)).toBeUndefined();
    expect(host.ask(11, new Array(12).fill(0), 3)).toMatchObject({ id: 255, payload: [10, 0, 0, 0, 0] });
  });

  test('may not pulse a claimed board, and is told so by a status that it knows', () => {
    const host = new OldHost();
    host.claimedByAnother(3n);
    host.hello(8);
    expect(host.ask(5, PULSE, 1)).toMatchObject({ id: 0x85, payload: [1, 0, 11, 0, 0] });
    expect(host.frontEnd.pulses).toEqual([]);
  });
});
