/**
 * MIF neurons of the host, for boards that have none: nominal ones, which the measured column currents drive where a
 * board's own would be driven. What they do is then the model's own for the measured sums.
 */
import type { NeuronRun, Stimulus } from '../../driver/board/board.js';
import { type MifPopulation, MifRunner, type NetworkSpec } from '../../model/index.js';
import type { NeuronBank } from './board-network.js';

/** Samples of a run: as many as a memloop board gives of 1000 steps. Fewer where each drives the next layer. */
const SAMPLES = 125;
const WAVEFORM_SAMPLES = 50;
/** Runs until others get their turn. */
const AT_ONCE = 16;

/** As many as the widest layer that drives neurons; a step is the network's own. */
export function hostNeurons(spec: NetworkSpec): NeuronBank {
  const { neuron, integrator, steps, driveMax } = spec;
  const driving = spec.layers.filter(
    ({ activation }, l) => l === spec.layers.length - 1 || activation === 'mif',
  );
  const neurons = Math.max(...driving.map(({ outputs }) => outputs));
  const stepTime = spec.duration / steps;
  let done = 0;
  return {
    description: { neurons, stepTime, maxSteps: steps, driveMax },
    parameters: Array.from({ length: neurons }, () => neuron),
    async run(stimuli) {
      const runs: NeuronRun[] = [];
      for (let first = 0; first < stimuli.length; first += AT_ONCE) {
        const some = stimuli.slice(first, first + AT_ONCE);
        const runner = runnerOf({ neuron, integrator, neurons, stepTime, steps });
        for (const voltages of runAlike(runner, some))
          runs.push({
            run: done++,
            decimation: stimuli[0].decimation,
            voltages,
            samples: voltages.length / neurons,
            lost: 0,
          });
        await new Promise(setImmediate);
      }
      return runs;
    },
  };
}

/** Steps between two samples. */
export function hostDecimation(spec: NetworkSpec): number {
  const waveforms = spec.layers.some(({ activation }) => activation === 'mif');
  return Math.max(1, Math.floor(spec.steps / (waveforms ? WAVEFORM_SAMPLES : SAMPLES)));
}

/** The stimuli of a layer differ in their drives alone. */
function runAlike(runner: MifRunner, stimuli: readonly Stimulus[]): Float32Array<ArrayBuffer>[] {
  const [{ pulseSteps, decimation }] = stimuli;
  return runner.run(
    pulseSteps,
    stimuli.map(({ drives }) => drives),
    decimation,
  );
}

/** The last one, which the boards of a process share if their networks are alike: its memory is large. */
let kept: { key: string; runner: MifRunner } | undefined;

function runnerOf(population: MifPopulation): MifRunner {
  const key = JSON.stringify(population);
  if (kept?.key !== key) {
    kept?.runner.dispose();
    kept = { key, runner: new MifRunner(population) };
  }
  return kept.runner;
}
