/**
 * What each role may publish and subscribe to. Nobody but the hub itself may ask anything of JetStream that changes or
 * consumes: a consumer's messages are sent by the server under no user's name, to whatever subject its maker wants, so
 * whoever may make one can speak for everybody.
 */
import { HUB_PROCEDURES, identityOf, PROCEDURES, type Role, STREAMS, subjects } from '../messages.js';

export interface Permissions {
  publish: string[];
  subscribe: string[];
  /** May answer requests that it got. */
  answers: boolean;
}

export function permissionsOf({ name, role }: { name: string; role: Role }): Permissions {
  const who = identityOf({ name, role });
  return role === 'bench' ? benchPermissions(name) : personPermissions(who, role);
}

const readsFiles = `$JS.API.DIRECT.GET.${STREAMS.files}.ml.file.>`;

function personPermissions(who: string, role: Role): Permissions {
  const watch = [subjects.rpc('*', '*', 'info', who), subjects.rpc('*', '*', 'live', who)];
  const asks = HUB_PROCEDURES.filter((procedure) => procedure !== 'hello').map((p) => subjects.hub(p, who));
  const works = [
    subjects.job('*', '*', who),
    subjects.pool('*', who),
    subjects.file(who, '*', '*'),
    subjects.link('*', '*', 'up', who),
    ...PROCEDURES.map((procedure) => subjects.rpc('*', '*', procedure, who)),
  ];
  return {
    publish: [...asks, readsFiles, ...(role === 'viewer' ? watch : works)],
    subscribe: [
      `_INBOX.${who}.>`,
      'ml.evt.>',
      'ml.state.>',
      'ml.live.>',
      'ml.presence.*',
      ...(role === 'viewer' ? [] : [subjects.link('*', '*', 'down', who)]),
    ],
    answers: false,
  };
}

function benchPermissions(name: string): Permissions {
  return {
    publish: [
      subjects.hub('hello', name),
      subjects.presence(name),
      `ml.evt.${name}.>`,
      `ml.state.${name}.*`,
      `ml.live.${name}.>`,
      subjects.claim('*'),
      `$JS.API.DIRECT.GET.${STREAMS.claims}.ml.claim.*`,
      `ml.link.${name}.*.down.*`,
      subjects.file(name, '*', '*'),
      readsFiles,
      // The consumer of its own jobs has its name; those of pools are for all benches.
      `$JS.API.CONSUMER.MSG.NEXT.${STREAMS.jobs}.${name}`,
      `$JS.ACK.${STREAMS.jobs}.${name}.>`,
      `$JS.API.CONSUMER.MSG.NEXT.${STREAMS.pool}.*`,
      `$JS.ACK.${STREAMS.pool}.>`,
    ],
    subscribe: [`_INBOX.${name}.>`, `ml.rpc.${name}.>`, `ml.link.${name}.*.up.*`],
    answers: true,
  };
}
