/**
 * A token of 64 bits: the board refuses the pulses of whoever comes with a lower one. A number stands for the boot in which
 * the board is opened, since a reboot may have come between two holders. A function is asked at the begin of every session,
 * whose boot id it is given; it rejects when the board is no longer ours.
 */
export type Claim = bigint | ((bootId: number) => Promise<bigint>);

/** Bytes in, bytes out, closed: all that the link knows of a port. */
export interface Transport {
  readonly url: string;
  /** Takes the bytes from the board; called once. Bytes that come earlier are kept until then. */
  listen(onBytes: (bytes: Uint8Array) => void): void;
  /**
   * Resolves when the port can take more, so that a slow line costs no memory. Rejects once the port is closed;
   * `closed` says why.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Resolves with the reason, in words, when the port is closed by either side; never rejects. */
  readonly closed: Promise<string>;
  /** Resolves when the port is free for others; may be called again. */
  close(): Promise<void>;
  /** Of a port that lends the board: with which token it is claimed. */
  readonly claim?: Claim | undefined;
}

/** Opens the port that a URL names. Errors: `usage`, `port-not-found`, `port-in-use`, `bad-file`. */
export type Opener = (url: string) => Transport | Promise<Transport>;
