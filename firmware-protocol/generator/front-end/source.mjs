/** The front end's one source, front-ends/crossbar-a.json. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const board = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../firmware/front-ends/crossbar-a.json'), 'utf8'),
);
