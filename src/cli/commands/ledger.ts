import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { NeuronCalibration } from '../../calibration/index.js';
import type { EffectName } from '../../virtual-board/index.js';
import { action } from '../command.js';
import { type DatasetOptions, deploy, loadForBoard } from '../network.js';
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
      'which imperfection of a chip costs how much accuracy: each alone, all but each, and their sum beside all; ' +
        'with --port of the twin of that chip, beside what is measured there',
    )
    .requiredOption('--model <file>', 'network (safetensors)')
    .option(
      '--profile <p>',
      "chip: a built-in profile or a file; with --port what a passport does not know of the chip's",
      'w-sdc-32x32x5',
    )
    .option('--chips <n>', 'chips of that kind: intervals are then about the kind', wholeNumber(1, 1000), 1)
    .option('--seed <n>', 'the first of them', wholeNumber(0, 2 ** 31), 1)
    .option('--samples <n>', 'test images for each', wholeNumber(10, 1e6), 200)
    .option('--dataset <name>', 'what the network was trained on, where its file does not say')
    .option('--data-dir <dir>', 'folder of the dataset')
    .option('--svg <file>', 'write a plot (default: into the run folder, if there is one)')
    .action(
      action(
        async (session, options: Options) => {
          const loop = await import('../../loop/index.js');
          const { slice } = await import('../../model/index.js');
          const { connectBoard, inProcessTransport } = await import('../../driver/index.js');
          const { guardBoard, twinProfile } = await import('../../calibration/index.js');
          const virtual = await import('../../virtual-board/index.js');

          const loaded = await loadForBoard(options.model, options);
          const count = Math.min(options.samples, loaded.test.count);
          const images = slice(loaded.test, 0, count);
          const { chips, seed } = options;
          const base = virtual.loadProfile(options.profile);
          // The chip as it stands: no pulse.
          const real = session.onBoard ? await deploy(session, loaded, { readOnly: true }) : undefined;
          const { description, passport } = real?.context.board ?? {};
          const profile =
            description && passport
              ? twinProfile(base, passport, description, [...description.arraySerials.keys()])
              : base;
          const measured = real && (await loop.correctOnBoard(real.hardware, images));

          const names = Object.keys(profile.effects) as EffectName[];
          // Chips that exist for this comparison only leave no passports behind.
          const home = mkdtempSync(join(tmpdir(), 'memloop-ledger-'));
          session.atEnd(() => rmSync(home, { recursive: true, force: true }));
          let made = 0;
          const neurons = new Map<string, NeuronCalibration | undefined>();
          const measure = async (enabled: ReadonlySet<string>, chip: number) => {
            session.signal.throwIfAborted();
            const device = virtual.createVirtualBoard({
              profile: virtual.withEffects(
                profile,
                names.filter((name) => enabled.has(name)),
              ),
              seed: seed + chip,
            });
            const board = guardBoard(await connectBoard(inProcessTransport('virtual:', device)), {
              home: join(home, String(made++)),
            });
            try {
              // Their calibration is the longest part, and only these change what it finds.
              const key = `${chip} ${enabled.has('neuronMismatch')} ${enabled.has('converterErrors')}`;
              const known = neurons.get(key);
              const { boardSerial } = board.description;
              if (known) board.passport.saveNeurons({ ...known, boardSerial });
              const deployment = await loop.Deployment.open(
                { board, emit: () => {}, signal: session.signal },
                loaded.network,
                loaded.scales,
              );
              neurons.set(key, board.passport.neurons);
              await deployment.program();
              return await loop.correctOnBoard(deployment.hardware, images);
            } finally {
              await board.close();
            }
          };
          const ledger = await loop.keepLedger(
            names.filter((name) => profile.effects[name].enabled),
            measure,
            { chips, emit: session.emit, ...(measured && { measured }) },
          );
          const svg = options.svg ?? session.run?.file('ledger.svg');
          if (svg !== undefined)
            (await import('../../shared/files.js')).writeAtomically(svg, loop.ledgerPlot(ledger));
          const source = description ? `twin of board ${description.boardSerial}` : options.profile;
          return {
            result: { ...ledger, ...(svg !== undefined && { svg }) },
            text: [
              `${count} test images, ${chips === 1 ? `chip ${source}, seed ${seed}` : `${chips} chips ${source}, seeds ${seed} to ${seed + chips - 1}`}; in brackets 95 % intervals over the images${chips === 1 ? '' : ' and the chips'}`,
              loop.ledgerText(ledger),
              ...(svg === undefined ? [] : [`plot in ${svg}`]),
            ].join('\n'),
          };
        },
        { show: 'lines' },
      ),
    );
}
