/**
 * Bytes of a board's link in messages of the hub: which lease they belong to, so that no message of an earlier lease is
 * taken, and what they are.
 *
 *     lease: 26 characters │ kind: 1 character │ content
 */
const LEASE = 26;

export type Carried =
  | { lease: string; kind: 'bytes'; bytes: Uint8Array }
  /** Nothing more will come; why, in words. */
  | { lease: string; kind: 'end'; reason: string };

export function pack(message: Carried): Uint8Array {
  const content = message.kind === 'bytes' ? message.bytes : Buffer.from(message.reason);
  const head = Buffer.from(message.lease + (message.kind === 'bytes' ? 'b' : 'e'));
  return Buffer.concat([head, content]);
}

/** Undefined for what is no such message. */
export function unpack(data: Uint8Array): Carried | undefined {
  if (data.length <= LEASE) return undefined;
  const head = Buffer.from(data.subarray(0, LEASE + 1)).toString('latin1');
  const lease = head.slice(0, LEASE);
  const content = data.subarray(LEASE + 1);
  if (head.endsWith('b')) return { lease, kind: 'bytes', bytes: content };
  if (head.endsWith('e')) return { lease, kind: 'end', reason: Buffer.from(content).toString() };
  return undefined;
}
