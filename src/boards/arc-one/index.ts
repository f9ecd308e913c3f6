/** ArC ONE, an instrument for crossbars of up to 32×32 behind a serial port. */
import type { BoardKind } from '../kind.js';
import { EXAMPLE } from './url.js';

/** USB vendor of the microcontroller boards that it is built on (not confirmed on a real one). */
const MBED = '0d28';

export const arcOne: BoardKind = {
  schemes: ['arc1'],
  name: 'ArC ONE',
  example: EXAMPLE,
  open: async (url, options) => (await import('./open.js')).openArcOne(url, options),
  async find() {
    const { listPorts } = await import('../../driver/transport/ports.js');
    return (await listPorts())
      .filter(
        ({ vendorId, manufacturer }) => vendorId?.toLowerCase() === MBED || /mbed/i.test(manufacturer ?? ''),
      )
      .map(({ path }) => ({
        url: `arc1:${path}`,
        what: 'serial port of an mbed board: could be an ArC ONE',
      }));
  },
};
