/** The board of the Pico for tests, and what its bus carried, decoded without the models' help. */
import { type Board, connectBoard, inProcessTransport } from '../../../src/driver/index.js';
import { createPicoBoard, type PicoBoard, type PicoBoardOptions } from '../../../src/virtual-board/index.js';

/** V of a step of the lines. */
export const STEP = 5 / 65536;
const ROWS = 8;

export async function openPico(
  options: PicoBoardOptions = {},
): Promise<{ board: Board; virtual: PicoBoard }> {
  const virtual = createPicoBoard({ seed: 3, ...options });
  return { virtual, board: await connectBoard(inProcessTransport('virtual:pico', virtual)) };
}

/** The lines from one moment to the next, s. */
export interface Moment {
  from: number;
  to: number;
  /** Steps from the virtual ground, by the DACs. */
  rows: number[];
  columns: number[];
  /** Of the switches, in the order of the chain. */
  switches: number[];
  /** What began it. */
  by: 'row' | 'column' | 'load' | 'switches' | 'reset';
}

/** Watches the bus of a board from now on: what the frames mean, worked out from the data sheets alone. */
export function watchLines({ frontEnd }: PicoBoard): Moment[] {
  const moments: Moment[] = [];
  const outputs = { ROW_DAC: new Array(ROWS).fill(0), COLUMN_DAC: new Array(ROWS).fill(0) };
  const inputs = { ROW_DAC: new Array(ROWS).fill(0), COLUMN_DAC: new Array(ROWS).fill(0) };
  let switches = new Array(7).fill(0);
  const moved = (time: number, by: Moment['by']) => {
    const last = moments.at(-1);
    if (last) last.to = time;
    moments.push({
      from: time,
      to: time,
      rows: [...outputs.ROW_DAC],
      columns: [...outputs.COLUMN_DAC],
      switches: [...switches],
      by,
    });
  };
  frontEnd.frameListeners.push(({ time, device, bytes }) => {
    if (device === 'SWITCHES') {
      switches = bytes.toReversed();
      moved(time, 'switches');
    } else if (device !== 'ADC') {
      const [first, high, low] = bytes;
      inputs[device][first & 15] = ((high << 8) | low) - 0x8000;
      if (first >> 4 !== 3) return;
      outputs[device][first & 15] = inputs[device][first & 15];
      moved(time, device === 'ROW_DAC' ? 'row' : 'column');
    }
  });
  frontEnd.pinListeners.push((time, pin, high) => {
    if (high) return;
    if (pin === 'LINES_ALIVE') {
      switches = new Array(7).fill(0);
      for (const codes of [inputs.ROW_DAC, inputs.COLUMN_DAC, outputs.ROW_DAC, outputs.COLUMN_DAC])
        codes.fill(0);
      moved(time, 'reset');
    } else if (pin === 'LOAD_DACS') {
      outputs.ROW_DAC = [...inputs.ROW_DAC];
      outputs.COLUMN_DAC = [...inputs.COLUMN_DAC];
      moved(time, 'load');
    }
  });
  return moments;
}

/** What the cells see at a moment, in steps, row by row: 0 where a line floats. */
export function cellsAt({ rows, columns, switches }: Moment): number[] {
  const [metered, biased, direct, series] = switches;
  return rows.flatMap((row, r) =>
    columns.map((column, c) => {
      const driven = ((direct | series) >> r) & 1 && ((metered | biased) >> c) & 1;
      return driven ? row - ((biased >> c) & 1 ? column : 0) : 0;
    }),
  );
}
