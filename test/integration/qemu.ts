/** Whether this machine can run the board in QEMU, and its firmware, built from the sources. */
import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const has = (command: string) => spawnSync(command, ['--version']).status === 0;
export const missing = ['qemu-system-arm', 'arm-none-eabi-gcc'].filter((command) => !has(command));
/** For the titles of what is skipped. */
export const why = missing.length > 0 ? ` (skipped: ${missing.join(' and ')} not installed)` : '';

export function buildFirmware(path: string): void {
  const build = '../../firmware-protocol/firmware/ports/netduinoplus2/build.sh';
  execFileSync(fileURLToPath(new URL(build, import.meta.url)), [path]);
}
