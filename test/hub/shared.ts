/** A real nats-server for tests, benches on virtual boards and people with keys. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import {
  addUser,
  connectHub,
  type HubConnection,
  keyPath,
  type Role,
  readKey,
  reload,
  type ServedHub,
  serveHub,
} from '../../src/hub/index.js';
import { scratch } from '../integration/shell.js';

/** Why the tests are skipped, or undefined. */
export const NO_SERVER = spawnSync('nats-server', ['--version']).error
  ? 'no nats-server: apt install nats-server'
  : undefined;

export interface TestHub {
  hub: ServedHub;
  home: string;
  folder: string;
  /** What the hub has said. */
  said: string[];
  /** The path of somebody's key, made if need be. */
  keyFile(name: string, role: Role): string;
  as(name: string, role: Role): Promise<HubConnection>;
}

/** Ends with the test. Its keys are in a data folder of its own. */
export async function startHub(): Promise<TestHub> {
  const home = scratch();
  const folder = join(home, 'hub');
  const said: string[] = [];
  const log = (line: string) => void said.push(line);
  const hub = await serveHub({ folder, host: '127.0.0.1', port: 0, storage: 1e9, log });
  onTestFinished(() => hub.close());
  const made = new Set(['operator', 'bench', 'me']);
  const keyFile = (name: string, role: Role) => {
    if (!made.has(name)) {
      addUser(folder, { name, role, url: hub.url });
      reload(folder);
      made.add(name);
    }
    return keyPath(folder, name);
  };
  const as = async (name: string, role: Role) => {
    const key = readKey({ file: keyFile(name, role), home, name, env: {} });
    // The server takes a moment to learn of a new key.
    for (let left = 20; ; left--) {
      try {
        const connection = await connectHub(key);
        onTestFinished(() => connection.close());
        return connection;
      } catch (error) {
        if (left === 0) throw error;
        await new Promise((done) => setTimeout(done, 100));
      }
    }
  };
  return { hub, home, folder, said, keyFile, as };
}
