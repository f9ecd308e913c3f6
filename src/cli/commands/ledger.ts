import type { Command } from 'commander';
import type { EffectName } from '../../virtual-board/index.js';
import { action } from '../command.js';
import { type DatasetOptions, loadForBoard, percent } from '../network.js';
import { wholeNumber } from '../numbers.js';

interface Options extends DatasetOptions {
  model: string;
  profile: string;
  seed: number;
  samples: number;
}

export function register(program: Command): void {
  program
    .command('ledger')
    .description('which imperfection of a chip costs how much accuracy: each alone, and all but each')
    .requiredOption('--model <file>', 'network (safetensors)')
    .option('--profile <p>', 'chip: a built-in profile or a file', 'w-sdc-32x32x5')
    .option('--seed <n>', 'which chip of that kind', wholeNumber(0, 2 ** 31), 1)
    .option('--samples <n>', 'test images for each', wholeNumber(10, 1e6), 200)
    .option('--dataset <name>', 'what the network was trained on, where its file does not say')
    .option('--data-dir <dir>', 'folder of the dataset')
    .action(
      action(
        async (session, options: Options) => {
          const { Deployment, keepLedger } = await import('../../loop/index.js');
          const { subset } = await import('../../model/index.js');
          const { connectBoard, inProcessTransport } = await import('../../driver/index.js');
          const virtual = await import('../../virtual-board/index.js');
          const { mkdtempSync, rmSync } = await import('node:fs');
          const { tmpdir } = await import('node:os');
          const { join } = await import('node:path');

          const profile = virtual.loadProfile(options.profile);
          const { network, scales, test } = await loadForBoard(options.model, options);
          const count = Math.min(options.samples, test.count);
          const images = subset(
            test,
            Uint32Array.from({ length: count }, (_, i) => i),
          );
          const names = Object.keys(profile.effects) as EffectName[];
          // Chips that exist for this comparison only leave no passports behind.
          const home = mkdtempSync(join(tmpdir(), 'memloop-ledger-'));
          session.atEnd(() => rmSync(home, { recursive: true, force: true }));
          let chips = 0;
          const ledger = await keepLedger(
            names.filter((name) => profile.effects[name].enabled),
            async (enabled) => {
              const device = virtual.createVirtualBoard({
                profile: virtual.withEffects(
                  profile,
                  names.filter((name) => enabled.has(name)),
                ),
                seed: options.seed,
              });
              const board = await connectBoard(inProcessTransport('virtual:', device), {});
              try {
                const deployment = await Deployment.open(
                  { board, emit: () => {}, signal: session.signal, home: join(home, String(chips++)) },
                  network,
                  scales,
                );
                await deployment.program();
                return await deployment.evaluate(images);
              } finally {
                await board.close();
              }
            },
            session.emit,
          );
          const cell = ({ value, low, high }: (typeof ledger)['none']) =>
            `${percent(value).padStart(8)} (${percent(low)} … ${percent(high)})`.padEnd(34);
          return {
            result: { ...ledger },
            text: [
              `accuracy on ${count} test images, 95 % intervals; chip ${options.profile}, seed ${options.seed}`,
              `${'none'.padEnd(20)}${cell(ledger.none)}`,
              `${'all'.padEnd(20)}${cell(ledger.all)}`,
              '',
              `${'imperfection'.padEnd(20)}${'alone'.padEnd(34)}all but it`,
              ...ledger.effects.map((e) => `${e.effect.padEnd(20)}${cell(e.alone)}${cell(e.without)}`),
            ]
              .map((line) => line.trimEnd())
              .join('\n'),
          };
        },
        { show: 'lines' },
      ),
    );
}
