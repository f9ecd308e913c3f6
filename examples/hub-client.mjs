// Submit a job to a hub and read its events, with the public NATS client and the JSON Schemas only: another language would
// do the same. The server's streams need no rights of ours.
//
//     MEMLOOP_HUB_KEY=me.json node examples/hub-client.mjs BENCH BOARD
import { readFileSync } from 'node:fs';
import { connect, nkeyAuthenticator } from '@nats-io/transport-node';

const [bench, board] = process.argv.slice(2);
const { url, name, seed } = JSON.parse(readFileSync(process.env.MEMLOOP_HUB_KEY, 'utf8'));
const nats = await connect({
  servers: url.replace(/^\w+:\/\//, ''),
  authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)),
  inboxPrefix: `_INBOX.${name}`,
});
const ask = async (subject, message) =>
  (await nats.request(subject, JSON.stringify({ v: 1, ...message }), { timeout: 5000 })).json();

// A ULID: 10 digits of time, 16 of chance.
const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const time = Array.from({ length: 10 }, (_, i) => digits[Math.floor(Date.now() / 32 ** (9 - i)) % 32]);
const chance = crypto.getRandomValues(new Uint8Array(16));
const id = [...time, ...Array.from(chance, (byte) => digits[byte % 32])].join('');

// Listen before the job is there.
const states = nats.subscribe(`ml.state.${bench}.${id}`);
await nats.flush();
const job = {
  id,
  command: 'read',
  arguments: ['--array', '0'],
  budget: {},
  submitted: new Date().toISOString(),
};
const { stream, error } = await ask(`ml.job.${bench}.${board}.${name}`, job);
if (error) throw new Error(error.description);
console.log(`${id} is in the stream ${stream}`);

for await (const message of states) {
  const { state, result, reason } = message.json();
  console.log(`${state} ${reason ?? ''}`);
  if (!['done', 'failed', 'cancelled'].includes(state)) continue;
  if (result) console.log(`first row, S: ${result.conductance[0].map((g) => g.toExponential(2)).join(' ')}`);
  break;
}
const { events } = await ask(`ml.hub.events.${name}`, { job: id, from: 0 });
for (const { n, event } of events) console.log(`event ${n}: ${event.type}`);
await nats.close();
