/** The list of ports that could have a board. */
import { readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';

export interface PortInfo {
  path: string;
  manufacturer?: string | undefined;
  serialNumber?: string | undefined;
  vendorId?: string | undefined;
  productId?: string | undefined;
}

/** Serial ports of this machine. */
export async function listPorts(): Promise<PortInfo[]> {
  try {
    const { SerialPort } = await import('serialport');
    const ports = await SerialPort.list();
    return ports.map(({ path, manufacturer, serialNumber, vendorId, productId }) => ({
      path,
      manufacturer,
      serialNumber,
      vendorId,
      productId,
    }));
  } catch {
    // On Linux the list comes from udevadm, which containers often lack; the device files are still there.
    return listDeviceFiles();
  }
}

/** USB serial ports by their device files; udev's stable links, where it made them, tell who made a port. */
export async function listDeviceFiles(dev = '/dev'): Promise<PortInfo[]> {
  const names = async (folder: string) => (await readdir(folder).catch(() => [])).sort();
  const links = new Map<string, string>();
  const byId = join(dev, 'serial', 'by-id');
  for (const name of await names(byId)) {
    const target = await realpath(join(byId, name)).catch(() => undefined);
    if (target !== undefined) links.set(target, name);
  }
  const ports: PortInfo[] = [];
  for (const name of await names(dev)) {
    if (!/^tty(ACM|USB|AMA)\d+$/.test(name)) continue;
    const path = join(dev, name);
    ports.push({ path, manufacturer: links.get(await realpath(path)) });
  }
  return ports;
}
