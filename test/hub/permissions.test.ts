/** Each role tries what belongs to the others: the server refuses, and its log says so. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { type HubConnection, type Role, subjects } from '../../src/hub/index.js';
import { encode } from '../../src/hub/refusal.js';
import { NO_SERVER, startHub } from './shared.js';

const JOB = '01M8ABWYPFCZ4JQQSA37XE9BEM';
const SHA = 'a'.repeat(64);

/** What nobody may: to change or consume streams, or to make the server speak for them. */
const NOBODY = [
  '$JS.API.STREAM.PURGE.STATES',
  '$JS.API.STREAM.DELETE.EVENTS',
  '$JS.API.STREAM.CREATE.MINE',
  '$JS.API.STREAM.UPDATE.JOBS',
  '$JS.API.STREAM.MSG.DELETE.STATES',
  '$JS.API.STREAM.MSG.GET.JOBS',
  '$JS.API.CONSUMER.CREATE.JOBS',
  '$JS.API.CONSUMER.CREATE.JOBS.mine.ml.job.>',
  '$JS.API.CONSUMER.DURABLE.CREATE.EVENTS.mine',
  '$JS.API.CONSUMER.DELETE.JOBS.bench',
  '$JS.API.CONSUMER.MSG.NEXT.JOBS.other',
  '$SYS.REQ.SERVER.PING',
  subjects.state('other', JOB),
  subjects.event('other', 'B', JOB),
  subjects.presence('other'),
  subjects.live('other', 'B'),
  subjects.board('bench', 'B'),
  subjects.file('other', SHA, 0),
  subjects.job('bench', 'B', 'other'),
  subjects.rpc('bench', 'B', 'acquire', 'other'),
  subjects.link('bench', 'B', 'up', 'other'),
  subjects.hub('hello', 'other'),
  '_INBOX.other.1',
];
const WORK = (who: string) => [
  subjects.job('bench', 'B', who),
  subjects.pool('kind', who),
  subjects.rpc('bench', 'B', 'acquire', who),
  subjects.rpc('bench', 'B', 'stop', who),
  subjects.link('bench', 'B', 'up', who),
  subjects.file(who, SHA, 0),
];
const BENCH = (who: string) => [
  subjects.hub('hello', who),
  subjects.state(who, JOB),
  subjects.event(who, 'B', JOB),
  subjects.presence(who),
  subjects.live(who, 'B'),
  subjects.claim(JOB),
  `$JS.API.CONSUMER.MSG.NEXT.JOBS.${who}`,
];
const READ = (who: string) => [subjects.hub('jobs', who), subjects.rpc('bench', 'B', 'live', who)];

/** Which of the subjects the server refuses. */
async function refused(hub: HubConnection, kind: 'publish' | 'subscribe', all: readonly string[]) {
  const found = new Set<string>();
  const status = hub.nats.status();
  void (async () => {
    for await (const event of status) {
      if (event.type !== 'error') continue;
      const { subject, operation } = event.error as Error & { subject?: string; operation?: string };
      if (operation === (kind === 'publish' ? 'publish' : 'subscription') && subject) found.add(subject);
    }
  })();
  for (const subject of all) {
    if (kind === 'publish') hub.nats.publish(subject, encode({ v: 1 }));
    else hub.nats.subscribe(subject, { callback: () => {} });
  }
  await hub.nats.flush();
  await sleep(100);
  return all.filter((subject) => found.has(subject));
}

it.skipIf(NO_SERVER)(
  'what is not of one’s role is refused, and the log says so',
  { timeout: 60_000 },
  async () => {
    const { as, folder } = await startHub();
    const people: [string, Role, string][] = [
      ['me', 'user', 'me'],
      ['eve', 'viewer', 'eve'],
      ['operator', 'operator', 'operator_operator'],
      ['bench', 'bench', 'bench'],
    ];
    for (const [name, role, who] of people) {
      const hub = await as(name, role);
      const may = {
        viewer: READ(who),
        user: [...READ(who), ...WORK(who)],
        bench: BENCH(who),
        operator: WORK(who),
      };
      const mayNot = {
        viewer: [...WORK(who), ...BENCH(who)],
        user: BENCH(who),
        operator: BENCH(who),
        // A bench may keep files, as a user may.
        bench: [...WORK(who).slice(0, -1), ...READ(who)],
      };
      expect(await refused(hub, 'publish', may[role]), `${role} may`).toEqual([]);
      const forbidden = [...NOBODY, ...mayNot[role]];
      expect(await refused(hub, 'publish', forbidden), `${role} may not`).toEqual(forbidden);
      const deaf = ['>', '_INBOX.>', '_INBOX.other.>', 'ml.job.>', 'ml.rpc.>', '$JS.EVENT.>', 'ml.link.>'];
      expect(await refused(hub, 'subscribe', deaf), `${role} may not hear`).toEqual(deaf);
    }
    const log = readFileSync(join(folder, 'nats-server.log'), 'utf8');
    expect(log).toMatch(/Publish Violation.*\$JS\.API\.STREAM\.PURGE\.STATES/);
    expect(log).toMatch(/Subscription Violation.*ml\.job\.>/);
    // No seed is in anything but its owner's file.
    expect(log).not.toMatch(/SU[A-Z2-7]{56}/);
  },
);

it.skipIf(NO_SERVER)(
  'nobody without a key, with a strange key, or after the key was removed',
  { timeout: 30_000 },
  async () => {
    const { as, hub, folder } = await startHub();
    const { connectHub, removeUser, reload } = await import('../../src/hub/index.js');
    const { createUser } = await import('@nats-io/nkeys');
    const { connect } = await import('@nats-io/transport-node');
    const port = new URL(hub.url).port;
    await expect(connect({ port: Number(port) })).rejects.toThrow(/authorization/i);
    const seed = Buffer.from(createUser().getSeed()).toString();
    const strange = { memloopHubKey: 1, url: hub.url, name: 'me', role: 'user', seed } as const;
    await expect(connectHub(strange)).rejects.toThrow(/refuses this key/);
    const gone = await as('carol', 'user');
    removeUser(folder, 'carol');
    reload(folder);
    await sleep(500);
    await expect(gone.ask('jobs', {})).rejects.toThrow();
  },
);
