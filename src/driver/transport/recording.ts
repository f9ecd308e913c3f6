/**
 * A link session's bytes, both ways, in a file: one JSON object per line, so that any tool can read it and a kill
 * loses at most the last line. The first line is the header, then
 *
 *     {"time":0.0012,"to":"board","bytes":"AAEC…"}   bytes (base64) as they passed, s since the header
 *     {"time":1.5,"event":"port closed: …"}          the port was opened or closed
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { z } from 'zod';
import { type Frame, FrameDecoder } from '../../../firmware-protocol/frame.js';
import { PROTOCOL_HASH, PROTOCOL_VERSION } from '../../../firmware-protocol/generated/protocol.js';
import { MemloopError } from '../../shared/errors.js';
import { parseJson } from '../../shared/json.js';
import type { Transport } from './transport.js';

const headerSchema = z.object({
  memloop: z.literal('link recording'),
  version: z.literal(1),
  started: z.iso.datetime(),
  url: z.string(),
  protocolVersion: z.number(),
  protocolHash: z.number(),
});
const lineSchema = z.union([
  z.object({ time: z.number(), to: z.enum(['board', 'host']), bytes: z.base64() }),
  z.object({ time: z.number(), event: z.string() }),
]);

export type RecordingHeader = z.infer<typeof headerSchema>;

/** Records what passes through the transports that it wraps: the first port and those opened after it was lost. */
export class Recorder {
  readonly #file: string;
  readonly #start = performance.now();
  #descriptor: number | undefined;
  #failed: MemloopError | undefined;

  /** Begins the file anew. Errors: `disk`. */
  constructor(file: string, url: string) {
    this.#file = file;
    try {
      this.#descriptor = openSync(file, 'w');
    } catch (error) {
      throw this.#failure(error as Error);
    }
    const header: RecordingHeader = {
      memloop: 'link recording',
      version: 1,
      started: new Date().toISOString(),
      url,
      protocolVersion: PROTOCOL_VERSION,
      protocolHash: PROTOCOL_HASH,
    };
    this.#write(header);
  }

  wrap(transport: Transport): Transport {
    const note = (entry: object) =>
      this.#write({ time: Number(((performance.now() - this.#start) / 1000).toFixed(6)), ...entry });
    const passed = (to: 'board' | 'host', bytes: Uint8Array) =>
      note({ to, bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64') });
    note({ event: `port open: ${transport.url}` });
    transport.closed.then((reason) => note({ event: `port closed: ${reason}` }));
    return {
      url: transport.url,
      closed: transport.closed,
      listen: (onBytes) =>
        transport.listen((bytes) => {
          passed('host', bytes);
          onBytes(bytes);
        }),
      write: async (bytes) => {
        passed('board', bytes);
        // A session that cannot be recorded as asked must not go on as if it were.
        if (this.#failed) throw this.#failed;
        await transport.write(bytes);
      },
      close: () => transport.close(),
      claim: transport.claim,
    };
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #write(value: unknown): void {
    if (this.#descriptor === undefined) return;
    try {
      writeSync(this.#descriptor, `${JSON.stringify(value)}\n`);
    } catch (error) {
      this.close();
      this.#failed = this.#failure(error as Error);
    }
  }

  #failure(error: Error): MemloopError {
    return new MemloopError('disk', `cannot record the link in ${this.#file}: ${error.message}`, {
      cause: error,
    });
  }
}

export interface RecordedFrame {
  /** s */
  time: number;
  to: 'board' | 'host';
  frame: Frame;
}

export interface Recording {
  header: RecordingHeader;
  frames: RecordedFrame[];
  events: { time: number; event: string }[];
  /** Frames that were damaged, in each direction. */
  damaged: { board: number; host: number };
}

/** Reads and decodes a recording. Errors: `bad-file`, `protocol-mismatch`. */
export function readRecording(file: string): Recording {
  let lines: string[];
  try {
    lines = readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    throw new MemloopError('bad-file', `cannot read the recording ${file}: ${(error as Error).message}`);
  }
  const header = parseLine(file, lines, 0, headerSchema);
  if (header.protocolHash !== PROTOCOL_HASH) {
    throw new MemloopError(
      'protocol-mismatch',
      `${file} was recorded with protocol version ${header.protocolVersion}; this memloop speaks version ${PROTOCOL_VERSION} with other messages`,
    );
  }
  const recording: Recording = { header, frames: [], events: [], damaged: { board: 0, host: 0 } };
  const decoders = { board: new FrameDecoder(), host: new FrameDecoder() };
  // What follows the last newline was cut off by a kill.
  for (let i = 1; i < lines.length - 1; i++) {
    const line = parseLine(file, lines, i, lineSchema);
    if ('event' in line) recording.events.push(line);
    else {
      const { time, to } = line;
      for (const frame of decoders[to].push(Buffer.from(line.bytes, 'base64'))) {
        recording.frames.push({ time, to, frame });
      }
    }
  }
  for (const to of ['board', 'host'] as const) {
    const { crc, framing, malformed } = decoders[to].counters;
    recording.damaged[to] = crc + framing + malformed;
  }
  return recording;
}

const parseLine = <S extends z.ZodType>(file: string, lines: string[], index: number, schema: S) =>
  parseJson(lines[index], schema, {
    what: `${file} line ${index + 1}`,
    hint: 'give a file that `--record` has written',
  });
