/** The C codec against the golden frames and against the TypeScript codec. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeFrame, FrameDecoder } from '../../firmware-protocol/frame.js';
import { anyFrame } from './arbitrary.js';
import { parseRaw, rawFrame } from './raw.js';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const compiler = spawnSync('cc', ['--version']).status === 0;

describe.skipIf(!compiler)('the C codec (needs a C compiler, cc)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'memloop-recode-'));
  const program = join(folder, 'recode');
  const recode = (lines: string[]): string[] =>
    execFileSync(program, { input: `${lines.join('\n')}\n`, encoding: 'utf8', maxBuffer: 1 << 28 })
      .split('\n')
      .slice(0, -1);
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

  beforeAll(() => {
    const firmware = at('../../firmware-protocol/firmware/');
    execFileSync('cc', [
      ...['-std=c11', '-O1', '-Wall', '-Wextra', '-Wconversion', '-Werror', '-I', firmware, '-o', program],
      ...[`${firmware}frame.c`, `${firmware}protocol.c`, at('recode.c')],
    ]);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('reads and writes every golden frame', () => {
    const golden: { hex: string }[] = JSON.parse(
      readFileSync(at('../../firmware-protocol/generated/golden.json'), 'utf8'),
    );
    const lines = golden.map((frame) => frame.hex);
    expect(recode(lines)).toEqual(lines);
  });

  test('reads and writes random frames as TypeScript does', () => {
    // A C text ends at a zero, which no serial number has.
    const frames = fc
      .sample(anyFrame, { numRuns: 400, seed: 4 })
      .filter(
        (frame) => !Object.values(frame.message).some((v) => typeof v === 'string' && v.includes('\0')),
      );
    const lines = frames.map((frame) => hex(encodeFrame(frame)));
    expect(lines.length).toBeGreaterThan(300);
    expect(recode(lines)).toEqual(lines);
  });

  test('accepts and refuses damaged payloads exactly as TypeScript does', () => {
    const damaged = fc.sample(
      fc.tuple(anyFrame, fc.nat(), fc.integer({ min: 0, max: 255 }), fc.constantFrom('flip', 'cut', 'add')),
      { numRuns: 1000, seed: 5 },
    );
    const lines: string[] = [];
    const expected: string[] = [];
    for (const [frame, place, value, kind] of damaged) {
      const raw = parseRaw(encodeFrame(frame));
      const { payload } = raw;
      // Text is bytes to the firmware; that it is UTF-8 is the host's to check.
      const hasText = Object.values(frame.message)
        .slice(1)
        .some((v) => typeof v === 'string');
      if (payload.length === 0 || hasText) continue;
      if (kind === 'flip') payload[place % Math.min(payload.length, 12)] ^= value;
      else if (kind === 'cut') payload.pop();
      else payload.push(value);
      const wire = rawFrame(raw);
      const decoder = new FrameDecoder();
      const [decoded] = decoder.push(wire);
      lines.push(hex(wire));
      expected.push(
        decoded ? hex(encodeFrame(decoded)) : decoder.counters.malformed ? 'malformed' : 'damaged',
      );
    }
    expect(lines.length).toBeGreaterThan(500);
    expect(expected.filter((line) => line === 'malformed').length).toBeGreaterThan(200);
    expect(recode(lines)).toEqual(expected);
  });
});
