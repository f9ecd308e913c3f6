/** Other tools' formats. */
export { networkNetlist, neuronNetlist, readSpiceOutput, type SpiceOptions } from './spice.js';
