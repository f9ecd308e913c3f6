/** Where the code of a worker thread is. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MemloopError } from './errors.js';

/**
 * The compiled file `name` beside the module `url`. Threads load compiled files only, so for a module that runs from
 * its TypeScript source (tests) the build's is taken. Error: `service` when there is none.
 */
export function workerFile(url: string, name: string): string {
  const folder = dirname(fileURLToPath(url));
  const beside = join(folder, name);
  if (existsSync(beside)) return beside;
  const root = dirname(createRequire(import.meta.url).resolve('memloop/package.json'));
  const built = join(root, 'dist', relative(root, folder), name);
  if (existsSync(built)) return built;
  throw new MemloopError('service', `${built} is missing: run \`npm run build\` first`);
}
