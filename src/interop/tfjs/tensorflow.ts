import type * as tfCore from '@tensorflow/tfjs-core';
import type * as tfLayers from '@tensorflow/tfjs-layers';

/**
 * The functions of tfjs-core and tfjs-layers. Chained methods (`x.add(y)`) exist only on tfjs-node: write `tf.add(x, y)`.
 */
export type Tensorflow = Omit<typeof tfCore & typeof tfLayers, 'default'>;
