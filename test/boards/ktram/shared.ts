/** What the tests of `ktram+https:` share: the simulated server in this process, and its truth. */
import { onTestFinished } from 'vitest';
import type { ForeignOptions } from '../../../src/boards/kind.js';
import { openKtram } from '../../../src/boards/ktram/open.js';
import type { Board, CellOperation } from '../../../src/driver/index.js';
import type { EventBody } from '../../../src/shared/events.js';
import { loadProfile, type TracedPulse } from '../../../src/virtual-board/index.js';
import {
  type KtramFault,
  type KtramFaults,
  ktramFaultsSchema,
} from '../../../src/virtual-board/stand-ins/ktram/faults.js';
import { type KtramStandIn, startKtram } from '../../../src/virtual-board/stand-ins/ktram/serve.js';

const file = (name: string) => new URL(name, import.meta.url).pathname;
export const CERTIFICATE = file('certificate.pem');
export const KEY = file('key.pem');
export const OTHER_CERTIFICATE = file('other.pem');

/** Every cell moves: what is refused is refused for the server's sake. */
export function healthyCells(name = 'knowm-8x8x4') {
  const profile = loadProfile(name);
  profile.effects.stuckCells.enabled = false;
  return profile;
}

export const faultsOf = (faults: KtramFault[], rest: Partial<KtramFaults> = {}): KtramFaults =>
  ktramFaultsSchema.parse({ seed: 1, ...rest, faults });

export interface Simulated {
  server: KtramStandIn;
  received: TracedPulse[];
  events: EventBody[];
  open(query?: string, reconnect?: number, limits?: ForeignOptions['limits']): Promise<Board>;
}

export async function simulated(
  faults: KtramFaults = faultsOf([]),
  profile = healthyCells(),
  seed = 1,
): Promise<Simulated> {
  const received: TracedPulse[] = [];
  const server = await startKtram(profile, { seed, faults, onPulse: (pulse) => received.push(pulse) });
  onTestFinished(() => server.close());
  const events: EventBody[] = [];
  return {
    server,
    received,
    events,
    async open(query = '', reconnect = 0, limits = {}) {
      login(server.environment);
      const emit = (event: EventBody) => events.push(event);
      const board = await openKtram(server.port + query, { emit, reconnect, limits });
      onTestFinished(() => board.close().catch(() => {}));
      return board;
    },
  };
}

/** The account is that of the process. */
export function login(environment: Record<string, string>): void {
  for (const [name, value] of Object.entries(environment)) process.env[name] = value;
}

export const pulse = (
  row: number,
  column: number,
  voltage: number,
  width = 20e-6,
  array = 0,
): CellOperation => ({
  kind: 'pulse',
  array,
  row,
  column,
  voltage,
  width,
});

export const read = (row: number, column: number, samples = 1, array = 0): CellOperation => ({
  kind: 'read',
  array,
  row,
  column,
  voltage: 0.1,
  samples,
});
