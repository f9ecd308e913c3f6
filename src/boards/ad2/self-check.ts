/** What is measured of a board when it is opened, with no more than 0.1 V, and what must not be. */
import { MemloopError } from '../../shared/errors.js';
import { type Channel, type Circuit, INPUT_RESISTANCE, lagOf, levelOf, type Mode } from './circuit.js';
import { BUFFER, type Device, proven } from './device.js';
import { pulseWave } from './waves.js';

/** V in memloop's sign, switches open or closed: at one voltage the generator's step cannot look like a current. */
export const CHECK = 0.1;
/** s: of levels, and of the step whose rise tells the mode. */
const LONG = 200e-6;
const SHORT = 40e-6;
export const ALL = 0xffff;
/** Averaged, for all that is measured later rests on them. */
const CAPTURES = 4;
/** Shares of W1 below which a scope input is not connected to it, and within which W1 and the scope must agree. */
const CONNECTED = 0.5;
const AGREE = 0.05;
/** A node lags W1 by its resistor and capacitance; what W1 itself or the scope lag is far below, s. */
const LAG = 0.5e-6;
/** A switch leaks beyond this, S; and beyond this error of the scope's gains. */
const LEAK = 0.2e-6;
const GAIN_ERROR = 3e-3;
/** All memristors together conduct at least this, S. */
export const CHIP = 1e-6;

/** Errors: `not-a-board`, `board-refused`, with the remedy. Leaves W1 without its offset, and all switches open. */
export async function checkBoard(
  device: Device,
  { mode, series }: { mode: Mode; series: number },
): Promise<Circuit> {
  await device.switch(0);
  await device.setOffset(0);
  const seen = await levels(device, CHECK, CAPTURES);
  if (seen.some(({ step }) => !(step > CONNECTED * CHECK)))
    throw new MemloopError(
      'not-a-board',
      `the scope of Analog Discovery ${device.serial} does not see W1: is it plugged into the Memristor Discovery board?`,
    );
  const step = await proven(() => device.run(pulseWave(-CHECK, SHORT), 2 * SHORT * 1e8));
  const lags = ([0, 1] as const).map((channel) => lagOf(step, channel, SHORT));
  const measured: Mode = lags[1] < LAG && lags[0] > LAG ? 1 : 2;
  if (measured !== mode)
    throw new MemloopError(
      'not-a-board',
      `the board's slide switch is at mode ${measured}, the URL says mode=${mode}: move the switch ${mode === 1 ? 'left' : 'right'}, or write mode=${measured} (and its series=)`,
    );
  const [first, second] = seen.map((one) => one.step);
  const source = mode === 1 ? second : ((first + second) / 2) * (1 + series / INPUT_RESISTANCE);
  const conductance = (step: number) => (source / step - 1) / series;
  const open = [conductance(first), mode === 1 ? 0 : conductance(second)] as const;
  const nodes = mode === 1 ? open.slice(0, 1) : open;
  const leak = Math.max(...nodes.map((one) => Math.abs(one - 1 / INPUT_RESISTANCE)));
  if (leak > LEAK + GAIN_ERROR / series || Math.abs(source / CHECK - 1) > AGREE)
    throw new MemloopError(
      'not-a-board',
      `with all switches open ${(leak * 1e6).toPrecision(2)} µS too much flow from W1 (${source.toPrecision(3)} V for ${CHECK} V): a switch leaks, or series= is not the resistor on the board`,
    );
  const behind = 1 / (1 / series + open[0]);
  const capacitance = Math.max(0, mode === 1 ? lags[0] - lags[1] : (lags[0] + lags[1]) / 2) / behind;
  const zeros = seen.map(({ zero }) => zero) as [number, number];
  const gain = source / CHECK;
  const circuit = { mode, series, capacitance, open, offsets: zeros, w1: { offset: 0, gain } };
  return withoutOffset(device, circuit);
}

/**
 * At 0 V a scope input shows its own offset and what W1's does there. That part falls by a known share when all switches
 * are closed: so the two are told apart.
 */
async function withoutOffset(device: Device, circuit: Circuit): Promise<Circuit> {
  await device.switch(ALL);
  const closed = await levels(device, CHECK, CAPTURES);
  await device.switch(0);
  const { mode, w1, series } = circuit;
  const nodes: Channel[] = mode === 1 ? [0] : [0, 1];
  let fall = 0;
  let moved = 0;
  for (const node of nodes) {
    const [open, loaded] = [1 / (1 + series * circuit.open[node]), closed[node].step / (CHECK * w1.gain)];
    fall += (open - loaded) ** 2;
    moved += (open - loaded) * (circuit.offsets[node] - closed[node].zero);
  }
  if (Math.sqrt(fall) < series * CHIP) throw noChip(device.serial);
  const offset = moved / fall;
  await device.setOffset(-offset / w1.gain);
  const share = (channel: Channel) =>
    mode === 1 && channel === 1 ? 1 : 1 / (1 + series * circuit.open[channel]);
  const offsets = [circuit.offsets[0] - offset * share(0), circuit.offsets[1] - offset * share(1)] as const;
  return { ...circuit, offsets, w1: { offset, gain: w1.gain } };
}

export const noChip = (serial: string): MemloopError =>
  new MemloopError(
    'board-refused',
    `no memristor conducts with all switches of Analog Discovery ${serial} closed: is the chip in its socket, and are the board's supplies (V+ and V−) on?`,
  );

/** What both inputs show at 0 V (V, the scope's sign), and by how much they move for `voltage` (V, memloop's sign). */
async function levels(
  device: Device,
  voltage: number,
  captures = 1,
): Promise<{ zero: number; step: number }[]> {
  const sums = [0, 1].map(() => ({ zero: 0, step: 0 }));
  for (let i = 0; i < captures; i++) {
    const capture = await proven(() => device.run(pulseWave(-voltage, LONG), BUFFER.scope));
    for (const channel of [0, 1] as const) {
      const zero = levelOf(capture, channel, 1.3 * LONG, 2 * LONG).mean;
      const step = levelOf(capture, channel, 0.3 * LONG, 0.98 * LONG).mean - zero;
      sums[channel].zero -= zero / captures;
      sums[channel].step += step / captures;
    }
  }
  return sums;
}
