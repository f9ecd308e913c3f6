/**
 * Short runs of the two fuzzers; `npm run fuzz` makes the long ones (firmware-protocol/fuzz/README.md).
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { encodeFrame, encodeRawFrame, type Frame, FrameDecoder } from '../../firmware-protocol/frame.js';
import { MAX_PAYLOAD } from '../../firmware-protocol/generated/protocol.js';
import { parseRaw } from './raw.js';

const at = (path: string): string =>
  fileURLToPath(new URL(`../../firmware-protocol/${path}`, import.meta.url));
const count = Number(process.env.MEMLOOP_FUZZ_INPUTS ?? 20_000);

const report = (line: string) => {
  if (process.env.MEMLOOP_FUZZ_INPUTS) console.log(line);
};

describe('the TypeScript codec', () => {
  const golden: { hex: string }[] = JSON.parse(readFileSync(at('generated/golden.json'), 'utf8'));
  const wires = golden.map(({ hex }) => Uint8Array.from(Buffer.from(hex, 'hex')));
  const raws = wires.map(parseRaw);
  const clean: Frame = { message: { name: 'Ping' }, session: 0xfeedbeef, sequence: 0x12345678 };
  const cleanWire = encodeFrame(clean);
  const copy = new Uint8Array(4 * MAX_PAYLOAD);

  /** The bytes after some of them were flipped, lost, doubled or invented; `edits` are triples. */
  function damaged(bytes: ArrayLike<number>, edits: readonly number[]): Uint8Array {
    let length = bytes.length;
    copy.set(bytes);
    for (let i = 0; i + 2 < edits.length; i += 3) {
      const [kind, where, value] = [edits[i] & 3, edits[i + 1] * (1 + (edits[i] >> 4)), edits[i + 2]];
      const place = where % (length + 1);
      if (kind === 0) {
        if (place < length) copy[place] ^= value;
      } else if (kind === 1) {
        if (place < length) copy.copyWithin(place, place + 1, length--);
      } else {
        copy.copyWithin(place + 1, place, length++);
        if (kind === 2) copy[place] = value;
      }
    }
    return copy.slice(0, length);
  }

  /** Inputs that one run of a property takes: drawing each by itself would cost more than trying it. */
  const BATCH = 50;
  const SIZE = 16;

  /** Which golden frame, where to cut it in two, another type now and then, and up to four edits. */
  const inputs = fc.uint8Array({ minLength: BATCH * SIZE, maxLength: BATCH * SIZE }).map((bytes) =>
    Array.from({ length: BATCH }, (_, i) => {
      const [which, cut, type, change, ...edits] = bytes.subarray(i * SIZE, (i + 1) * SIZE);
      const frame = which % raws.length;
      return {
        frame,
        cut,
        type: change < 16 ? type : raws[frame].id,
        edits: edits.slice(0, 3 * (change % 5)),
      };
    }),
  );
  /** Seed after seed, so that a run repeats; between them others get their turn. */
  async function check(
    property: (input: { frame: number; cut: number; type: number; edits: number[] }) => void,
  ) {
    const numRuns = Math.min(100, count / 2 / BATCH);
    for (let seed = 1; seed * numRuns * BATCH <= count / 2; seed++) {
      fc.assert(
        fc.property(inputs, (batch) => batch.forEach(property)),
        { numRuns, seed },
      );
      await new Promise(setImmediate);
    }
  }

  test(`takes any payload under a right CRC: refused, or the one message that has these bytes (${count / 2} inputs)`, async () => {
    const decoder = new FrameDecoder();
    let [accepted, refused] = [0, 0];
    await check(({ frame, cut, type, edits }) => {
      const { session, sequence, payload } = raws[frame];
      const changed = damaged(payload, edits).subarray(0, MAX_PAYLOAD);
      const wire = encodeRawFrame(type, session, sequence, changed);
      const frames = decoder.push(wire.subarray(0, cut));
      frames.push(...decoder.push(wire.subarray(cut)));
      if (frames.length === 0) refused++;
      else {
        accepted++;
        if (frames.length > 1 || !sameBytes(encodeFrame(frames[0]), wire))
          throw new Error(`${Buffer.from(wire).toString('hex')} gave ${JSON.stringify(frames)}`);
      }
    });
    expect(decoder.counters).toEqual({ crc: 0, framing: 0, malformed: refused });
    report(`payloads: ${accepted} accepted, ${refused} refused`);
    expect(Math.min(accepted, refused)).toBeGreaterThan(count / 20);
  });

  test(`takes any damage on the line: delivers only what was sent, and finds the next frame (${count / 2} inputs)`, async () => {
    const decoder = new FrameDecoder();
    let [delivered, lost] = [0, 0];
    await check(({ frame, cut, edits }) => {
      const changed = damaged(wires[frame], edits);
      const frames = decoder.push(changed.subarray(0, cut));
      frames.push(...decoder.push(changed.subarray(cut)), ...decoder.push(cleanWire));
      const last = frames.pop();
      if (!last || !sameBytes(encodeFrame(last), cleanWire)) throw new Error('the clean frame was missed');
      if (frames.length === 0) lost++;
      else delivered++;
      if (frames.length > 1 && edits.length === 0) throw new Error('a frame was doubled');
      for (const each of frames)
        if (!sameBytes(encodeFrame(each), wires[frame])) throw new Error(JSON.stringify(each));
    });
    report(`line: ${delivered} frames delivered as they were sent, ${lost} lost`);
    expect(Math.min(delivered, lost)).toBeGreaterThan(count / 20);
  });
});

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

const folder = mkdtempSync(join(tmpdir(), 'memloop-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true }));
const program = join(folder, 'core');
const libraries = spawnSync('clang', ['-print-runtime-dir'], { encoding: 'utf8' }).stdout?.trim() ?? '';
const missing = !existsSync(libraries) || !readdirSync(libraries).some((file) => file.includes('fuzzer'));
const why = missing ? ' (skipped: clang with its compiler-rt not installed)' : '';

describe.skipIf(missing)(`the C core under AddressSanitizer and UBSan${why}`, () => {
  test('compiles without a warning', () => {
    const { status, stderr } = spawnSync(at('fuzz/build.sh'), [program, '-O1'], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  test('100 000 random commands, hostile ones among them: nothing outside the limits, no pulse twice', () => {
    const corpus = join(folder, 'corpus');
    mkdirSync(corpus);
    const options = ['-runs=40000', '-seed=1', '-max_len=128', '-entropic=0', `-artifact_prefix=${folder}/`];
    const { status, stderr } = spawnSync(program, [corpus, ...options], { encoding: 'utf8' });
    expect(status, stderr.slice(-3000)).toBe(0);
    const total = /(\d+) inputs: (\d+) frames with a right CRC, (\d+) pulses, (\d+) reads/.exec(stderr)!;
    const [, , frames, pulses, reads] = total.map(Number);
    expect(frames).toBeGreaterThan(100_000);
    expect(pulses).toBeGreaterThan(500);
    expect(reads).toBeGreaterThan(500);
  });
});
