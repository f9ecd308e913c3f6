/** Many benches, many people: boards, jobs and live views over a NATS server. */
export { connectHub, HubConnection } from './connection.js';
export { type HubKey, hubFolder, keyPath, readKey } from './key.js';
export * from './messages.js';
export { HubRefusal } from './refusal.js';
export { reload, type ServedHub, type ServeOptions, serveHub } from './server/serve.js';
export { addUser, readUsers, removeUser } from './server/users.js';
