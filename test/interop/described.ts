import { describedLayers, type LayerDescription, type LayerSpec } from '../../src/model/index.js';

/** Layers on images of channels × height × width. */
export function described(
  [channels, height, width]: readonly [number, number, number],
  layers: LayerDescription[],
  classes = 3,
): LayerSpec[] {
  const features = channels * height * width;
  return describedLayers({ input: { channels, height, width }, layers }, { features, classes });
}
