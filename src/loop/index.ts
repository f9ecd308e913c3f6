/** Put a network on a board: map it onto tiles, program, evaluate and fine-tune it there. */

export { accuracyInterval, type Crossed, type Interval, wilson } from '../shared/statistics.js';
export {
  type BoardForward,
  BoardNetwork,
  type Dropout,
  type LayerForward,
  type Multiply,
  type NeuronBank,
} from './chip/board-network.js';
export { networkScales, saveOnChip } from './chip/checkpoint.js';
export { Chip } from './chip/chip.js';
export {
  type BoardUse,
  type CostFigures,
  CostMeter,
  type InferenceCost,
  readCostFigures,
} from './chip/cost.js';
export { Deployment, type LoopContext, type Origin } from './chip/deployment.js';
export { type BoardEvaluation, evaluateOnBoard } from './chip/evaluate.js';
export { type MatrixSettings, matrixJob } from './chip/matrix.js';
export { type LayerScales, layerScales } from './chip/scales.js';
export { type ProgrammingSummary, summarise, summaryText } from './chip/summary.js';
export {
  correctOnBoard,
  keepLedger,
  type Ledger,
  type LedgerEntry,
  type LedgerOptions,
} from './ledger/ledger.js';
export { readLedger } from './ledger/ledger-file.js';
export { ledgerPlot, ledgerText } from './ledger/ledger-view.js';
export { chipMeasurer, type MeasureOptions } from './ledger/simulated.js';
export {
  type Area,
  type ArrayConductances,
  type ConductanceWindow,
  type LayerMap,
  type LayerShape,
  mapLayers,
  type NetworkMap,
  type Placement,
  placementText,
  type Tile,
  targetConductances,
  weightsOf,
} from './mapping/mapping.js';
export { type FinetunePageData, finetunePage } from './report/page.js';
export { recoveryPage } from './report/recovery-page.js';
export { finetune } from './tuning/finetune.js';
export { type BatchGradient, gradientAtMeasured, type Trajectory } from './tuning/gradient.js';
export {
  FINETUNE_DEFAULTS,
  type FinetuneOptions,
  type FinetuneResult,
  type MethodName,
  methodNames,
} from './tuning/options.js';
export { type Prediction, type PredictOptions, predictAccuracy } from './tuning/predict.js';
export { type ArrayMap, type Before, type Measured, type Recovery, recover } from './tuning/recover.js';
export type { TuningCheck } from './tuning/tuning-state.js';
export { type TwinTraining, twinTraining } from './tuning/twin.js';
export {
  maintain,
  type Normal,
  scalesOf,
  UPKEEP_DEFAULTS,
  type Upkeep,
  type UpkeepOptions,
  type UpkeepStep,
} from './upkeep/maintain.js';
export { readNormal, saveNormal } from './upkeep/normal-file.js';
export { upkeepText } from './upkeep/upkeep-text.js';
