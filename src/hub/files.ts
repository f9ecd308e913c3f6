/** Artefacts: files by their hash, in chunks that the hub keeps on `ml.file.<by>.<sha256>.<n>`. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import pLimit from 'p-limit';
import { writeAtomically } from '../shared/files.js';
import type { HubConnection } from './connection.js';
import { CHUNK, type FileReference, STREAMS, subjects } from './messages.js';
import { HubRefusal } from './refusal.js';

/** Chunks on the way at once. */
const AT_ONCE = 4;

export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Keeps a file at the hub, under one's own name; what is there already is not sent again. */
export async function putFile(hub: HubConnection, path: string, name: string): Promise<FileReference> {
  const bytes = readFileSync(path);
  const file = { name, by: hub.who, sha256: sha256Of(bytes), size: bytes.length };
  const chunks = chunksOf(file);
  // The last chunk is stored when all others are.
  if (chunks > 0 && (await chunkOf(hub, file, chunks - 1))) return file;
  const send = (n: number) => {
    const data = bytes.subarray(n * CHUNK, (n + 1) * CHUNK);
    return hub.store(subjects.file(hub.who, file.sha256, n), data, `${hub.who}.${file.sha256}.${n}`);
  };
  const limit = pLimit(AT_ONCE);
  await Promise.all(Array.from({ length: Math.max(0, chunks - 1) }, (_, n) => limit(send, n)));
  if (chunks > 0) await send(chunks - 1);
  return file;
}

/** The content of an artefact, checked by its hash. Throws HubRefusal `bad-artefact`. */
export async function readFileAt(hub: HubConnection, file: FileReference): Promise<Uint8Array> {
  const limit = pLimit(AT_ONCE);
  const parts = await Promise.all(
    Array.from({ length: chunksOf(file) }, (_, n) => limit(() => chunkOf(hub, file, n))),
  );
  const missing = parts.indexOf(undefined);
  if (missing >= 0)
    throw new HubRefusal('bad-artefact', `${file.name}: the hub does not have all of it; send it again`);
  const bytes = Buffer.concat(parts as Uint8Array[]);
  if (bytes.length !== file.size || sha256Of(bytes) !== file.sha256)
    throw new HubRefusal('bad-artefact', `${file.name}: its content is not that of its hash ${file.sha256}`);
  return bytes;
}

/** The same into a file, which is whole or absent. */
export async function fetchFile(hub: HubConnection, file: FileReference, path: string): Promise<void> {
  writeAtomically(path, await readFileAt(hub, file));
}

const chunksOf = ({ size }: FileReference): number => Math.ceil(size / CHUNK);

const chunkOf = (hub: HubConnection, file: FileReference, n: number): Promise<Uint8Array | undefined> =>
  hub.newest(STREAMS.files, subjects.file(file.by, file.sha256, n));
