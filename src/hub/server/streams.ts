/** The streams of a hub: made where they are missing, left as they are otherwise. */
import {
  AckPolicy,
  DiscardPolicy,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { STREAMS } from '../messages.js';

const DAY = 86_400e9; // ns
const MINUTE = 60e9;

type Settings = Partial<StreamConfig> & { name: string; subjects: string[] };

const queue = {
  retention: RetentionPolicy.Workqueue,
  discard: DiscardPolicy.New,
  max_msgs_per_subject: 1000,
  discard_new_per_subject: true,
  max_age: 90 * DAY,
} as const;

const ALL: readonly Settings[] = [
  { name: STREAMS.jobs, subjects: ['ml.job.>'], ...queue },
  { name: STREAMS.pool, subjects: ['ml.pool.>'], ...queue },
  { name: STREAMS.events, subjects: ['ml.evt.>'], max_age: 90 * DAY },
  { name: STREAMS.states, subjects: ['ml.state.>'], max_msgs_per_subject: 16 },
  { name: STREAMS.claims, subjects: ['ml.claim.*'], max_age: 90 * DAY },
  { name: STREAMS.boards, subjects: ['ml.board.>'], max_msgs_per_subject: 16 },
  // Who wrote a chunk first has written it: the hash in its subject says what it must be.
  {
    name: STREAMS.files,
    subjects: ['ml.file.>'],
    max_msgs_per_subject: 1,
    discard: DiscardPolicy.New,
    discard_new_per_subject: true,
    max_age: 365 * DAY,
  },
];

/** Makes what is missing. Returns when the oldest stream was made: it changes when the hub has lost its disk. */
export async function makeStreams(manager: JetStreamManager): Promise<string> {
  for (const settings of ALL)
    await manager.streams.add({
      storage: StorageType.File,
      duplicate_window: 2 * MINUTE,
      allow_direct: true,
      num_replicas: 1,
      ...settings,
    });
  const { created } = await manager.streams.info(STREAMS.states);
  return String(created);
}

/** The consumer of a bench's own jobs: it takes one after another, and what it does not acknowledge comes again. */
export async function makeConsumer(manager: JetStreamManager, bench: string): Promise<void> {
  await manager.consumers.add(STREAMS.jobs, {
    durable_name: bench,
    filter_subject: `ml.job.${bench}.>`,
    ack_policy: AckPolicy.Explicit,
    ack_wait: 30e9,
  });
}

export async function makePool(manager: JetStreamManager, kind: string): Promise<void> {
  await manager.consumers.add(STREAMS.pool, {
    durable_name: kind,
    filter_subject: `ml.pool.${kind}.*`,
    ack_policy: AckPolicy.Explicit,
    ack_wait: 30e9,
  });
}
