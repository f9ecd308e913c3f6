/** Many benches, many people: boards, jobs and live views over a NATS server. */
export { type AgentOptions, BenchAgent } from './agent/agent.js';
export type { BoardAccess, Carrier } from './agent/board.js';
export { type Audit, audit, auditHub, type Difference } from './client/audit.js';
export {
  cancelJob,
  fetchRun,
  type SubmitOptions,
  stateOf,
  submitJob,
  type Target,
  waitFor,
} from './client/jobs.js';
export { type Gaps, watchBoard, watchJob } from './client/watch.js';
export { connectHub, HubConnection, type Reply } from './connection.js';
export { type HubKey, hubFolder, keyPath, readKey } from './key.js';
export * from './messages.js';
export { HubRefusal } from './refusal.js';
export { carrierOf } from './remote/carrier.js';
export { openHub } from './remote/transport.js';
export { reload, type ServedHub, type ServeOptions, serveHub } from './server/serve.js';
export { addUser, addUsers, type NewUser, readUsers, removeUser } from './server/users.js';
