import { createHash } from 'node:crypto';
import type { Command } from 'commander';
import { z } from 'zod';
import type { Normal } from '../../loop/index.js';
import type { Network } from '../../model/index.js';
import { parseJson } from '../../shared/json.js';
import { percent } from '../../shared/text.js';
import { action } from '../command.js';
import { type DatasetOptions, deploy, loadForBoard } from '../network.js';
import { decimal, positive, wholeNumber } from '../numbers.js';

interface Options extends DatasetOptions {
  model: string;
  threshold: number;
  tolerance: number;
  epochs: number;
  seed: number;
  out?: string;
}

const KEY = 'memloop.upkeep';
const noteSchema = z.object({
  accuracy: z.number().min(0).max(1),
  left: z.array(z.number().positive()),
  weights: z.string(),
});

/** Tells whether weights are those that a note was taken of. */
function fingerprint({ weights }: Network): string {
  const hash = createHash('sha256');
  for (const list of weights) hash.update(new Uint8Array(list.buffer, list.byteOffset, list.byteLength));
  return hash.digest('hex');
}

/** What an earlier round has noted in the network's file; undefined where the weights have changed since. */
function noted(
  file: string,
  network: Network,
  metadata: Readonly<Record<string, string>>,
): Normal | undefined {
  const text = metadata[KEY];
  if (text === undefined) return undefined;
  const { weights, ...normal } = parseJson(text, noteSchema, {
    what: `${file}: its ${KEY}`,
    hint: 'take the file that was fine-tuned',
  });
  return weights === fingerprint(network) && normal.left.length === network.weights.length
    ? normal
    : undefined;
}

export function register(program: Command): void {
  program
    .command('maintain')
    .description(
      'one round of upkeep of a fine-tuned network whose chip drifts, to be run every week or so: ' +
        'rescale and tune biases without a pulse, put cells back and re-tune only where that is not enough',
    )
    .requiredOption(
      '--model <file>',
      'network as fine-tuned on this chip (safetensors); the round updates it',
    )
    .option('--dataset <name>', 'dataset that it was trained on, where its file does not say')
    .option('--data-dir <dir>', 'folder of the dataset')
    .option('--threshold <share>', 'loss of accuracy from which on pulses are applied', decimal, 0.01)
    .option(
      '--tolerance <share>',
      'share of the window by which a cell must be off target to be put back',
      positive,
      0.05,
    )
    .option('--epochs <n>', 'passes over the training images where something is tuned', positive, 0.5)
    .option(
      '--seed <n>',
      'order of the images, and which are held back: as in fine-tuning',
      wholeNumber(0, 2 ** 31),
      1,
    )
    .option('--out <file>', 'where the network goes (default: where it came from)')
    .action(
      action(
        async (session, { model, threshold, tolerance, epochs, seed, ...options }: Options) => {
          const loop = await import('../../loop/index.js');
          const loaded = await loadForBoard(model, options);
          const { network, metadata } = loaded;
          const earlier = noted(model, network, metadata);
          const deployment = await deploy(session, loaded);
          const out = options.out ?? model;
          const keep = (normal: Normal) =>
            loop.saveOnChip(
              out,
              network,
              { ...metadata, [KEY]: JSON.stringify({ ...normal, weights: fingerprint(network) }) },
              loop.scalesOf(deployment),
            );
          const round = await loop.maintain(deployment, loaded.train, {
            normal: earlier,
            threshold,
            tolerance,
            epochs,
            seed,
            pulses: !session.global.readOnly,
            keep,
          });
          keep(round.normal);
          const { did, accuracyBefore, accuracyAfter, samples } = round;
          session.emit({ type: 'accuracy', stage: 'programmed', accuracy: accuracyBefore, samples });
          session.emit({ type: 'accuracy', stage: 'finetuned', accuracy: accuracyAfter, samples });
          const shares = round.left.map((share) => `${(100 * share).toFixed(1)} %`).join(', ');
          return {
            result: { ...round, noted: earlier === undefined, out },
            text: [
              `cells           ${round.moved} of ${round.cells} moved by more than ${Number((100 * tolerance).toPrecision(3))} % of the window; mean ${(100 * round.shift.mean).toFixed(2)} %, RMS ${(100 * round.shift.rms).toFixed(2)} %`,
              `weights         ${shares} of the layers' left in common`,
              `before          ${percent(accuracyBefore)} of ${samples} held-back images${earlier ? `, normal is ${percent(earlier.accuracy)}` : ': noted as normal'}`,
              ...did.map(
                ({ step, accuracy, pulses, images }) =>
                  `${step.padEnd(16)}${percent(accuracy)}   ${pulses} pulses, ${images} images`,
              ),
              ...(earlier && did.length === 0 ? ['nothing done'] : []),
              `network         ${out}`,
            ].join('\n'),
          };
        },
        { show: 'lines' },
      ),
    );
}
