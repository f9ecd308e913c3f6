/**
 * A bad cable as a process of its own: passes a TCP connection on to another port and hurts the bytes that
 * pass. It knows nothing of frames, sessions or boards, and shares no code with them.
 *
 *     node relay.mjs TARGET_PORT SEED BYTES_PER_FAULT BYTES_PER_CUT
 *     node relay.mjs TARGET_PORT SEED --rate R
 *
 * With a rate, bytes are dropped, flipped, doubled and inserted, each at the rate R per byte, and nothing is cut.
 * Prints the port on which it listens, and at its end ({"passed":…,"hurt":…,"cuts":…}).
 */
import { connect, createServer } from 'node:net';

const [target, seed, ...line] = process.argv.slice(2);
const byRate = line[0] === '--rate';
/** Chance of each byte to be hurt, bytes between two cuts, and how many of the kinds of hurt there are. */
const [hurt, perCut, kinds] = byRate
  ? [4 * Number(line[1]), Infinity, 4]
  : [1 / Number(line[0]), Number(line[1]), 5];
let state = Number(seed) >>> 0 || 1;
const random = () => {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) / 2 ** 32;
};
const counts = { passed: 0, hurt: 0, cuts: 0 };

function mangle(bytes) {
  const out = [];
  for (const byte of bytes) {
    counts.passed++;
    if (random() >= hurt) {
      out.push(byte);
      continue;
    }
    counts.hurt++;
    const kind = Math.floor(random() * kinds);
    if (kind === 0) continue;
    if (kind === 1) out.push(byte ^ (1 << Math.floor(random() * 8)));
    else if (kind === 2) out.push(byte, byte);
    else if (kind === 3) out.push(byte, Math.floor(random() * 256));
    else out.push(Math.floor(random() * 256));
  }
  return Buffer.from(out);
}

const server = createServer((near) => {
  const far = connect(Number(target), '127.0.0.1');
  near.setNoDelay(true);
  far.setNoDelay(true);
  for (const [from, to] of [
    [near, far],
    [far, near],
  ]) {
    from.on('data', (bytes) => {
      if (random() < bytes.length / perCut) {
        counts.cuts++;
        // The cable breaks in the middle of what was under way.
        to.end(mangle(bytes.subarray(0, Math.floor(bytes.length / 2))));
        from.destroy();
        return;
      }
      const pieces = mangle(bytes);
      const at = Math.floor(random() * pieces.length);
      to.write(pieces.subarray(0, at));
      to.write(pieces.subarray(at));
    });
    from.on('error', () => {});
    from.on('close', () => to.destroy());
  }
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.on('SIGTERM', () => {
  console.log(JSON.stringify(counts));
  process.exit(0);
});
