/**
 * The bench's own journal: a folder for each job and lease, `jobs/ID/record.json`. What is here has been taken: it is the
 * queue, and it outlives the hub. The hub's streams are a copy of it.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { makeFolder, writeAtomically } from '../../shared/files.js';
import { readJson } from '../../shared/json.js';
import { isOver, stateSchema } from '../messages.js';

const recordSchema = z.object({
  memloopJob: z.literal(1),
  state: stateSchema,
  /** Of a pool: it may begin once the hub has given it to this bench. */
  unclaimed: z.boolean().default(false),
  /** Why it is to end, before it has. */
  ending: z
    .object({ state: z.enum(['cancelled', 'failed']), reason: z.string(), message: z.string() })
    .optional(),
  /** The command's process while it runs. */
  pid: z.number().int().optional(),
  /** What the hub has: to be sent anew to another hub. */
  sent: z.object({ hub: z.string(), events: z.number(), bytes: z.number(), state: z.string() }),
});
export type Record = z.infer<typeof recordSchema>;

const DAY = 86_400_000;
/** What is over and sent is kept so long, so that a hub that has lost its disk gets it again. */
const KEPT = 30 * DAY;
const NOT_SENT = { hub: '', events: 0, bytes: 0, state: '' };

export class Records {
  readonly #folder: string;
  readonly #all = new Map<string, Record>();

  /** Reads what earlier processes left. Throws `bad-file`, `disk`. */
  constructor(folder: string) {
    this.#folder = folder;
    makeFolder(folder);
    for (const id of readdirSync(folder).sort()) {
      const path = join(folder, id, 'record.json');
      // A kill between making the folder and writing the record: the hub still has the job.
      if (!existsSync(path)) continue;
      const record = readJson(path, recordSchema, { hint: 'mend it or move its folder away' });
      const { state } = record;
      if (isOver(state.state) && Date.now() - Date.parse(state.time) > KEPT)
        rmSync(join(folder, id), { recursive: true, force: true });
      else this.#all.set(id, record);
    }
  }

  /** In the order of their ids, which is that of their submission. */
  all(): Record[] {
    return [...this.#all.values()];
  }

  get(id: string): Record | undefined {
    return this.#all.get(id);
  }

  folderOf(id: string): string {
    return join(this.#folder, id);
  }

  /** Begins a record; on disk when it returns. */
  add(state: Record['state'], unclaimed = false): Record {
    const record: Record = { memloopJob: 1, state, unclaimed, sent: { ...NOT_SENT } };
    this.save(record);
    return record;
  }

  /** On disk when it returns. */
  save(record: Record): void {
    const { id } = record.state;
    makeFolder(this.folderOf(id));
    writeAtomically(join(this.folderOf(id), 'record.json'), `${JSON.stringify(record)}\n`);
    this.#all.set(id, record);
  }

  /** Everything is to be sent to this hub, if it is another one than before. */
  readdress(hub: string): void {
    for (const record of this.#all.values())
      if (record.sent.hub !== hub) {
        record.sent = { ...NOT_SENT, hub };
        this.save(record);
      }
  }
}
