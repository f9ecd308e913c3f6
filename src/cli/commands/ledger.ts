import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import type { Dataset } from '../../model/index.js';
import { makeFolder, writeAtomically } from '../../shared/files.js';
import { action, type Session } from '../command.js';
import { type DatasetOptions, deploy, type LoadedNetwork, loadForBoard } from '../network.js';
import { wholeNumber } from '../numbers.js';

interface Options extends DatasetOptions {
  model: string;
  profile: string;
  seed: number;
  chips: number;
  samples: number;
  svg?: string;
}

export function register(program: Command): void {
  program
    .command('ledger')
    .description(
      'how much accuracy each imperfection of a chip costs, alone and among all of them; ' +
        'with --port for the twin of that chip, beside what the chip itself loses',
    )
    .requiredOption('--model <file>', 'network (safetensors)')
    .option(
      '--profile <p>',
      "chip: a built-in profile or a file; with --port it fills in what the chip's passport does not know",
      'w-sdc-32x32x5',
    )
    .option(
      '--chips <n>',
      'number of chips of this kind; with several, intervals are over the chips too',
      wholeNumber(1, 1000),
      1,
    )
    .option('--seed <n>', 'seed of the first chip', wholeNumber(0, 2 ** 31), 1)
    .option('--samples <n>', 'test images for each chip', wholeNumber(10, 1e6), 200)
    .option('--dataset <data>', 'name or data file that it was trained on, where the network does not say')
    .option('--data-dir <dir>', 'folder of the dataset')
    .option('--svg <file>', 'write a plot (default: into the run folder, if there is one)')
    .action(action(ledger, { show: 'lines' }));
}

async function ledger(session: Session, options: Options) {
  const loop = await import('../../loop/index.js');
  const { connectBoard, inProcessTransport } = await import('../../driver/index.js');
  const { guardBoard } = await import('../../calibration/index.js');
  const { createVirtualBoard, imperfectionsOf, withEffects } = await import('../../virtual-board/index.js');
  const loaded = await loadForBoard(options.model, options);
  const { chips, seed, svg = session.run?.file('ledger.svg') } = options;
  const images = loaded.test;
  const { profile, name, measured, origin, measuredBy = '' } = await chipOf(session, options, loaded, images);

  // A folder that cannot be written to shows before the work.
  if (svg !== undefined) makeFolder(dirname(svg));
  const effects = imperfectionsOf(profile);
  // Chips that exist for this comparison only leave no passports behind.
  const home = mkdtempSync(join(tmpdir(), 'memloop-ledger-'));
  session.atEnd(() => rmSync(home, { recursive: true, force: true }));
  let made = 0;
  const open = async (enabled: ReadonlySet<string>, chip: number) => {
    const kept = effects.filter((effect) => enabled.has(effect));
    const device = createVirtualBoard({ profile: withEffects(profile, kept), seed: seed + chip });
    const board = await connectBoard(inProcessTransport('virtual:', device));
    return guardBoard(board, { home: join(home, String(made++)) });
  };
  const costs = await loop.keepLedger(
    effects,
    loop.chipMeasurer({ ...loaded, images, open, signal: session.signal }),
    { chips, emit: session.emit, ...(measured && { measured }) },
  );
  if (svg !== undefined) writeAtomically(svg, loop.ledgerPlot(costs));
  const which =
    chips === 1
      ? `chip ${name}, seed ${seed}; in brackets 95 % intervals over the images`
      : `${chips} chips ${name}, seeds ${seed} to ${seed + chips - 1}; in brackets 95 % intervals over the images and the chips`;
  return {
    result: { ...costs, ...origin, ...(svg !== undefined && { svg }) },
    text: [
      `${images.count} test images, ${which}${measuredBy}`,
      loop.ledgerText(costs),
      ...(svg === undefined ? [] : [`plot in ${svg}`]),
    ].join('\n'),
  };
}

/** The chip that the ledger is about: of the profile, or the twin of the one behind `--port`, which is measured as it stands. */
async function chipOf(session: Session, options: Options, loaded: LoadedNetwork, images: Dataset) {
  const { loadProfile } = await import('../../virtual-board/index.js');
  const base = loadProfile(options.profile);
  if (!session.onBoard) return { profile: base, name: options.profile };
  const { correctOnBoard } = await import('../../loop/index.js');
  const { twinProfile } = await import('../../calibration/index.js');
  const real = await deploy(session, loaded, { readOnly: true });
  const { description, passport } = real.context.board;
  return {
    profile: twinProfile(base, passport, description, [...description.arraySerials.keys()]),
    name: `twin of board ${description.boardSerial}`,
    measured: await correctOnBoard(real.hardware, images),
    origin: real.origin,
    measuredBy: real.doneByHost === '' ? '' : `; the chip itself is measured with ${real.doneByHost}`,
  };
}
