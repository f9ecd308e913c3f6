/** The thread of `spawnBoard`. */
import { parentPort, workerData } from 'node:worker_threads';
import { MemloopError } from '../../shared/errors.js';
import { createVirtualBoard } from '../board.js';
import { startQemuBoard } from '../qemu/board.js';
import { servePty, serveTcp } from './serve.js';
import type { Command, Report, SpawnOptions } from './spawn.js';

const options = workerData as SpawnOptions;
const host = parentPort!;
const report = (message: Report) => host.postMessage(message);

try {
  const board = options.qemu ? await startQemuBoard(options) : createVirtualBoard(options);
  const served = options.tcp ? await serveTcp(board, options.tcp) : await servePty(board, options);
  host.on('message', async (command: Command) => {
    if (command.do === 'elapse') board.elapse(command.time);
    else if (command.do === 'reboot') board.reboot();
    else {
      await served.close();
      await board.close();
      host.close();
    }
  });
  report({ port: served.port });
} catch (error) {
  if (!(error instanceof MemloopError)) throw error;
  report({ error: { reason: error.reason, message: error.message } });
}
