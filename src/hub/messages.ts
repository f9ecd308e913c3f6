/**
 * Subjects and messages of the hub, version 1: all that agents, users and other tools say to each other over NATS.
 * The last token of a subject that a person publishes on, and the first one after the kind of a bench's, is who publishes:
 * the server lets each key publish under its own name only, so that a receiver knows who asks from the subject alone.
 */
import { z } from 'zod';

export const HUB_VERSION = 1;

/** s; see docs/reference/hub.md. */
export const TIMES = {
  /** Between two heartbeats of a bench. */
  heartbeat: 5,
  /** Silence after which a bench counts as away. */
  away: 15,
  /** Silence after which another bench may claim its boards. */
  handOver: 30,
  /** A lease that is not renewed. */
  lease: 30,
  /** A view that is not renewed. */
  live: 10,
} as const;
/** Bytes of an artefact in one message. */
export const CHUNK = 256 * 1024;
/** Bytes of a message; the server refuses longer ones. */
export const MAX_PAYLOAD = 1024 * 1024;

/** Streams that the server keeps, by what they hold. */
export const STREAMS = {
  /** Jobs and cancellations that no bench has taken yet: a work queue. */
  jobs: 'JOBS',
  /** The same for jobs that any board of a kind may do. */
  pool: 'POOL',
  /** Journals of runs. */
  events: 'EVENTS',
  /** What became of each job and lease, with the counts for the audit. */
  states: 'STATES',
  /** Which bench has taken a job of a pool: the first message of its subject. */
  claims: 'CLAIMS',
  /** Descriptions of boards. */
  boards: 'BOARDS',
  /** Artefacts in chunks. */
  files: 'FILES',
} as const;

/** `who` is an identity (`identityOf`): a bench's is its name. */
export const subjects = {
  job: (bench: string, board: string, who: string) => `ml.job.${bench}.${board}.${who}`,
  pool: (kind: string, who: string) => `ml.pool.${kind}.${who}`,
  claim: (job: string) => `ml.claim.${job}`,
  event: (bench: string, board: string, job: string) => `ml.evt.${bench}.${board}.${job}`,
  state: (bench: string, job: string) => `ml.state.${bench}.${job}`,
  board: (bench: string, board: string) => `ml.board.${bench}.${board}`,
  presence: (bench: string) => `ml.presence.${bench}`,
  file: (who: string, sha256: string, chunk: number | '*') => `ml.file.${who}.${sha256}.${chunk}`,
  /** Asked of a bench about one board; it answers. */
  rpc: (bench: string, board: string, what: Procedure | '*', who: string) =>
    `ml.rpc.${bench}.${board}.${what}.${who}`,
  /** Asked of the hub; it answers from its streams. */
  hub: (what: HubProcedure | '*', who: string) => `ml.hub.${what}.${who}`,
  /** Events as they happen, only while somebody watches; never stored. */
  live: (bench: string, board: string) => `ml.live.${bench}.${board}`,
  /** Bytes of a leased board's link: `up` to the board, `down` to the holder. */
  link: (bench: string, board: string, way: 'up' | 'down', who: string) =>
    `ml.link.${bench}.${board}.${way}.${who}`,
} as const;

/** What a bench answers: subject `ml.rpc.BENCH.BOARD.<procedure>.WHO`. */
export const PROCEDURES = ['info', 'stop', 'live', 'acquire', 'renew', 'release'] as const;
export type Procedure = (typeof PROCEDURES)[number];
/** What the hub answers: subject `ml.hub.<procedure>.WHO`. `hello` is for benches. */
export const HUB_PROCEDURES = ['hello', 'boards', 'jobs', 'events'] as const;
export type HubProcedure = (typeof HUB_PROCEDURES)[number];

export const ROLES = ['operator', 'bench', 'user', 'viewer'] as const;
export type Role = (typeof ROLES)[number];

/** Of a user or a bench. No name has an underscore, so none can be taken for an operator. */
export const nameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'give lower-case letters, digits and hyphens, at most 32');

/** The token that stands for somebody in subjects. */
export const identityOf = ({ name, role }: { name: string; role: Role }): string =>
  role === 'operator' ? `${name}_operator` : name;
export const isOperator = (identity: string): boolean => identity.endsWith('_operator');

/** A board's serial number, or the kind of its chip, as one token of a subject. */
export const tokenOf = (text: string): string => text.replaceAll(/[^\w-]/g, '_') || '_';
/** Boards that can stand in for each other: `w-sdc`-like boards of the same size. */
export const kindOfBoard = (size: { arrays: number; rows: number; columns: number }): string =>
  `${size.rows}x${size.columns}x${size.arrays}`;

const version = z.literal(HUB_VERSION);
const count = z.number().int().nonnegative();
const token = z.string().regex(/^[\w-]+$/);
const date = z.iso.datetime();
const jobId = z.string().regex(/^[0-9A-HJKMNP-TV-Z]{26}$/);

/** Why something is refused; code decides by it. */
export const REFUSALS = [
  'newer-schema',
  'bad-message',
  'unknown-bench',
  'unknown-board',
  'unknown-job',
  'board-claimed',
  'busy',
  'no-lease',
  'not-allowed',
  'bad-command',
  'over-budget',
  'too-late',
  'bad-artefact',
  'queue-full',
] as const;
export type RefusalCode = (typeof REFUSALS)[number];

export const refusalSchema = z.object({
  v: version,
  refused: z.object({ code: z.enum(REFUSALS), message: z.string() }),
});

/** A file kept in chunks on `ml.file.<by>.<sha256>.<n>`; whoever reads it checks the hash. */
export const fileSchema = z.object({
  name: z.string().regex(/^(?!\.)[\w. -]+(\/(?!\.)[\w. -]+)*$/),
  by: token,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  size: count,
});
export type FileReference = z.infer<typeof fileSchema>;

/** A memloop command to be run at a bench. An argument is a word, or a file that the bench fetches first. */
export const jobSchema = z.object({
  v: version,
  id: jobId,
  command: z.string(),
  arguments: z.array(z.union([z.string(), fileSchema])),
  /** Most that it may put into the chip over all its attempts; absent: no limit but the bench's own. Energy in J. */
  budget: z.object({ pulses: count.optional(), energy: z.number().nonnegative().optional() }).default({}),
  /** It fails if it is not done by then. */
  deadline: date.optional(),
  submitted: date,
});
export type Job = z.infer<typeof jobSchema>;

export const cancelSchema = z.object({ v: version, cancel: jobId });
export const claimSchema = z.object({ v: version, bench: token });

/** What travels on `ml.job.…` and `ml.pool.…`. */
export const jobMessageSchema = z.union([jobSchema, cancelSchema]);

/** Pulses and energy (J) by the passports, and pulses since boot by the board's own counter, with its uptime, s. */
export const countsSchema = z.object({
  pulses: count,
  energy: z.number(),
  counter: count.nullable(),
  uptime: z.number(),
});
export type Counts = z.infer<typeof countsSchema>;

export const STATES = ['queued', 'accepted', 'running', 'done', 'failed', 'cancelled'] as const;
export type JobState = (typeof STATES)[number];
export const isOver = (state: JobState): boolean =>
  state === 'done' || state === 'failed' || state === 'cancelled';

/** What became of a job or a lease: the newest message of its subject counts. */
export const stateSchema = z.object({
  v: version,
  id: jobId,
  kind: z.enum(['job', 'lease']),
  bench: token,
  board: token,
  user: token,
  state: z.enum(STATES),
  time: date,
  attempt: count,
  job: jobSchema.optional(),
  exitCode: z.number().int().nullable().optional(),
  /** Why it failed: a refusal's or an error's code. */
  reason: z.string().optional(),
  message: z.string().optional(),
  /** The last line of the command's `--json`. */
  result: z.record(z.string(), z.unknown()).optional(),
  /** Lines of the run's journal. */
  events: count.optional(),
  /** The run folder. */
  files: z.array(fileSchema).optional(),
  /** The chip's passports as they were afterwards. */
  passports: z.array(fileSchema).optional(),
  before: countsSchema.optional(),
  after: countsSchema.optional(),
  /** The firmware's fence while it had the board: decimal digits of a u64. */
  fence: z.string().regex(/^\d+$/).optional(),
});
export type State = z.infer<typeof stateSchema>;

/** One line of a run's journal: the n-th, counted from 0. */
export const eventMessageSchema = z.object({
  v: version,
  n: count,
  event: z.record(z.string(), z.unknown()),
});
/** An event as it happened: the n-th sent since the bench began; `lost` counts those left out before it. */
export const liveMessageSchema = z.object({
  v: version,
  n: count,
  lost: count,
  event: z.record(z.string(), z.unknown()),
});
export type LiveMessage = z.infer<typeof liveMessageSchema>;

/** What a board is. */
export const boardMessageSchema = z.object({
  v: version,
  bench: token,
  board: token,
  serial: z.string(),
  /** Of `pool:KIND`. */
  kind: token,
  arraySerials: z.array(z.string()),
  rows: count,
  columns: count,
  neurons: count,
  firmwareVersion: z.string(),
  caveats: z.array(z.string()),
  /** s; silence after which the board puts its lines to 0 V; null: never. */
  deadManTime: z.number().nullable(),
  memloop: z.string(),
});
export type BoardMessage = z.infer<typeof boardMessageSchema>;

/** A bench's heartbeat. */
export const presenceSchema = z.object({
  v: version,
  bench: token,
  time: date,
  boards: z.array(
    z.object({
      board: token,
      state: z.enum(['idle', 'job', 'lease', 'lost']),
      /** Who has it, and for which job or lease. */
      user: token.optional(),
      id: jobId.optional(),
      queued: count,
      /** Of the passports. */
      pulses: count,
      energy: z.number(),
    }),
  ),
});
export type Presence = z.infer<typeof presenceSchema>;

/** Requests; those not listed are `{v}`. */
export const requests = {
  /** A bench's first words: it claims its boards, and learns which hub it is at. */
  hello: z.object({ v: version, boards: z.array(boardMessageSchema) }),
  boards: z.object({ v: version }),
  /** One by its id, or the newest that are older than `before`. */
  jobs: z.object({ v: version, id: jobId.optional(), before: jobId.optional() }),
  /** `from`: 0, or `next` of the reply before. */
  events: z.object({ v: version, job: jobId, from: count }),
  info: z.object({ v: version }),
  stop: z.object({ v: version }),
  live: z.object({ v: version }),
  acquire: z.object({ v: version, pulses: count.optional() }),
  renew: z.object({ v: version, lease: jobId }),
  release: z.object({ v: version, lease: jobId }),
} as const satisfies Record<Procedure | HubProcedure, z.ZodType>;

const boardRow = boardMessageSchema.extend({
  present: z.boolean(),
  status: presenceSchema.shape.boards.element.optional(),
});
const leaseReply = z.object({
  v: version,
  lease: jobId,
  /** For the firmware: decimal digits of a u64 that only grows. */
  fence: z.string().regex(/^\d+$/),
  /** s from now */
  expires: z.number(),
});
const done = z.object({ v: version });

/** Replies, where it is not a refusal. */
export const replies = {
  /** `hub` changes when the hub has lost its streams: everything is sent again then. */
  hello: z.object({ v: version, hub: z.string() }),
  boards: z.object({ v: version, boards: z.array(boardRow) }),
  jobs: z.object({ v: version, jobs: z.array(stateSchema), more: z.boolean() }),
  events: z.object({
    v: version,
    events: z.array(eventMessageSchema),
    next: count,
    more: z.boolean(),
  }),
  info: z.object({ v: version, board: boardMessageSchema, status: presenceSchema.shape.boards.element }),
  stop: done,
  live: z.object({ v: version, seconds: z.number() }),
  acquire: leaseReply,
  renew: leaseReply,
  release: done,
} as const satisfies Record<Procedure | HubProcedure, z.ZodType>;
export type BoardRow = z.infer<typeof boardRow>;
export type Lease = z.infer<typeof leaseReply>;

/** The schemas that other tools need, for `schemas/hub.schema.json`, by name. */
export const messageSchemas = {
  job: jobSchema,
  cancel: cancelSchema,
  claim: claimSchema,
  state: stateSchema,
  event: eventMessageSchema,
  live: liveMessageSchema,
  board: boardMessageSchema,
  presence: presenceSchema,
  refusal: refusalSchema,
  ...Object.fromEntries(Object.entries(requests).map(([name, schema]) => [`${name}-request`, schema])),
  ...Object.fromEntries(Object.entries(replies).map(([name, schema]) => [`${name}-reply`, schema])),
} as const satisfies Record<string, z.ZodType>;
