/** What a stand-in for a foreign board is. */
export interface StandInOptions {
  /** Built-in name or path of a JSON file. */
  profile: string;
  seed: number;
  /** Is appended one JSON line for each pulse that the cells received. */
  trace?: string | undefined;
  /** File of what goes wrong, in the stand-in's own terms. */
  faults?: string | undefined;
  tcp?: { host: string; port: number } | undefined;
  /** Symbolic link to the pseudo-terminal, or socket. */
  link?: string | undefined;
}

export interface ServedStandIn {
  /** For `--port`. */
  port: string;
  /** What a memloop that is to open it needs in its environment. */
  environment?: Record<string, string>;
  close(): Promise<void>;
}

export interface StandIn {
  /** For `mock --as`. */
  name: string;
  what: string;
  /** The profile that is served unless one is given. */
  profile: string;
  /** Errors: `usage`, `bad-input`, `port-in-use`, `disk`. */
  serve(options: StandInOptions): Promise<ServedStandIn>;
}
