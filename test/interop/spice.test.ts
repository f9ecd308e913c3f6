import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { networkNetlist, neuronNetlist, readSpiceOutput } from '../../src/interop/spice.js';
import { type IntegratorName, MIF, type MifParameters } from '../../src/model/devices/mif.js';
import { type Pulse, pulseOfPeak, simulate } from '../../src/model/devices/simulate.js';
import { Network, networkSpec } from '../../src/model/network/network.js';
import { outputVoltages } from '../../src/model/network/reference.js';

const ngspice = spawnSync('ngspice', ['--version']).status === 0;
const folder = mkdtempSync(join(tmpdir(), 'memloop-'));

function run(netlist: (output: string) => string) {
  const output = join(folder, 'out.txt');
  const file = join(folder, 'neuron.cir');
  writeFileSync(file, netlist(output));
  execFileSync('ngspice', ['-b', file], { stdio: 'pipe' });
  return readSpiceOutput(readFileSync(output, 'utf8'));
}

/** RMSE of v against ngspice, V, over `steps` steps of 10 ms. */
function error(
  pulses: Pulse[],
  neuron: MifParameters,
  spice: { voltages: number[][] },
  integrator: IntegratorName,
  steps = 1000,
  start = {},
) {
  const { v } = simulate([pulses], { neuron, integrator, steps, start }).neurons[0];
  const every = (spice.voltages[0].length - 1) / steps;
  return Math.sqrt(
    v.reduce((sum, value, n) => sum + (value - spice.voltages[0][n * every]) ** 2, 0) / v.length,
  );
}

describe.skipIf(!ngspice)('against ngspice at reltol 1e-7 (skipped where ngspice is not installed)', () => {
  const pulses = pulseOfPeak(5e-6);
  const start = { v: 25e-3, x1: 0.0238, x2: 0.0238 };

  it('the paper’s neuron: forward Euler within 0.15 mV, the exponential integrator within 0.05 mV', () => {
    const spice = run((output) =>
      neuronNetlist([pulses], MIF, { duration: 10e-3, samples: 1000, output }, start),
    );
    expect(spice.time).toHaveLength(1001);
    expect(error(pulses, MIF, spice, 'forward-euler', 1000, start)).toBeLessThan(0.15e-3);
    expect(error(pulses, MIF, spice, 'exponential', 1000, start)).toBeLessThan(0.02e-3);
    expect(error(pulses, MIF, spice, 'exponential', 250, start)).toBeLessThan(0.25e-3);
  });

  it('parameters nobody listed, three pulses', () => {
    const neuron = {
      ...MIF,
      capacitance: 1.7e-9,
      e1: 4e-3,
      e2: 61e-3,
      k: 17.5e-3,
      von: 97e-3,
      voff: 8e-3,
      ron: 1.6e3,
      roff: 0.7e5,
      tau: 0.6e-3,
      tauAlpha: 1.4e-3,
    };
    const three = [
      { time: 0, drive: 9e-6 },
      { time: 3e-3, drive: -4e-6 },
      { time: 6e-3, drive: 17e-6 },
    ];
    const spice = run((output) => neuronNetlist([three], neuron, { duration: 10e-3, samples: 1000, output }));
    expect(error(three, neuron, spice, 'exponential')).toBeLessThan(0.05e-3);
  });

  it('a network with a hidden MIF layer, from its exported netlist', () => {
    const spec = networkSpec([3, 4, 2], { hidden: 'mif', driveScale: 15e-6, steps: 1000 });
    const network = Network.initialise(spec, 4);
    const input = [0.9, 0.2, 0.6];
    const spice = run((output) => networkNetlist(network, input, { duration: 10e-3, samples: 1000, output }));
    const voltages = outputVoltages(network, input);
    let worst = 0;
    let range = 0;
    for (let n = 0; n < 2; n++)
      for (let t = 0; t < 1000; t++) {
        worst = Math.max(worst, Math.abs(voltages[t * 2 + n] - spice.voltages[n][t + 1]));
        range = Math.max(range, Math.abs(voltages[t * 2 + n] - spice.voltages[n][0]));
      }
    expect(range).toBeGreaterThan(5e-3);
    expect(worst).toBeLessThan(0.5e-3);
  });
});
