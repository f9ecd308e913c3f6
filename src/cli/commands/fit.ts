import { join } from 'node:path';
import type { Command } from 'commander';
import { MemloopError } from '../../shared/errors.js';
import { makeFolder, writeAtomically } from '../../shared/files.js';
import { action, type Session } from '../command.js';
import { index, positive } from '../numbers.js';

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
    .option('--series <ohms>', 'series resistor', positive)
    .option('--frequency <hz>', 'frequency of the loop', positive)
    .option('--joint', 'one parameter set for all loops of a device')
    .option('--own-thresholds', 'with --joint: each loop has thresholds of its own')
    .option(
      '--pulsed',
      'the loops are trains of pulses, as `sweep` writes them, not waves on an oscilloscope',
    )
    .option('--plots <dir>', 'write a plot (SVG) of each loop with its fit and residual into this folder')
    .option('--seed <n>', 'seed of the starting points', index, 1)
    .action(action(fit, { show: 'lines' }));
}

async function fit({ emit, signal }: Session, files: string[], options: Options) {
  const { fitEach, fitTable, readLoop } = await import('../../calibration/index.js');
  const { fitPlot } = await import('../../plots/index.js');
  const { series, frequency, joint = false, ownThresholds = false, pulsed = false, plots, seed } = options;
  if (ownThresholds && !joint)
    throw new MemloopError('usage', '--own-thresholds is for several loops at once: give --joint too');
  const loops = files.map((file) => ({
    ...readLoop(file, {
      ...(series !== undefined && { resistance: series }),
      ...(frequency !== undefined && { frequency }),
    }),
    pulsed,
  }));
  if (plots) makeFolder(plots);
  const fits = [];
  for await (const found of fitEach(loops, { joint, ownThresholds, seed, emit, signal })) {
    fits.push(found.fit);
    const [loop, ...others] = found.loops;
    if (plots && others.length === 0) {
      const name = loop.name.replaceAll(/[^\w.-]+/g, '_').replace(/\.csv$/i, '');
      writeAtomically(join(plots, `${name}.svg`), fitPlot(loop, found.fit));
    }
  }
  return { result: { fits: fits.map(({ response: _, ...rest }) => rest) }, text: fitTable(fits) };
}
