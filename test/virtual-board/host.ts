/** The least that is needed to talk to a board: requests one after the other, no retries. */
import { encodeFrame, FrameDecoder } from '../../firmware-protocol/frame.js';
import { type Message, PROTOCOL_HASH, PROTOCOL_VERSION } from '../../firmware-protocol/generated/protocol.js';

export interface Bytes {
  write(bytes: Uint8Array): void | Promise<void>;
  onData(listener: (bytes: Uint8Array) => void): void;
}

type Named<N extends Message['name']> = Extract<Message, { name: N }>;
type ReplyName<N extends Message['name']> = Extract<Message['name'], `${N}Reply`>;

export class Host {
  readonly events: Message[] = [];
  readonly #notices: { code: string; seen: () => void }[] = [];
  #session = 0;
  #sequence = 0;
  #answer: ((message: Message) => void) | undefined;

  constructor(readonly port: Bytes) {
    const decoder = new FrameDecoder();
    port.onData((bytes) => {
      for (const { message } of decoder.push(bytes)) {
        if (message.name === 'Notice') {
          for (const { code, seen } of this.#notices) if (code === message.code) seen();
        }
        if (message.name === 'Samples' || message.name === 'Notice') this.events.push(message);
        else this.#answer?.(message);
      }
    });
  }

  /** Resolves when the board sends this notice from now on. */
  notice(code: 'BOOTED' | 'DEAD_MAN'): Promise<void> {
    return new Promise((seen) => this.#notices.push({ code, seen }));
  }

  async hello() {
    const reply = await this.request({
      name: 'Hello',
      nonce: 77,
      protocolVersion: PROTOCOL_VERSION,
      protocolHash: PROTOCOL_HASH,
    });
    this.#session = reply.session;
    this.#sequence = 1;
    return reply;
  }

  async request<N extends Message['name']>(message: Named<N> & { name: N }): Promise<Named<ReplyName<N>>> {
    const answer = new Promise<Message>((resolve) => {
      this.#answer = resolve;
    });
    const isHello = message.name === 'Hello';
    await this.port.write(
      encodeFrame({
        message,
        session: isHello ? 0 : this.#session,
        sequence: isHello ? 0 : this.#sequence++,
      }),
    );
    const reply = await answer;
    if (reply.name !== `${message.name}Reply`)
      throw new Error(`${message.name} was answered by ${JSON.stringify(reply)}`);
    return reply as Named<ReplyName<N>>;
  }
}
