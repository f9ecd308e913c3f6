import type { Command } from 'commander';
import { action } from '../command.js';

export function register(program: Command): void {
  program
    .command('ports')
    .description('list the serial ports that could have a board')
    .action(
      action(async () => {
        const { listPorts } = await import('../../driver/index.js');
        const ports = await listPorts();
        const lines = ports.map(({ path, manufacturer, serialNumber }) =>
          [path, manufacturer, serialNumber].filter(Boolean).join('  '),
        );
        const none =
          'no serial ports; `memloop mock --profile w-sdc-8x8x4 --pty` makes one with a virtual board';
        return { result: { ports }, text: lines.join('\n') || none };
      }),
    );
}
