/** What a board says of itself. */
import type { DescribeReply } from '../../../firmware-protocol/generated/protocol.js';
import type { EventBody } from '../../shared/events.js';
import type { Link } from '../link/link.js';
import type { BoardDescription } from './board.js';

/** The wire has 32-bit floats: 5e-4 comes as 4.99999987e-4. */
const tidy = (value: number): number => Number(value.toPrecision(7));

/** Of the wire: widths are counted in 0.1 µs. */
const WIDTH_STEP = 1e-7;

export async function describe(link: Link): Promise<BoardDescription> {
  const reply: DescribeReply = await link.request({ name: 'Describe' });
  const arraySerials: string[] = [];
  for (let array = 0; array < reply.arrays; array++) {
    arraySerials.push((await link.request({ name: 'ArrayInfo', array })).serial);
  }
  const { boardSerial, firmwareVersion, protocolVersion } = link.hello;
  const step = tidy(reply.rowVoltsPerCount);
  return {
    kind: 'memloop board',
    boardSerial,
    firmwareVersion,
    protocolVersion,
    caveats: [],
    products: 'analog',
    arraySerials,
    arrays: reply.arrays,
    rows: reply.rows,
    columns: reply.columns,
    neurons: reply.neurons,
    rowVoltageStep: step,
    rowVoltageMax: tidy(step * reply.rowMaxCount),
    currentRanges: Array.from(reply.ampsPerCount, (amps) => ({
      step: tidy(amps),
      max: tidy(amps * reply.currentMaxCount),
    })),
    driveStep: tidy(reply.driveAmpsPerCount),
    driveMax: tidy(reply.driveAmpsPerCount * reply.driveMaxCount),
    membraneStep: tidy(reply.membraneVoltsPerCount),
    membraneMax: tidy(reply.membraneVoltsPerCount * reply.membraneMaxCount),
    stepTime: tidy(reply.stepTime),
    maxSteps: reply.maxSteps,
    seriesResistance: tidy(reply.seriesResistance),
    halfSelect: tidy(reply.halfSelect),
    linesFloat: false,
    limits: {
      maxVoltage: tidy(reply.maxVoltage),
      minVoltage: tidy(reply.minVoltage),
      maxReadVoltage: tidy(reply.maxReadVoltage),
      minWidth: tidy(reply.minWidth),
      maxWidth: tidy(reply.maxWidth),
      maxEnergy: tidy(reply.maxEnergy),
      maxPulses: reply.maxPulses,
    },
    widthStep: WIDTH_STEP,
    readTime: tidy(reply.readTime),
    deadManTime: tidy(reply.deadManTime),
    references: Array.from(reply.references, tidy),
  };
}

/** What the journal and the dashboard are told of a board that was opened. */
export function boardEvent(
  port: string,
  { boardSerial, firmwareVersion, arrays, rows, columns, neurons }: BoardDescription,
): Extract<EventBody, { type: 'board' }> {
  return { type: 'board', port, boardSerial, firmwareVersion, arrays, rows, columns, neurons };
}
