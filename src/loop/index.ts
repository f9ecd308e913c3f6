/** Put a network on a board: map it onto tiles, program, evaluate and fine-tune it there. */
export { type BoardForward, BoardNetwork } from './board-network.js';
export { networkScales, saveOnChip } from './checkpoint.js';
export { Chip, calibratedBoard } from './chip.js';
export { Deployment, type LayerScales, type LoopContext, layerScales } from './deployment.js';
export { type BoardEvaluation, evaluateOnBoard } from './evaluate.js';
export {
  FINETUNE_DEFAULTS,
  type FinetuneOptions,
  type FinetuneResult,
  finetune,
  type MethodName,
  methodNames,
} from './finetune.js';
export { type BatchGradient, gradientAtMeasured } from './gradient.js';
export { correctOnBoard, keepLedger, type Ledger, type LedgerEntry } from './ledger.js';
export { readLedger } from './ledger-file.js';
export { ledgerPlot, ledgerText } from './ledger-view.js';
export {
  maintain,
  type Normal,
  scalesOf,
  UPKEEP_DEFAULTS,
  type Upkeep,
  type UpkeepOptions,
  type UpkeepStep,
} from './maintain.js';
export {
  type ConductanceWindow,
  mapLayers,
  type NetworkMap,
  targetConductances,
  weightsOf,
} from './mapping.js';
export { matrixJob } from './matrix.js';
export { type FinetunePageData, finetunePage } from './page.js';
export { type ArrayMap, type Recovery, recover, recoveryPage } from './recover.js';
export { type ProgrammingSummary, summarise, summaryText } from './report.js';
export { accuracyInterval, type Interval, wilson } from './statistics.js';
export type { TuningCheck } from './tuning-state.js';
export { type TwinTraining, twinTraining } from './twin.js';
