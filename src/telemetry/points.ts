/** Which event becomes which InfluxDB points; docs/reference/events.md has the table. */
import type { MemloopEvent } from '../shared/events.js';

export interface Point {
  measurement: string;
  tags: Record<string, string>;
  fields: Record<string, number | string>;
}

/** The points of an event; none for events that only the journal keeps. */
export function pointsOf(event: MemloopEvent): Point[] {
  switch (event.type) {
    case 'run-started':
      return [point('run', { command: event.command }, { version: event.version, seed: event.seed })];
    case 'run-finished':
      return [point('result', {}, numbersOf(event.result))];
    case 'log':
      return [point('log', { level: event.level }, { message: event.message })];
    case 'link': {
      const { type, time, state, ...counters } = event;
      return [point('link', { state }, counters)];
    }
    case 'progress': {
      const { stage, units, done, total, rate, timeLeft } = event;
      return [point('progress', { stage, units }, { done, total, rate, timeLeft })];
    }
    case 'training': {
      const { phase, epoch, loss, trainAccuracy, validationAccuracy, pulses } = event;
      return [point('training', { phase }, { epoch, loss, trainAccuracy, validationAccuracy, pulses })];
    }
    case 'accuracy':
      return [
        point('accuracy', { stage: event.stage }, { accuracy: event.accuracy, samples: event.samples }),
      ];
    case 'conductance': {
      const read = event.conductance.filter((g) => g !== null);
      return [point('conductance', { array: event.array }, { ...summary(read), cells: read.length })];
    }
    case 'cell': {
      const { array, row, column, status, conductance, target, pulses, energy, reason } = event;
      return [point('cell', { array, row, column, status }, { conductance, target, pulses, energy, reason })];
    }
    case 'pulses':
      return event.pulses.map(({ array, row, column, voltage, width }) =>
        point('pulse', { array, row, column, status: event.status }, { voltage, width }),
      );
    case 'membrane': {
      const { label, decision } = event;
      const correct = label === undefined || decision === undefined ? undefined : Number(label === decision);
      return [
        point('decision', {}, { run: event.run, label, decision, correct }),
        ...event.voltages.map((trace, neuron) => {
          const seen = trace.filter((v) => v !== null);
          return point('membrane', { neuron }, { ...summary(seen), lost: trace.length - seen.length });
        }),
      ];
    }
    case 'board':
    case 'stage':
      return [];
  }
}

type Value = number | string | null | undefined;

/** Fields that InfluxDB cannot hold (absent, not read, not finite) are left out. */
function point(measurement: string, tags: Record<string, Value>, fields: Record<string, Value>): Point {
  return {
    measurement,
    tags: Object.fromEntries(Object.entries(tags).map(([key, value]) => [key, tagValue(String(value))])),
    fields: Object.fromEntries(
      Object.entries(fields).filter(
        (entry): entry is [string, number | string] =>
          typeof entry[1] === 'string' || Number.isFinite(entry[1]),
      ),
    ),
  };
}

/** The line protocol cannot carry line breaks or backslashes at the end of a tag. */
const tagValue = (text: string): string => text.replace(/[\s\\]+/g, ' ').trim() || '-';

function numbersOf(result: Record<string, unknown>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(result).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
  );
}

function summary(values: readonly number[]): Record<string, number> {
  if (values.length === 0) return {};
  let least = Infinity;
  let most = -Infinity;
  let sum = 0;
  for (const value of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
    sum += value;
  }
  return { mean: sum / values.length, least, most };
}
