import type { Command } from 'commander';
import { quantity } from '../../shared/text.js';
import { action } from '../command.js';

export function register(program: Command): void {
  program
    .command('info')
    .description('describe the board behind a port')
    .action(
      action(async (session) => {
        // Not through the rooms' indexes: a question to a board must not wait for them to load.
        const { installedBackend } = await import('../../interop/backend.js');
        const { backendName } = await import('../../model/kernel/kernel.js');
        const { description: d, health } = await session.describe();
        const tensorflow = installedBackend() ?? 'not installed';
        const backend = `${backendName}; TensorFlow.js: ${tensorflow}`;
        const { limits } = d;
        const lines: [string, string][] = [
          ['board', `${d.boardSerial}, firmware ${d.firmwareVersion}, protocol ${d.protocolVersion}`],
          ['arrays', `${d.arrays} of ${d.rows} × ${d.columns}: ${d.arraySerials.join(', ')}`],
          [
            'neurons',
            `${d.neurons}, ${quantity(d.stepTime, 's')} per step, runs of at most ${d.maxSteps} steps`,
          ],
          ['row DACs', `± ${quantity(d.rowVoltageMax, 'V')} in steps of ${quantity(d.rowVoltageStep, 'V')}`],
          [
            'column ADCs',
            d.currentRanges
              .map(({ max, step }) => `± ${quantity(max, 'A')} in steps of ${quantity(step, 'A')}`)
              .join('; '),
          ],
          ['references', d.references.map((r) => quantity(r, 'Ω')).join(', ') || 'none'],
          [
            'in series',
            `${quantity(d.seriesResistance, 'Ω')}; half-selected cells see ${quantity(d.halfSelect, '')} of a pulse`,
          ],
          [
            'limits',
            `pulses ${quantity(limits.minVoltage, 'V')} to ${quantity(limits.maxVoltage, 'V')}, ` +
              `${quantity(limits.minWidth, 's')} to ${quantity(limits.maxWidth, 's')}, ` +
              `${quantity(limits.maxEnergy, 'J')}, ${limits.maxPulses} per cell and boot; ` +
              `reads up to ${quantity(limits.maxReadVoltage, 'V')}`,
          ],
          ['dead-man', `all lines to 0 V after ${quantity(d.deadManTime, 's')} without the host`],
          [
            'since boot',
            `${health.uptime.toFixed(1)} s${health.pulsesApplied === undefined ? '' : `, ${health.pulsesApplied} pulses`}`,
          ],
          ['training', backend],
        ];
        return {
          result: { board: { ...d, health, backend } },
          text: lines.map(([name, text]) => `${name.padEnd(12)} ${text}`).join('\n'),
        };
      }),
    );
}
