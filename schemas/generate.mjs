// Writes the JSON Schemas beside this file, from the compiled sources: `npm run schemas`.
import { writeFileSync } from 'node:fs';
import { jsonSchemas } from '../dist/src/schemas.js';

for (const [name, schema] of Object.entries(jsonSchemas()))
  writeFileSync(new URL(`${name}.schema.json`, import.meta.url), `${JSON.stringify(schema, null, 2)}\n`);
