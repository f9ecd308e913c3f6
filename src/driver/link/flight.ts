/** The last frames each way, printed when the link fails: the link's flight recorder. */
import type { Frame } from '../../../firmware-protocol/frame.js';
import { describeFrame } from '../../../firmware-protocol/frame-text.js';

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

  /** One line per frame, oldest first; `now` is the zero of its times. */
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
