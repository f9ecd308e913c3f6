/** Events to a journal on disk and to InfluxDB. */
export { type InfluxOptions, type InfluxSink, startInflux } from './influx.js';
export {
  type FollowOptions,
  followRun,
  type ReplayOptions,
  readJournal,
  replayJournal,
} from './journal.js';
export {
  isRunning,
  JOURNAL,
  latestRun,
  memloopVersion,
  openRun,
  type RunFolder,
  type RunInfo,
  type RunRecord,
  readRun,
} from './run-folder.js';
