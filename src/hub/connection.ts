/** A connection to a hub: requests, messages that are stored, subscriptions. Only core NATS: no rights on streams needed. */
import {
  type ConnectionOptions,
  connect,
  headers,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  nkeyAuthenticator,
} from '@nats-io/transport-node';
import type { z } from 'zod';
import { MemloopError } from '../shared/errors.js';
import { clean } from '../shared/text.js';
import type { HubKey } from './key.js';
import {
  HUB_VERSION,
  type HubProcedure,
  identityOf,
  type Procedure,
  type replies,
  replies as replySchemas,
  type requests,
  subjects,
} from './messages.js';
import { decodeReply, encode, HubRefusal } from './refusal.js';

/** Time-outs, ms. */
const CONNECT = 5000;
const REQUEST = 5000;
const RETRY = 500;

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

export interface ConnectHubOptions {
  /** A service: the first connection is waited for, and a lost one tried again for ever. Otherwise 10 s. */
  forever?: boolean;
}

/**
 * Connects with a key. Off this machine only by TLS (`tls://HOST:PORT`). Errors: `usage` for a URL that is none or is not
 * safe, `service` for a hub that is not there or refuses the key.
 */
export async function connectHub(
  key: HubKey,
  { forever = false }: ConnectHubOptions = {},
): Promise<HubConnection> {
  const who = identityOf(key);
  const options: ConnectionOptions = {
    ...serverOf(key),
    authenticator: nkeyAuthenticator(Buffer.from(key.seed)),
    inboxPrefix: `_INBOX.${who}`,
    name: `memloop ${key.role} ${key.name}`,
    timeout: CONNECT,
    reconnectTimeWait: RETRY,
    maxReconnectAttempts: forever ? -1 : 20,
    waitOnFirstConnect: forever,
    ignoreAuthErrorAbort: forever,
    ignoreClusterUpdates: true,
    noAsyncTraces: true,
  };
  try {
    return new HubConnection(await connect(options), key);
  } catch (error) {
    throw new MemloopError('service', failureText(key.url, error as Error), { cause: error });
  }
}

function failureText(url: string, { name, message }: Error): string {
  if (name === 'AuthorizationError' || /authorization/i.test(message))
    return `the hub at ${url} refuses this key: ask its operator for one (\`memloop hub user add\`)`;
  return `no hub at ${url} (${clean(message)}): start one with \`memloop hub serve\`, or give --hub URL`;
}

function serverOf({ url, ca }: HubKey): Pick<ConnectionOptions, 'servers' | 'tls'> {
  const { protocol, hostname, port } = URL.canParse(url)
    ? new URL(url)
    : { protocol: '', hostname: '', port: '' };
  const secure = protocol === 'tls:';
  if (!hostname || !(secure || protocol === 'nats:'))
    throw new MemloopError(
      'usage',
      `cannot read the hub ${url}; write nats://127.0.0.1:4222 or tls://HOST:PORT`,
    );
  if (!secure && !LOOPBACK.has(hostname))
    throw new MemloopError(
      'usage',
      `the hub ${url} is on another machine and would be reached in the clear: use tls://${hostname}`,
    );
  return {
    servers: `${hostname}:${port || 4222}`,
    ...(secure && { tls: ca === undefined ? {} : { ca } }),
  };
}

type AnyProcedure = Procedure | HubProcedure;
type Request<P extends AnyProcedure> = Omit<z.input<(typeof requests)[P]>, 'v'>;
export type Reply<P extends AnyProcedure> = z.output<(typeof replies)[P]>;

export class HubConnection {
  readonly who: string;

  constructor(
    readonly nats: NatsConnection,
    readonly key: HubKey,
  ) {
    this.who = identityOf(key);
  }

  /** Asks the hub itself. Throws HubRefusal, or `service` where nobody answers. */
  ask<P extends HubProcedure>(procedure: P, request: Request<P>): Promise<Reply<P>> {
    return this.#request(procedure, subjects.hub(procedure, this.who), request, this.#itself);
  }

  /** Asks a bench about one of its boards. Throws HubRefusal, or `service` where nobody answers. */
  call<P extends Procedure>(
    { bench, board }: { bench: string; board: string },
    procedure: P,
    request: Request<P>,
  ): Promise<Reply<P>> {
    const subject = subjects.rpc(bench, board, procedure, this.who);
    return this.#request(procedure, subject, request, `the bench ${bench}`);
  }

  async #request<P extends AnyProcedure>(
    procedure: P,
    subject: string,
    request: Request<P>,
    what: string,
  ): Promise<Reply<P>> {
    const answer = await this.#ask(what, subject, encode({ v: HUB_VERSION, ...request }));
    return decodeReply(
      answer.data,
      replySchemas[procedure],
      `${what}: its answer to "${procedure}"`,
    ) as Reply<P>;
  }

  get #itself(): string {
    return `the hub at ${this.key.url}`;
  }

  /** One request and its answer. Throws `service`. */
  #ask(what: string, subject: string, data?: Uint8Array, fields?: MsgHdrs): Promise<Msg> {
    const options = { timeout: REQUEST, ...(fields && { headers: fields }) };
    return this.nats.request(subject, data, options).catch((error: Error) => {
      throw new MemloopError('service', this.#silence(what, error), { cause: error });
    });
  }

  #silence(what: string, error: Error): string {
    if (/permission/i.test(error.message))
      return `the hub does not allow this to ${this.key.name}, who is ${this.key.role}: ask its operator for another role`;
    return `${what} does not answer: see \`memloop benches\``;
  }

  /**
   * Publishes a message that the hub stores; resolves once it is stored. A message of the same id within two minutes is
   * stored once. Throws HubRefusal `queue-full`, or `service`.
   */
  async store(subject: string, data: Uint8Array, id?: string): Promise<void> {
    return this.#store(subject, data, id === undefined ? {} : { 'Nats-Msg-Id': id });
  }

  /** The same, if nothing was stored on this subject before; otherwise it throws. */
  async storeFirst(subject: string, data: Uint8Array): Promise<void> {
    return this.#store(subject, data, { 'Nats-Expected-Last-Subject-Sequence': '0' });
  }

  async #store(subject: string, data: Uint8Array, fields: Readonly<Record<string, string>>): Promise<void> {
    const all = headers();
    for (const [name, value] of Object.entries(fields)) all.set(name, value);
    const answer = await this.#ask(this.#itself, subject, data, all);
    const { error } = JSON.parse(answer.string()) as { error?: { description: string } };
    if (!error) return;
    if (/maximum messages|maximum bytes|resource/i.test(error.description))
      throw new HubRefusal('queue-full', `the hub has no room (${error.description}): try again later`);
    throw new MemloopError('service', `the hub could not store it: ${clean(error.description)}`);
  }

  /** The newest message that a stream holds on a subject; undefined where there is none. */
  async newest(stream: string, subject: string): Promise<Uint8Array | undefined> {
    const answer = await this.#ask(this.#itself, `$JS.API.DIRECT.GET.${stream}.${subject}`);
    return answer.headers?.hasError ? undefined : answer.data;
  }

  /** Whether messages can leave now. */
  get connected(): boolean {
    return !this.nats.isClosed() && this.nats.getServer() !== '' && this.#up;
  }

  #up = true;
  /** Calls back at each change of the connection; to be called once. */
  async watch(change: (up: boolean) => void): Promise<void> {
    for await (const { type } of this.nats.status()) {
      if (type === 'disconnect' || type === 'reconnect') {
        this.#up = type === 'reconnect';
        change(this.#up);
      }
    }
  }

  async close(): Promise<void> {
    if (this.nats.isClosed()) return;
    await (this.#up ? this.nats.drain() : this.nats.close()).catch(() => this.nats.close());
  }
}
