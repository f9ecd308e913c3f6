/** One request after another over one connection, and what is known of a request that failed. */
import http from 'node:http';
import https from 'node:https';

/** Answers longer than this are not read, bytes. */
const LONGEST_ANSWER = 4 * 2 ** 20;
/** A connection idle for so long is not used again, s: servers close theirs, and a write would be lost in that gap. */
const IDLE = 2;

export interface Answer {
  status: number;
  text: string;
}

/** No answer. */
export class Lost extends Error {
  /** Whether a byte of the request may have left this machine. */
  readonly sent: boolean;
  /** Of the system, the TLS or the HTTP library; `TIMEOUT`, `TOO_LONG`. */
  readonly code: string;

  constructor(message: string, code: string, sent: boolean) {
    super(message);
    this.sent = sent;
    this.code = code;
  }
}

export interface HttpOptions {
  secure: boolean;
  host: string;
  port: number;
  /** With a slash at both ends. */
  path: string;
  /** Certificates to trust, PEM. */
  ca?: string | undefined;
  insecure: boolean;
  login?: { user: string; password: string } | undefined;
}

export class HttpClient {
  requests = 0;
  readonly #options: HttpOptions;
  readonly #agent: http.Agent;
  readonly #headers: Record<string, string>;

  constructor(options: HttpOptions) {
    this.#options = options;
    const { secure, ca, insecure, login } = options;
    const keep = { keepAlive: true, maxSockets: 1, timeout: IDLE * 1000 };
    this.#agent = secure
      ? new https.Agent({ ...keep, ...(ca !== undefined && { ca }), rejectUnauthorized: !insecure })
      : new http.Agent(keep);
    this.#headers = { accept: 'application/json' };
    if (login) {
      const basic = Buffer.from(`${login.user}:${login.password}`, 'utf8').toString('base64');
      this.#headers.authorization = `Basic ${basic}`;
    }
  }

  /** Throws `Lost` when there is no whole answer within `patience` s. `body` makes it a POST. */
  ask(path: string, patience: number, body?: unknown): Promise<Answer> {
    this.requests++;
    const { secure, host, port, path: base } = this.#options;
    const text = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    return new Promise((resolve, reject) => {
      let sent = false;
      const request = (secure ? https : http).request({
        agent: this.#agent,
        host,
        port,
        path: base + path,
        method: text ? 'POST' : 'GET',
        headers: {
          ...this.#headers,
          ...(text && { 'content-type': 'application/json', 'content-length': text.length }),
        },
      });
      const lose = (message: string, code: string) => {
        clearTimeout(timer);
        reject(new Lost(message, code, sent));
        request.destroy();
      };
      const fail = (error: NodeJS.ErrnoException) => lose(error.message, error.code ?? '');
      const timer = setTimeout(() => lose(`no answer within ${patience} s`, 'TIMEOUT'), patience * 1000);
      request.once('socket', (socket) => {
        // Before a new connection stands, and its certificate is found good, nothing of a request leaves.
        if (request.reusedSocket || !(secure || socket.connecting)) sent = true;
        else
          socket.once(secure ? 'secureConnect' : 'connect', () => {
            sent = true;
          });
      });
      request.on('error', fail);
      request.once('response', (response) => {
        const parts: Buffer[] = [];
        let length = 0;
        response.on('error', fail);
        response.on('data', (part: Buffer) => {
          length += part.length;
          if (length > LONGEST_ANSWER) lose('the answer is too long', 'TOO_LONG');
          else parts.push(part);
        });
        response.once('close', () => {
          if (!response.complete) return lose('the connection was closed within the answer', 'ECONNRESET');
          clearTimeout(timer);
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') });
        });
      });
      request.end(text);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
