/**
 * Every way to hurt one byte of a session with all kinds of messages, each way: the host must get the right
 * values or a typed error, and every request must end. The state machine and the firmware run on a simulated
 * clock, so that thousands of sessions take seconds.
 */
import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import { encodeFrame, FrameDecoder } from '../../../firmware-protocol/frame.js';
import type { Message, MessageOf, Request } from '../../../firmware-protocol/generated/protocol.js';
import { type LinkAction, LinkMachine } from '../../../src/driver/link/link-machine.js';
import { LINK_OPTIONS } from '../../../src/driver/link/link-options.js';
import { MemloopError } from '../../../src/shared/errors.js';
import { Firmware } from '../../../src/virtual-board/firmware.js';
import { DESCRIPTION, RecordingFrontEnd } from '../../firmware-protocol/board.js';

const cell = { array: 1, row: 2, column: 1 };
/** All kinds of request, one that is refused, and a batch of which one operation is. */
const REQUESTS: Request[] = [
  { name: 'Describe' },
  { name: 'ArrayInfo', array: 1 },
  {
    name: 'Cells',
    ops: [
      { kind: 'PULSE', ...cell, code: 300, width: 1e-5, samples: 1 },
      { kind: 'PULSE', ...cell, code: 1999, width: 1e-5, samples: 1 },
      { kind: 'READ', ...cell, code: 100, width: 0, samples: 2 },
    ],
  },
  { name: 'ReadRows', array: 0, firstRow: 1, rowCount: 2, code: 100, samples: 1 },
  { name: 'Multiply', array: 1, range: 1, samples: 1, codes: Int16Array.of(1, 20, 0, 150, 7, 8, 9, 10) },
  { name: 'Reference', row: 1, column: 2, reference: 1, range: 0, samples: 1, codes: Int16Array.of(0, 50) },
  {
    name: 'Run',
    run: 9,
    steps: 12,
    decimation: 2,
    frameSamples: 0,
    pulseSteps: Uint16Array.of(3),
    drives: Int16Array.of(5, 6),
  },
  { name: 'ReadRows', array: 9, firstRow: 0, rowCount: 1, code: 1, samples: 1 },
  { name: 'Ping' },
  { name: 'Stop' },
];
const EFFECT = 2;
const FAULT = 7;

type Way = 'board' | 'host';
type Hurt = (byte: number) => number[];
interface Fault {
  way: Way;
  at: number;
  hurt: Hurt;
}

interface Session {
  ends: (Message | MemloopError | undefined)[];
  samples: MessageOf<'Samples'>[];
  notices: MessageOf<'Notice'>[];
  hello: MessageOf<'HelloReply'> | undefined;
  /** Pulses that reached the front end. */
  pulses: number;
  length: Record<Way, number>;
  /** s */
  time: number;
}

const frontEnd = new RecordingFrontEnd(DESCRIPTION);
let transmit: (bytes: Uint8Array) => void = () => {};
const firmware = new Firmware(frontEnd, (bytes) => transmit(bytes));

function session(fault?: Fault): Session {
  frontEnd.pulses = [];
  let now = 0;
  let nonce = 1;
  const machine = new LinkMachine<number>(LINK_OPTIONS, () => nonce++);
  const result: Session = {
    ends: REQUESTS.map(() => undefined),
    samples: [],
    notices: [],
    hello: undefined,
    pulses: 0,
    length: { board: 0, host: 0 },
    time: 0,
  };
  const pass = (way: Way, bytes: Uint8Array): Uint8Array => {
    const at = fault?.way === way ? fault.at - result.length[way] : -1;
    result.length[way] += bytes.length;
    if (!fault || at < 0 || at >= bytes.length) return bytes;
    return Uint8Array.from([...bytes.subarray(0, at), ...fault.hurt(bytes[at]), ...bytes.subarray(at + 1)]);
  };
  const decoder = new FrameDecoder();
  const waiting: Uint8Array[] = [];
  transmit = (bytes) => waiting.push(pass('host', bytes));
  let asked = false;
  const act = (actions: LinkAction<number>[]): void => {
    for (const action of actions) {
      if (action.do === 'send') {
        const { message, session, sequence } = action;
        firmware.receive(pass('board', encodeFrame({ message, session, sequence })));
      } else if (action.do === 'answer') {
        expect(result.ends[action.tag]).toBeUndefined();
        result.ends[action.tag] = action.answer;
      } else if (action.do === 'fail') result.ends[action.tag] = action.error;
      else if (action.do === 'samples') result.samples.push(action.samples);
      else if (action.do === 'notice') result.notices.push(action.notice);
      else if (action.do === 'connected') result.hello = action.hello;
      else if (action.do === 'lost') act(machine.fail(action.error));
    }
  };
  const hear = () => {
    for (const bytes of waiting.splice(0))
      for (const frame of decoder.push(bytes)) act(machine.frame(frame, now));
  };
  /** The host sleeps for so long, s, and what the board then says is heard. */
  const sleep = (time: number) => {
    now += time;
    frontEnd.time = (now * 1e6) >>> 0;
    while (firmware.poll());
    hear();
  };
  const ask = (tag: number) => act(machine.request(REQUESTS[tag], tag, { effect: tag === EFFECT }, now));

  firmware.boot();
  act(machine.start(now));
  const last = REQUESTS.length - 1;
  while (result.ends[last] === undefined && now < 60) {
    frontEnd.time = (now * 1e6) >>> 0;
    while (firmware.poll());
    now += 0.0005;
    if (waiting.length > 0) hear();
    else {
      now = Math.max(now, Math.min(machine.deadline, 60));
      act(machine.tick(now));
    }
    if (result.hello && !asked) {
      asked = true;
      sleep(DESCRIPTION.deadManTime);
      frontEnd.faultCode = FAULT;
      sleep(0.001);
      frontEnd.faultCode = 0;
      for (let tag = 0; tag < last; tag++) ask(tag);
    }
    // Stop ends what waits, so it comes when all else has ended.
    if (
      asked &&
      result.ends[last] === undefined &&
      result.ends.slice(0, last).every(Boolean) &&
      machine.inFlight === 0
    )
      ask(last);
  }
  result.pulses = frontEnd.pulses.length;
  result.time = now;
  return result;
}

const clean = session();

/** Counters of the line are as they are; what the board measured or did must be right. */
const same = (message: Message, expected: Message): boolean =>
  message.name === 'PingReply'
    ? expected.name === 'PingReply' &&
      message.pulsesApplied === expected.pulsesApplied &&
      message.crcErrors <= 2
    : isDeepStrictEqual(message, expected);

/** Each session has a boot id of its own. */
const sameNotice = (a: MessageOf<'Notice'>, b: MessageOf<'Notice'>): boolean =>
  a.code === b.code && (a.code === 'BOOTED' || a.detail === b.detail);

function check(fault: Fault): void {
  const { ends, samples, notices, hello, pulses, time } = session(fault);
  const where = `byte ${fault.at} to the ${fault.way} as ${fault.hurt(0x5a)}`;
  expect(time, `${where}: everything ends in time`).toBeLessThan(5);
  expect(pulses, `${where}: one pulse, once`).toBe(1);
  expect(hello?.boardSerial, where).toBe(clean.hello?.boardSerial);
  for (const [tag, end] of ends.entries()) {
    const right = end instanceof MemloopError || (end && same(end, clean.ends[tag] as Message));
    if (!right) expect.fail(`${where}: request ${tag} ended with ${JSON.stringify(end)}`);
  }
  for (const each of notices)
    if (!clean.notices.some((known) => sameNotice(known, each)))
      expect.fail(`${where}: wrong notice ${JSON.stringify(each)}`);
  for (const each of samples)
    if (!clean.samples.some((known) => isDeepStrictEqual(known, each)))
      expect.fail(`${where}: wrong samples ${JSON.stringify(each)}`);
}

test('the session has all kinds of messages', () => {
  expect(clean.ends.map((end) => end && 'name' in end && end.name)).toEqual([
    'DescribeReply',
    'ArrayInfoReply',
    'CellsReply',
    'ReadRowsReply',
    'MultiplyReply',
    'ReferenceReply',
    'RunReply',
    'Refused',
    'PingReply',
    'StopReply',
  ]);
  expect(clean.samples.length).toBeGreaterThan(0);
  expect(clean.notices).toMatchObject([
    { code: 'BOOTED' },
    { code: 'DEAD_MAN', detail: 0 },
    { code: 'FAULT', detail: FAULT },
  ]);
});

const kinds: [string, (way: Way, at: number) => Fault[]][] = [
  ['dropped', (way, at) => [{ way, at, hurt: () => [] }]],
  [
    'flipped, in each of its bits',
    (way, at) =>
      Array.from({ length: 8 }, (_, bit) => ({ way, at, hurt: (byte: number) => [byte ^ (1 << bit)] })),
  ],
  ['doubled', (way, at) => [{ way, at, hurt: (byte) => [byte, byte] }]],
  [
    'followed by one that was not sent',
    (way, at) => [
      { way, at, hurt: (byte) => [byte, 0] },
      { way, at, hurt: (byte) => [byte, (at * 167 + 1) & 0xff] },
    ],
  ],
];

test.each(kinds)('any byte %s: no wrong value is delivered, every request ends', (_, faultsAt) => {
  let sessions = 0;
  for (const way of ['board', 'host'] as const) {
    for (let at = 0; at < clean.length[way]; at++) {
      for (const fault of faultsAt(way, at)) {
        check(fault);
        sessions++;
      }
    }
  }
  expect(sessions).toBeGreaterThanOrEqual(clean.length.board + clean.length.host);
});
