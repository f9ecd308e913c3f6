/** A virtual board on a thread of its own, so that its physics do not take the caller's time. */
import { Worker } from 'node:worker_threads';
import { type ErrorReason, MemloopError } from '../../shared/errors.js';
import { workerFile } from '../../shared/worker-file.js';
import type { VirtualBoardOptions } from '../types.js';

export interface SpawnOptions extends Omit<VirtualBoardOptions, 'trace'> {
  /** The firmware runs on an emulated Cortex-M4. */
  qemu?: boolean | undefined;
  /** File for one JSON line a pulse. */
  trace?: string | undefined;
  /** Symbolic link to the pseudo-terminal. */
  link?: string | undefined;
  /** A TCP port instead of a pseudo-terminal; port 0 takes a free one. */
  tcp?: { host?: string; port?: number } | undefined;
}

export interface SpawnedBoard {
  /** The port as `--port` takes it. */
  readonly port: string;
  /** Lets board time pass, s. */
  elapse(time: number): void;
  /** Power cycle. */
  reboot(): void;
  /** The port disappears and the thread ends. */
  close(): Promise<void>;
}

/** What the thread is told, and what it tells. */
export type Command = { do: 'elapse'; time: number } | { do: 'reboot' } | { do: 'close' };
export type Report = { port: string } | { error: { reason: ErrorReason; message: string } };

/** Errors: those of `createVirtualBoard` or `startQemuBoard`, `servePty` and `serveTcp`. */
export async function spawnBoard(options: SpawnOptions): Promise<SpawnedBoard> {
  const worker = new Worker(workerFile(import.meta.url, 'worker.js'), {
    workerData: options,
    trackUnmanagedFds: false,
  });
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const report = await new Promise<Report>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new MemloopError('service', 'the virtual board ended before it began')));
  });
  if ('error' in report) {
    await exited;
    throw new MemloopError(report.error.reason, report.error.message);
  }
  const tell = (command: Command) => worker.postMessage(command);
  return {
    port: report.port,
    elapse: (time) => tell({ do: 'elapse', time }),
    reboot: () => tell({ do: 'reboot' }),
    async close() {
      tell({ do: 'close' });
      await exited;
    },
  };
}
