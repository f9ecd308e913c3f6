/**
 * What the rooms tell the world. Everything that the journal stores, InfluxDB receives or the
 * dashboard shows is one of these; a run can be replayed from its journal alone. SI units.
 */
import { z } from 'zod';

const count = z.number().int().nonnegative();
const share = z.number().min(0).max(1);
const address = { array: count, row: count, column: count };

const variants = [
  z.object({
    type: z.literal('run-started'),
    command: z.string(),
    version: z.string(),
    seed: z.number().optional(),
    backend: z.string().optional(),
  }),
  z.object({ type: z.literal('run-finished'), result: z.record(z.string(), z.unknown()) }),
  z.object({ type: z.literal('log'), level: z.enum(['info', 'warning', 'error']), message: z.string() }),
  z.object({
    type: z.literal('board'),
    port: z.string(),
    boardSerial: z.string(),
    firmwareVersion: z.string(),
    arrays: count,
    rows: count,
    columns: count,
    neurons: count,
  }),
  /** State of the link and its counters since it was opened. */
  z.object({
    type: z.literal('link'),
    state: z.enum(['connecting', 'connected', 'reconnecting', 'lost', 'closed']),
    requests: count,
    retries: count,
    crcErrors: count,
    duplicates: count,
    lostSamples: count,
    bytesSent: count,
    bytesReceived: count,
    /** Smoothed round-trip time, s. */
    roundTrip: z.number(),
    inFlight: count,
  }),
  /** Which part of the job is under way: the dashboard's headline. */
  z.object({ type: z.literal('stage'), stage: z.string(), detail: z.string().optional() }),
  /** Progress of the stage; units is what is counted ("cells", "images", "batches"). */
  z.object({
    type: z.literal('progress'),
    stage: z.string(),
    done: z.number(),
    total: z.number(),
    units: z.string(),
    /** units per second */
    rate: z.number(),
    /** s */
    timeLeft: z.number(),
  }),
  /** One point of the training curves; epoch may be fractional. Offline or in the loop. */
  z.object({
    type: z.literal('training'),
    phase: z.enum(['offline', 'in-loop']),
    epoch: z.number(),
    epochs: z.number(),
    loss: z.number(),
    trainAccuracy: share.optional(),
    validationAccuracy: share.optional(),
    pulses: count.optional(),
  }),
  z.object({
    type: z.literal('accuracy'),
    stage: z.enum(['software', 'programmed', 'finetuned']),
    accuracy: share,
    samples: count,
  }),
  /** Measured conductances of a whole array, row by row, S; null where a cell was not read. */
  z.object({
    type: z.literal('conductance'),
    array: count,
    rows: count,
    columns: count,
    conductance: z.array(z.number().nullable()),
  }),
  /** What is known of one cell after it was programmed or read. */
  z.object({
    type: z.literal('cell'),
    ...address,
    /** S */
    conductance: z.number(),
    target: z.number().optional(),
    pulses: count,
    /** J, an estimate from the device equations */
    energy: z.number(),
    status: z.enum(['untouched', 'in-tolerance', 'programming', 'failed']),
    reason: z.string().optional(),
  }),
  /** Pulses that the board acknowledged, or whose fate is unknown. */
  z.object({
    type: z.literal('pulses'),
    status: z.enum(['applied', 'refused', 'unknown']),
    pulses: z.array(
      z.object({
        ...address,
        voltage: z.number(),
        width: z.number(),
        /** An outcome's code (docs/reference/codes.md) and its words, of what was not applied or may not have been. */
        code: z.string().optional(),
        reason: z.string().optional(),
      }),
    ),
  }),
  /** Membrane voltages of one run, V, one list per neuron; null where a sample was lost. */
  z.object({
    type: z.literal('membrane'),
    run: count,
    samplePeriod: z.number(),
    voltages: z.array(z.array(z.number().nullable())),
    label: z.number().optional(),
    decision: z.number().optional(),
  }),
] as const;

/** `time` is seconds since 1970. */
export const eventSchema = z.intersection(
  z.object({ time: z.number() }),
  z.discriminatedUnion('type', variants),
);

export type EventBody = z.infer<z.ZodDiscriminatedUnion<typeof variants>>;
export type MemloopEvent = EventBody & { time: number };
export type EventOf<T extends EventBody['type']> = Extract<EventBody, { type: T }> & { time: number };

/** How a room tells: it is handed one of these and knows nothing of who listens. */
export type Emit = (event: EventBody) => void;
