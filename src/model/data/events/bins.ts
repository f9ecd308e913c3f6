/**
 * Events of a sensor (address, time, polarity) → signals in time: how many events each field of the sensor gave in each
 * part of the sample's time. The time of a sample, from its first event to its last, is cut into equal parts, so that
 * slow and fast samples look alike.
 */
import { badFile, classesOf, MAX_INPUTS, type ReadOptions, type Samples } from '../files/samples.js';

/** A line of addresses, or a square of pixels whose events have a polarity. */
export type Sensor = { line: number } | { side: number };

/** What a reader gives of one sample: visits its events, in any order. Times are in any unit; addresses are the sensor's. */
export type EventSource = (visit: (time: number, x: number, y: number, polarity: number) => void) => void;

export interface EventSample {
  label: string;
  events: EventSource;
}

/** As many as fit into a run of a board. */
const TIMES = 30;
/** Fields of a line, and of a side of a square, unless told otherwise. */
const LINE = 700;
const SIDE = 34;
/** Most values of a file's samples together: 1 GB. */
const MOST = 2 ** 28;

/** How the sensor's addresses become channels. */
interface Fields {
  channels: number;
  channelOf: (x: number, y: number, polarity: number) => number;
}

/** Error: `bad-file` for channels that the sensor cannot be cut into. */
function fieldsOf(path: string, sensor: Sensor, asked: number | undefined): Fields {
  if ('line' in sensor) {
    const channels = asked ?? Math.min(LINE, sensor.line);
    if (channels > sensor.line)
      throw badFile(path, `its sensor has ${sensor.line} addresses; give at most as many --channels`);
    return { channels, channelOf: (x) => Math.floor((x * channels) / sensor.line) };
  }
  const channels = asked ?? 2 * Math.min(SIDE, sensor.side) ** 2;
  const polarities = Number.isInteger(Math.sqrt(channels)) ? 1 : 2;
  const fields = Math.sqrt(channels / polarities);
  if (!Number.isInteger(fields) || fields > sensor.side)
    throw badFile(
      path,
      `its sensor of ${sensor.side} × ${sensor.side} pixels cannot be cut into ${channels} channels; give --channels k × k, or 2 × k × k to keep the polarities apart`,
    );
  const along = (at: number) => Math.floor((at * fields) / sensor.side);
  return {
    channels,
    channelOf: (x, y, polarity) =>
      ((polarities === 1 ? 0 : polarity) * fields + along(y)) * fields + along(x),
  };
}

/** Counts of events, samples × times × channels. Errors: `bad-file`. */
export function binned(
  path: string,
  sensor: Sensor,
  samples: readonly EventSample[],
  options: ReadOptions,
  label: string,
): Samples {
  const { times = TIMES } = options;
  const { channels, channelOf } = fieldsOf(path, sensor, options.channels);
  const size = times * channels;
  const count = samples.length;
  if (count < 2) throw badFile(path, `it holds ${count} samples; at least two are needed`);
  if (size > MAX_INPUTS || count * size > MOST)
    throw badFile(
      path,
      `${count} samples of ${times} times and ${channels} channels do not fit into memory; give fewer --times or --channels`,
    );
  const values = new Float32Array(count * size);
  samples.forEach(({ events }, i) => {
    let first = Infinity;
    let last = -Infinity;
    events((time) => {
      first = Math.min(first, time);
      last = Math.max(last, time);
    });
    const perTime = last > first ? times / (last - first) : 0;
    events((time, x, y, polarity) => {
      const at = Math.min(times - 1, Math.floor((time - first) * perTime));
      values[i * size + at * channels + channelOf(x, y, polarity)]++;
    });
  });
  return {
    count,
    columns: Array.from({ length: size }, (_, k) => ({
      name: `time ${Math.floor(k / channels) + 1}, channel ${(k % channels) + 1}`,
    })),
    values,
    ...classesOf(
      path,
      samples.map((sample) => sample.label),
    ),
    image: {},
    times,
    label,
  };
}
