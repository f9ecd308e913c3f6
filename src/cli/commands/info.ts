import type { Command } from 'commander';
import type { BoardDescription, BoardHealth } from '../../driver/index.js';
import { quantity } from '../../shared/text.js';
import { action } from '../command.js';

type Line = [name: string, text: string];

export function register(program: Command): void {
  program
    .command('info')
    .description('describe the board behind a port: what it can and cannot do')
    .action(
      action(async (session) => {
        // Not through the rooms' indexes: a question to a board must not wait for them to load.
        const { installedBackend } = await import('../../interop/tfjs/backend.js');
        const { backendName } = await import('../../model/kernel/kernel.js');
        const { description, health, trace } = await session.describe();
        const tensorflow = installedBackend() ?? 'not installed';
        const backend = `${backendName}; TensorFlow.js: ${tensorflow}`;
        const lines: Line[] = [
          ...identity(description),
          ...abilities(description, trace),
          ...drive(description),
          ...safety(description, health),
          ['training', backend],
          ...description.caveats.map((caveat): Line => ['caveat', caveat]),
        ];
        return {
          result: { board: { ...description, health, trace, backend } },
          text: lines.map(([name, text]) => `${name.padEnd(12)} ${text}`).join('\n'),
        };
      }),
    );
}

function identity(d: BoardDescription): Line[] {
  const protocol = d.protocolVersion === undefined ? '' : `, protocol ${d.protocolVersion}`;
  return [
    ['kind', d.kind],
    ['board', `${d.boardSerial}, firmware ${d.firmwareVersion}${protocol}`],
    ['arrays', `${d.arrays} of ${d.rows} × ${d.columns}: ${listed(d.arraySerials)}`],
  ];
}

/** `--json` has them all. */
const listed = (names: readonly string[]): string =>
  (names.length > 8 ? [...names.slice(0, 3), '…', ...names.slice(-1)] : names).join(', ');

const PRODUCTS: Readonly<Record<BoardDescription['products'], string>> = {
  analog: 'by the array, all rows at once',
  'bit-planes': 'by the array, one bit of the inputs after another',
  none: 'none: the host sums measured conductances',
};

function abilities(d: BoardDescription, trace: boolean): Line[] {
  return [
    [
      'neurons',
      d.neurons === 0
        ? 'none: the host runs them'
        : `${d.neurons}, ${quantity(d.stepTime, 's')} per step, runs of at most ${d.maxSteps} steps`,
    ],
    ['products', PRODUCTS[d.products]],
    [
      'references',
      d.references.map((r) => quantity(r, 'Ω')).join(', ') || 'none: the converters are taken at their word',
    ],
    ['trace', trace ? 'yes: a scope sees voltage and current of a wave' : 'no'],
  ];
}

function drive(d: BoardDescription): Line[] {
  return [
    ['row DACs', `± ${quantity(d.rowVoltageMax, 'V')} in steps of ${quantity(d.rowVoltageStep, 'V')}`],
    [
      'column ADCs',
      d.currentRanges
        .map(({ max, step }) => `± ${quantity(max, 'A')} in steps of ${quantity(step, 'A')}`)
        .join('; '),
    ],
    [
      'in series',
      `${quantity(d.seriesResistance, 'Ω')}; ${
        d.halfSelect === 0
          ? 'other cells see nothing of a pulse'
          : `half-selected cells see ${quantity(d.halfSelect, '')} of a pulse`
      }${d.linesFloat ? ', other lines float' : ''}`,
    ],
  ];
}

function safety(d: BoardDescription, { uptime, pulsesApplied }: BoardHealth): Line[] {
  const { limits, deadManTime } = d;
  const pulses = Number.isFinite(limits.maxPulses)
    ? `${limits.maxPulses} per cell and boot`
    : 'not counted by the board';
  const since = pulsesApplied === undefined ? 'since opened' : 'since boot';
  return [
    [
      'limits',
      `pulses ${quantity(limits.minVoltage, 'V')} to ${quantity(limits.maxVoltage, 'V')}, ` +
        `${quantity(limits.minWidth, 's')} to ${quantity(limits.maxWidth, 's')}, ` +
        `${quantity(limits.maxEnergy, 'J')}, ${pulses}; ` +
        `reads up to ${quantity(limits.maxReadVoltage, 'V')}`,
    ],
    [
      'dead-man',
      Number.isFinite(deadManTime)
        ? `all lines to 0 V after ${quantity(deadManTime, 's')} without the host`
        : 'none',
    ],
    [since, `${uptime.toFixed(1)} s${pulsesApplied === undefined ? '' : `, ${pulsesApplied} pulses`}`],
  ];
}
