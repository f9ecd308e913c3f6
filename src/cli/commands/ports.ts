import type { Command } from 'commander';
import type { PortInfo } from '../../driver/index.js';
import { action } from '../command.js';

/** `path` is what `--port` takes as well: of a board that is not behind a serial port it is the URL. */
interface Listed extends PortInfo {
  url: string;
  /** `serial`, or a foreign board's scheme. */
  kind: string;
}

export function register(program: Command): void {
  program
    .command('ports')
    .description('list the boards, and the serial ports that could have one, with the URL to use')
    .action(
      action(async () => {
        const { ports, lines } = await findPorts();
        const none =
          'no serial ports; `memloop mock --profile w-sdc-8x8x4 --pty` makes one with a virtual board';
        return {
          result: { ports },
          text: [...(ports.length > 0 ? lines : [none]), ...(await unseen(ports))].join('\n'),
        };
      }),
    );
}

async function findPorts(): Promise<{ ports: Listed[]; lines: string[] }> {
  const { listPorts } = await import('../../driver/index.js');
  const { BOARD_KINDS } = await import('../../boards/kinds.js');
  const serial = await listPorts();
  const ports: Listed[] = serial.map((port) => ({ ...port, url: port.path, kind: 'serial' }));
  const lines = serial.map(({ path, manufacturer, serialNumber }) =>
    [path, manufacturer, serialNumber].filter(Boolean).join('  '),
  );
  for (const { schemes, find } of BOARD_KINDS)
    for (const { url, what } of await find()) {
      ports.push({ path: url, url, kind: schemes[0] });
      lines.push(`${url}  ${what}`);
    }
  return { ports, lines };
}

/** How a board is opened of whose kind none was seen. */
async function unseen(ports: readonly Listed[]): Promise<string[]> {
  const { BOARD_KINDS } = await import('../../boards/kinds.js');
  return BOARD_KINDS.filter(({ schemes }) => !ports.some(({ kind }) => kind === schemes[0])).map(
    ({ name, example }) => `${name}: none seen; name it by --port ${example}`,
  );
}
