import { expect, it } from 'vitest';
import { pulseOfPeak, readStimulus, simulate, traceCsv } from '../../../src/model/devices/simulate.js';

it('a pulse of peak P makes the alpha current peak at P, after one time constant', () => {
  const { time, neurons } = simulate([pulseOfPeak(5e-6)], { steps: 10_000 });
  const top = neurons[0].i.indexOf(Math.max(...neurons[0].i));
  expect(neurons[0].i[top]).toBeCloseTo(5e-6, 10);
  expect(time[top]).toBeCloseTo(1e-3, 5);
});

it('a population from CSV: one column a neuron, empty cells are no pulse', () => {
  const stimuli = readStimulus('time,d0,d1\n0,5e-6,\n0.004,,-2e-6\n', 'pulses.csv');
  expect(stimuli).toEqual([[{ time: 0, drive: 5e-6 }], [{ time: 0.004, drive: -2e-6 }]]);
  const { neurons } = simulate(stimuli, { steps: 1000 });
  expect(Math.max(...neurons[0].v)).toBeGreaterThan(40e-3);
  expect(neurons[1].v[399]).toBeCloseTo(neurons[1].v[0], 9);
  expect(Math.min(...neurons[1].v)).toBeLessThan(0);
});

it('CSV out has one line a time and neuron under a header', () => {
  const lines = traceCsv(simulate([[], []], { steps: 10 }))
    .trim()
    .split('\n');
  expect(lines[0]).toBe('time,neuron,a,i,v,x1,x2');
  expect(lines).toHaveLength(1 + 2 * 11);
});

it.each([
  ['time,drive\n0,abc\n', /pulses.csv, line 2/],
  ['time,drive\n0\n', /pulses.csv, line 2/],
  ['time,drive\n', /a header and at least one pulse/],
])('bad stimulus %j: one line that says where', (csv, message) => {
  expect(() => readStimulus(csv, 'pulses.csv')).toThrow(message);
});

it('a pulse outside the time simulated, and an overflow, are told', () => {
  expect(() => simulate([[{ time: 0.02, drive: 1e-6 }]])).toThrow(/not within the 0.01 s/);
  expect(() => simulate([pulseOfPeak(1e-4)], { integrator: 'forward-euler' })).toThrow(/overflows/);
});
