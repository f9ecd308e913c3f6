/** The real firmware over a front end that only writes down what reaches it. */
import { encodeFrame, type Frame, FrameDecoder } from '../../firmware-protocol/frame.js';
import {
  type Message,
  type MessageName,
  type MessageOf,
  PROTOCOL_HASH,
  PROTOCOL_VERSION,
} from '../../firmware-protocol/generated/protocol.js';
import { type AnalogFrontEnd, Firmware } from '../../src/virtual-board/firmware.js';

export const DESCRIPTION: AnalogFrontEnd['description'] = {
  arrays: 2,
  rows: 4,
  columns: 3,
  neurons: 2,
  rowVoltsPerCount: 0.001,
  rowMaxCount: 2000,
  ampsPerCount: Float32Array.of(1e-9, 1e-7),
  currentMaxCount: 32000,
  driveAmpsPerCount: 1e-9,
  driveMaxCount: 1000,
  membraneVoltsPerCount: 1e-5,
  membraneMaxCount: 32000,
  stepTime: 1e-5,
  maxSteps: 60000,
  seriesResistance: 20e3,
  halfSelect: 0.5,
  maxVoltage: 0.75,
  minVoltage: -1,
  maxReadVoltage: 0.2,
  readTime: 5e-4,
  minWidth: 2.5e-6,
  maxWidth: 5e-4,
  maxEnergy: 2e-9,
  maxPulses: 1000,
  deadManTime: 1,
  references: Float32Array.of(1e4, 1e5),
};

export interface AppliedPulse {
  array: number;
  row: number;
  column: number;
  code: number;
  width: number;
}

/** Counts say what they were made from, so that a test can tell whose they are. */
export class RecordingFrontEnd implements AnalogFrontEnd {
  readonly firmwareVersion = 'test 1';
  readonly boardSerial = 'board-β';
  pulses: AppliedPulse[] = [];
  /** Everything but pulses, by name. */
  calls: Record<string, number> = {};
  time = 0;
  boots = 0;
  faultCode = 0;
  #step = 0;

  constructor(readonly description: AnalogFrontEnd['description'] = DESCRIPTION) {}

  #count(name: string): void {
    this.calls[name] = (this.calls[name] ?? 0) + 1;
  }
  arraySerial(array: number): string {
    return `array-${array}`;
  }
  now(): number {
    return this.time;
  }
  entropy(): number {
    return 0xb0070000 + this.boots++;
  }
  fault(): number {
    return this.faultCode;
  }
  linesToZero(): void {
    this.#count('linesToZero');
  }
  pulse(array: number, row: number, column: number, code: number, width: number): void {
    this.pulses.push({ array, row, column, code, width });
  }
  readRow(array: number, row: number, code: number, _samples: number, counts: Int16Array): void {
    this.#count('readRow');
    for (let column = 0; column < counts.length; column++)
      counts[column] = cellCount(array, row, column, code);
  }
  multiply(_array: number, _range: number, _samples: number, codes: Int16Array, counts: Int16Array): void {
    this.#count('multiply');
    counts.forEach((_, column) => {
      counts[column] = codes.reduce((sum, code, row) => sum + code * (row + column + 1), 0);
    });
  }
  reference(row: number, column: number, reference: number, range: number, _n: number, code: number): number {
    this.#count('reference');
    return code + row + 10 * column + 100 * reference + 1000 * range;
  }
  neuronsBegin(): void {
    this.#count('neuronsBegin');
    this.#step = 0;
  }
  neuronsSample(samples: number, decimation: number, counts: Int16Array): void {
    this.#count('neuronsSample');
    const { neurons } = this.description;
    for (let sample = 0; sample < samples; sample++) {
      this.#step += decimation;
      for (let neuron = 0; neuron < neurons; neuron++)
        counts[sample * neurons + neuron] = membraneCount(this.#step, neuron);
    }
  }
}

export const cellCount = (array: number, row: number, column: number, code: number): number =>
  1000 * array + 100 * row + 10 * column + code;
export const membraneCount = (step: number, neuron: number): number => (step & 0x3fff) - 100 * neuron;

/** A board and the host's end of a wire that loses nothing. */
export class TestBoard {
  readonly frontEnd: RecordingFrontEnd;
  readonly firmware: Firmware;
  readonly #decoder = new FrameDecoder();
  /** Every frame from the board that was not yet taken. */
  inbox: Frame[] = [];
  session = 0;
  #sequence = 0;
  #nonce = 1000;
  /** Bytes that the wire takes at once. */
  space = 0xffffffff;

  constructor(frontEnd = new RecordingFrontEnd()) {
    this.frontEnd = frontEnd;
    this.firmware = new Firmware(
      frontEnd,
      (bytes) => {
        this.space -= bytes.length;
        this.inbox.push(...this.#decoder.push(bytes));
      },
      () => this.space,
    );
    this.firmware.boot();
  }

  /** Lets the board work until it has nothing to do. */
  settle(): this {
    while (this.firmware.poll());
    return this;
  }

  send(message: Message, session = this.session, sequence = ++this.#sequence): number {
    this.firmware.receive(encodeFrame({ message, session, sequence }));
    return sequence;
  }

  /** All frames that came since, of one kind if named; the others are dropped. */
  take(): Frame[];
  take<N extends MessageName>(name: N): MessageOf<N>[];
  take(name?: MessageName): unknown[] {
    const frames = this.inbox;
    this.inbox = [];
    return name ? frames.map((frame) => frame.message).filter((message) => message.name === name) : frames;
  }

  hello(nonce = ++this.#nonce): MessageOf<'HelloReply'> {
    const hello = {
      name: 'Hello' as const,
      nonce,
      protocolVersion: PROTOCOL_VERSION,
      protocolHash: PROTOCOL_HASH,
    };
    this.firmware.receive(encodeFrame({ message: hello, session: 0, sequence: 0 }));
    this.settle();
    const reply = this.take('HelloReply').at(-1);
    if (!reply) throw new Error('no HelloReply');
    if (reply.session !== this.session) this.#sequence = 0;
    this.session = reply.session;
    return reply;
  }

  /** Sends a request and gives what answers it. */
  ask(message: Message): Message {
    const sequence = this.send(message);
    this.settle();
    const answer = this.inbox.find(
      (frame) => frame.sequence === sequence && frame.message.name !== 'Samples',
    );
    if (!answer) throw new Error(`no answer to ${message.name}`);
    this.inbox = [];
    return answer.message;
  }
}
