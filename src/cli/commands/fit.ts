import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { action } from '../command.js';
import { decimal, index } from '../numbers.js';

interface Options {
  series?: number;
  frequency?: number;
  joint?: boolean;
  ownThresholds?: boolean;
  pulsed?: boolean;
  plots?: string;
  seed: number;
}

export function register(program: Command): void {
  program
    .command('fit')
    .description(
      'fit the device model to measured I–V loops (CSV: voltage across the memristor in V, current in µA)',
    )
    .argument(
      '<files...>',
      'one period each; a folder named such as 47k_0.8V_10Hz_M1 tells resistor, frequency, device',
    )
    .option('--series <ohms>', 'series resistor', decimal)
    .option('--frequency <hz>', 'frequency of the loop', decimal)
    .option('--joint', 'one parameter set for all loops of a device')
    .option('--own-thresholds', 'with --joint: each loop has thresholds of its own')
    .option(
      '--pulsed',
      'the loops are trains of pulses, as `sweep` writes them, not waves on an oscilloscope',
    )
    .option('--plots <dir>', 'SVG of each loop with its fit and residual')
    .option('--seed <n>', 'of the starting points', index, 1)
    .action(
      action(
        async (session, files: string[], options: Options) => {
          const { MemloopError } = await import('../../shared/errors.js');
          const { fitLoops, fitTable, readLoop } = await import('../../calibration/index.js');
          const { fitPlot } = await import('../../plots/index.js');
          for (const [name, value] of [
            ['--series', options.series],
            ['--frequency', options.frequency],
          ] as const) {
            if (value !== undefined && !(value > 0))
              throw new MemloopError('usage', `${name} ${value} is not above 0`);
          }
          if (options.ownThresholds && !options.joint)
            throw new MemloopError(
              'usage',
              '--own-thresholds is for several loops at once: give --joint too',
            );
          const loops = files.map((file) => ({
            ...readLoop(file, {
              ...(options.series !== undefined && { resistance: options.series }),
              ...(options.frequency !== undefined && { frequency: options.frequency }),
            }),
            pulsed: options.pulsed ?? false,
          }));
          const devices = [...new Set(loops.map(({ device }) => device))];
          const groups = options.joint
            ? devices.map((device) => loops.filter((loop) => loop.device === device))
            : loops.map((loop) => [loop]);
          if (options.plots) mkdirSync(options.plots, { recursive: true });
          const fits = [];
          const began = performance.now();
          for (const [done, group] of groups.entries()) {
            const fit = fitLoops(group, {
              seed: options.seed,
              ownThresholds: options.ownThresholds ?? false,
            });
            fits.push(fit);
            const rate = ((done + 1) * 1e3) / (performance.now() - began);
            session.emit({
              type: 'progress',
              stage: 'fit',
              done: done + 1,
              total: groups.length,
              units: 'fits',
              rate,
              timeLeft: (groups.length - done - 1) / rate,
            });
            if (options.plots && group.length === 1) {
              const name = group[0].name.replaceAll(/[^\w.-]+/g, '_').replace(/\.csv$/i, '');
              writeFileSync(join(options.plots, `${name}.svg`), fitPlot(group[0], fit));
            }
            // Ctrl-C is looked at between fits.
            await new Promise((resolve) => setImmediate(resolve));
            session.signal.throwIfAborted();
          }
          return {
            result: { fits: fits.map(({ response: _, ...fit }) => fit) },
            text: fitTable(fits),
          };
        },
        { show: 'lines' },
      ),
    );
}
