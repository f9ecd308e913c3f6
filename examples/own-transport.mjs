// A transport of one's own: a board behind the standard input and output of a command, for example
// `exec:ssh bench socat - /dev/ttyACM0,raw,echo=0`. Here the command is this very file, which then serves a virtual board.
//
//     node examples/own-transport.mjs
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { openBoard } from 'memloop';
import { registerTransport } from 'memloop/driver';

function openExec(url) {
  const [command, ...args] = url.slice('exec:'.length).split(' ');
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const closed = new Promise((resolve) => {
    child.once('error', (error) => resolve(`${command} did not start: ${error.message}`));
    child.once('close', (code) => resolve(`${command} ended with code ${code}`));
  });
  child.stdin.on('error', () => {}); // `closed` says why
  return {
    url,
    closed,
    listen: (onBytes) => child.stdout.on('data', onBytes),
    write: (bytes) =>
      new Promise((resolve, reject) => {
        child.stdin.write(bytes, (error) => (error ? reject(error) : resolve()));
      }),
    close: async () => {
      child.stdin.end();
      await closed;
    },
  };
}

if (process.argv[2] === 'serve') {
  const { createVirtualBoard } = await import('memloop/virtual-board');
  const device = createVirtualBoard({ profile: 'w-sdc-8x8x4', seed: 7 });
  device.onData((bytes) => void process.stdout.write(bytes));
  process.stdin.on('data', (bytes) => device.write(bytes));
  process.stdin.on('end', () => device.close());
} else {
  registerTransport('exec', openExec);
  const url = `exec:${process.execPath} ${fileURLToPath(import.meta.url)} serve`;
  const board = await openBoard(url, { link: { handshakeTimeout: 10 } }); // s: commands start slowly
  const { boardSerial, arrays } = board.description;
  console.log(`board ${boardSerial} has ${arrays} arrays`);
  const row = Array.from(await board.readRows(0, 0, 1, 0.05, 8), (current) => (1e9 * current).toFixed(0));
  console.log(`first row at 50 mV, nA: ${row.join(' ')}`);
  await board.close();
}
