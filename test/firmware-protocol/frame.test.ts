import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeFrame, type Frame, FrameDecoder, MAX_FRAME } from '../../firmware-protocol/frame.js';
import { anyFrame, plain, typed } from './arbitrary.js';
import { runs } from './long.js';

const golden: { session: number; sequence: number; message: Record<string, unknown>; hex: string }[] =
  JSON.parse(readFileSync(new URL('../../firmware-protocol/generated/golden.json', import.meta.url), 'utf8'));

describe('the generated files', () => {
  test('follow from protocol.json', () => {
    const script = new URL('../../firmware-protocol/generate.mjs', import.meta.url).pathname;
    execFileSync(process.execPath, [script, '--check']);
  });
});

describe('golden frames', () => {
  test.each(golden.map((frame) => [frame.message.name, frame] as const))('%s', (_name, frame) => {
    const bytes = Buffer.from(frame.hex, 'hex');
    const decoder = new FrameDecoder();
    const decoded = decoder.push(bytes);
    expect(decoded.map(plain)).toEqual([
      { session: frame.session, sequence: frame.sequence, message: frame.message },
    ]);
    expect(Buffer.from(encodeFrame(typed(frame))).toString('hex')).toBe(frame.hex);
  });
});

const concat = (parts: Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));

/** Gives the bytes to a decoder in pieces cut at `cuts`. */
function decodeInPieces(bytes: Uint8Array, cuts: number[]): { frames: Frame[]; decoder: FrameDecoder } {
  const decoder = new FrameDecoder();
  const frames: Frame[] = [];
  const at = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort(
    (a, b) => a - b,
  );
  for (let i = 1; i < at.length; i++) frames.push(...decoder.push(bytes.subarray(at[i - 1], at[i])));
  return { frames, decoder };
}

describe('FrameDecoder', () => {
  test('gives back what was encoded, however the bytes are split', () => {
    fc.assert(
      fc.property(
        fc.array(anyFrame, { maxLength: 5 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        (frames, cuts) => {
          const encoded = frames.map(encodeFrame);
          for (const bytes of encoded) {
            expect(bytes.length).toBeLessThanOrEqual(MAX_FRAME);
            expect(bytes.subarray(1, -1)).not.toContain(0);
          }
          const { frames: decoded, decoder } = decodeInPieces(concat(encoded), cuts);
          expect(decoded).toEqual(frames);
          expect(decoder.counters).toEqual({ crc: 0, framing: 0, malformed: 0 });
        },
      ),
      { numRuns: runs(80, 3000) },
    );
  });

  test('after damage delivers only frames that were sent, and every frame that was left whole', () => {
    const damage = fc.record({
      kind: fc.constantFrom('drop', 'flip', 'double', 'insert'),
      at: fc.nat(),
      value: fc.integer({ min: 1, max: 255 }),
    });
    fc.assert(
      fc.property(
        fc.array(anyFrame, { minLength: 1, maxLength: 4 }),
        fc.array(damage, { minLength: 1, maxLength: 3 }),
        (frames, damages) => {
          const clean = encodeFrame({ message: { name: 'Ping' }, session: 77, sequence: 78 });
          const parts: number[][] = frames.map((frame) => [...encodeFrame(frame)]);
          for (const { kind, at, value } of damages) {
            const part = parts[at % parts.length];
            const place = at % part.length;
            if (kind === 'drop') part.splice(place, 1);
            else if (kind === 'flip') part[place] ^= value;
            else if (kind === 'double') part.splice(place, 0, part[place]);
            else part.splice(place, 0, value);
            if (part.length === 0) part.push(1);
          }
          const decoder = new FrameDecoder();
          const bytes = concat([...parts.map((part) => Uint8Array.from(part)), clean]);
          const decoded = decoder.push(bytes);
          expect(decoded.at(-1)).toEqual({ message: { name: 'Ping' }, session: 77, sequence: 78 });
          const sent = frames.map((frame) => JSON.stringify(plain(frame)));
          for (const frame of decoded.slice(0, -1)) expect(sent).toContain(JSON.stringify(plain(frame)));
        },
      ),
      { numRuns: runs(200, 5000) },
    );
  });

  test('survives any bytes and still finds the next frame', () => {
    const ping = encodeFrame({ message: { name: 'Ping' }, session: 1, sequence: 2 });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), (noise) => {
        const decoder = new FrameDecoder();
        decoder.push(noise);
        expect(decoder.push(ping)).toHaveLength(1);
      }),
    );
  });

  test('drops a frame that is longer than any can be, and counts it once', () => {
    const decoder = new FrameDecoder();
    for (let i = 0; i < 100; i++) expect(decoder.push(new Uint8Array(1000).fill(255))).toEqual([]);
    decoder.push(Uint8Array.of(0));
    expect(decoder.counters).toEqual({ crc: 0, framing: 1, malformed: 0 });
  });

  test('refuses values that do not fit the wire, naming the field', () => {
    const bad = (message: Frame['message']) => () => encodeFrame({ message, session: 0, sequence: 0 });
    expect(bad({ name: 'ArrayInfo', array: 256 })).toThrow('ArrayInfo.array: 256');
    const op = { kind: 'PULSE' as const, array: 0, row: 0, column: 0, code: 0, width: 1, samples: 0 };
    expect(bad({ name: 'Cells', ops: [op] })).toThrow('Cells.ops.width');
    expect(bad({ name: 'Cells', ops: new Array(201).fill({ ...op, width: 1e-4 }) })).toThrow(
      'Cells.ops.length',
    );
    expect(bad({ name: 'ArrayInfoReply', serial: 'x'.repeat(33) })).toThrow('ArrayInfoReply.serial');
  });
});
