/** Other tools' formats. */

export { nirFromNetwork } from './nir/export.js';
export {
  type NirImport,
  type NirImportOptions,
  type NodeVerdict,
  networkFromNir,
  type Verdict,
} from './nir/import.js';
export {
  loadNir,
  type NirGraph,
  type NirNode,
  type NirType,
  type NodeOf,
  type OtherNode,
  saveNir,
} from './nir/nodes.js';
export type { NirArray } from './nir/tree.js';
export { networkNetlist, neuronNetlist, readSpiceOutput, type SpiceOptions } from './spice.js';
