/** The last frames each way, printed when the link fails: the link's flight recorder. */
import type { Frame } from '../../../firmware-protocol/frame.js';
import type { Message } from '../../../firmware-protocol/generated/protocol.js';

const DEPTH = 100;

interface Entry {
  time: number;
  frame: Frame;
}

export class FlightRecorder {
  readonly #sent: Entry[] = [];
  readonly #received: Entry[] = [];
  #sentCount = 0;
  #receivedCount = 0;

  sent(frame: Frame, time: number): void {
    this.#sent[this.#sentCount++ % DEPTH] = { time, frame };
  }

  received(frame: Frame, time: number): void {
    this.#received[this.#receivedCount++ % DEPTH] = { time, frame };
  }

  /** One line a frame, oldest first; `now` is the zero of its times. */
  lines(now: number): string[] {
    return [
      ...this.#sent.map((entry) => ({ ...entry, way: '→' })),
      ...this.#received.map((entry) => ({ ...entry, way: '←' })),
    ]
      .sort((a, b) => a.time - b.time)
      .map(
        ({ time, way, frame }) => `${(time - now).toFixed(4).padStart(10)} s ${way} ${describeFrame(frame)}`,
      );
  }
}

/** `#7 Cells ops[200]`: sequence, name and fields, lists by their length. */
export function describeFrame({ message, sequence }: Frame): string {
  const { name, ...fields } = message as Message & Record<string, unknown>;
  const parts = Object.entries(fields).map(([field, value]) =>
    typeof value === 'object' && value !== null && 'length' in value
      ? `${field}[${value.length}]`
      : `${field}=${typeof value === 'number' ? Number(value.toPrecision(7)) : value}`,
  );
  return [`#${sequence}`, name, ...parts].join(' ');
}
