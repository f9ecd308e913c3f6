import { percent } from '../../shared/text.js';
import type { Normal, Upkeep, UpkeepOptions } from './maintain.js';

/** A round of upkeep in words: what was found, and a line for each step with the accuracy after it. */
export function upkeepText(
  round: Upkeep,
  { normal, tolerance }: { normal: Normal | undefined } & Pick<UpkeepOptions, 'tolerance'>,
): string {
  const { did, moved, cells, shift, left, accuracyBefore, samples } = round;
  const beyond = `${Number((100 * tolerance).toPrecision(3))} %`;
  const remaining = left.map((share) => percent(share, 1)).join(', ');
  const compared = normal ? `, normal is ${percent(normal.accuracy)}` : ': from now on this is normal';
  return [
    `cells           ${moved} of ${cells} moved by more than ${beyond} of the window; mean ${percent(shift.mean)}, RMS ${percent(shift.rms)}`,
    `weights         ${remaining} of them left, layer by layer`,
    `before          ${percent(accuracyBefore)} of ${samples} validation images${compared}`,
    ...did.map(
      ({ step, accuracy, pulses, images }) =>
        `${step.padEnd(16)}${percent(accuracy)}   ${pulses} pulses, ${images} images`,
    ),
    ...(normal && did.length === 0 ? ['nothing done'] : []),
  ].join('\n');
}
