/** JSON Schemas of memloop's files, made from the schemas that read them. `npm run schemas` writes them to `schemas/`. */
import { z } from 'zod';
import { arraySchema, boardSchema } from './calibration/passport/passport.js';
import { messageSchemas } from './hub/messages.js';
import { networkSchema } from './model/network/description.js';
import { eventSchema } from './shared/events.js';
import { recordSchema } from './telemetry/run-folder.js';
import { faultsSchema } from './virtual-board/faults/faults.js';
import { profileSchema } from './virtual-board/profile.js';

const FILES: Readonly<Record<string, { title: string; schema: z.ZodType }>> = {
  profile: { title: 'Profile of a virtual board', schema: profileSchema },
  faults: { title: 'Fault schedule of a virtual board', schema: faultsSchema },
  'board-passport': { title: 'Passport of a board', schema: boardSchema },
  'array-passport': { title: 'Passport of an array', schema: arraySchema },
  network: { title: 'Layers of a network, for `train --network`', schema: networkSchema },
  event: { title: 'Event: one line of events.ndjson', schema: eventSchema },
  run: { title: 'Record of a run: run.json', schema: recordSchema },
  hub: {
    title: 'Messages of the hub: a property for each, by name',
    schema: z.object(messageSchemas).partial(),
  },
};

/** By name: the schema of what a file may hold (draft 2020-12). */
export function jsonSchemas(): Record<string, object> {
  return Object.fromEntries(
    Object.entries(FILES).map(([name, { title, schema }]) => {
      const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input' });
      return [name, { $schema, title, ...rest }];
    }),
  );
}
