/**
 * Stand-ins for foreign boards: they speak the real interface over simulated cells. A new one is a folder here and a line
 * in the list below.
 */
import { MemloopError } from '../../shared/errors.js';

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

export const STAND_INS: readonly StandIn[] = [];

/** Throws `usage` for a name that is none. */
export function standInOf(name: string): StandIn {
  const found = STAND_INS.find((one) => one.name === name);
  if (found) return found;
  throw new MemloopError(
    'usage',
    `no stand-in "${name}": give one of ${STAND_INS.map((one) => one.name).join(', ')}`,
  );
}
