/** The file of the pulses that a virtual board received. */
import { closeSync, openSync } from 'node:fs';
import { MemloopError } from '../shared/errors.js';
import { writeAll } from '../shared/files.js';
import type { TracedPulse } from './physics/front-end.js';

/** One JSON line for each pulse, appended. Errors: `disk`. */
export class TraceFile {
  readonly #file: number;
  #lines = '';

  constructor(path: string) {
    try {
      this.#file = openSync(path, 'a');
    } catch (error) {
      throw new MemloopError('disk', `cannot write the trace ${path}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  readonly add = (pulse: TracedPulse): void => {
    this.#lines += `${JSON.stringify(pulse)}\n`;
  };

  flush(): void {
    if (this.#lines === '') return;
    const lines = this.#lines;
    this.#lines = '';
    writeAll(this.#file, Buffer.from(lines));
  }

  close(): void {
    this.flush();
    closeSync(this.#file);
  }
}
