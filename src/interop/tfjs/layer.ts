/** MIF neurons as a layer of layers-models. */
import type { serialization, Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import type { layers, Shape } from '@tensorflow/tfjs-layers';
import { z } from 'zod';
import { integratorNames, mifSchema, restState } from '../../model/devices/mif.js';
import {
  checkSpec,
  type NetworkSpec,
  networkSpec,
  PEAK_SCALE,
  WAVEFORM_UNIT,
} from '../../model/network/network.js';
import { MemloopError } from '../../shared/errors.js';
import { checkJson } from '../../shared/json.js';
import { type MifLayerSpec, mifLayer } from './operation.js';
import type { Tensorflow } from './tensorflow.js';

/** A layer's settings; what is left out is as `networkSpec` has it, with 250 steps. */
export interface MifConfig
  extends Partial<MifLayerSpec>,
    Partial<Pick<NetworkSpec, 'driveScale' | 'driveMax'>> {
  /**
   * The neurons' waveforms (batch × steps × neurons, v − rest in 50 mV at the beginning of each step), for a layer behind it; else their highest
   * voltages (batch × neurons, in units of 5 mV), whose softmax is the network's decision.
   */
  returnSequences?: boolean;
  name?: string;
}

/** A MIF layer in a model, and what it is made of. */
export interface MifLayer extends layers.Layer {
  readonly settings: Required<Omit<MifConfig, 'outputNeurons' | 'name'>> & Pick<MifConfig, 'outputNeurons'>;
}

const positive = z.number().positive();
/** What tfjs-layers adds beside is left alone. */
const configSchema = z.object({
  neuron: mifSchema.exactOptional(),
  outputNeurons: z.array(mifSchema).exactOptional(),
  integrator: z.enum(integratorNames).exactOptional(),
  duration: positive.exactOptional(),
  steps: z.int().positive().max(1_000_000).exactOptional(),
  pulseSteps: z.array(z.int().nonnegative()).exactOptional(),
  driveScale: positive.exactOptional(),
  driveMax: positive.exactOptional(),
  returnSequences: z.boolean().exactOptional(),
});

type MifClass = new (config?: MifConfig) => MifLayer;
/** One class for each copy of tfjs-layers, by its own base class. */
const classes = new WeakMap<object, MifClass>();

/** The class, registered as `MIF` so that models that have such layers can be loaded. `loadBackend` does it. */
export function mifClass(tf: Tensorflow): MifClass {
  const known = classes.get(tf.layers.Layer);
  if (known) return known;
  class Mif extends tf.layers.Layer implements MifLayer {
    static className = 'MIF';
    readonly settings: MifLayer['settings'];

    constructor(config: MifConfig = {}) {
      super(config);
      this.settings = settingsOf(config);
    }

    override computeOutputShape(given: Shape | Shape[]): Shape {
      const shape = given as Shape;
      const { returnSequences, steps, outputNeurons } = this.settings;
      const [neurons] = shape.slice(-1);
      if (shape.length !== 2 && !(shape.length === 3 && shape[1] === steps))
        throw fault(
          this.name,
          `takes [neurons] or [${steps}, neurons], not [${shape.slice(1).join(', ')}]; flatten before it`,
        );
      if (outputNeurons && outputNeurons.length !== neurons)
        throw fault(this.name, `describes ${outputNeurons.length} neurons, but there are ${neurons}`);
      return returnSequences ? [shape[0], steps, neurons] : [shape[0], neurons];
    }

    override call(inputs: Tensor | Tensor[]): Tensor {
      const x = Array.isArray(inputs) ? inputs[0] : inputs;
      return tf.tidy(() => respond(tf, this.settings, x as Tensor2D | Tensor3D));
    }

    override getConfig(): serialization.ConfigDict {
      return { ...super.getConfig(), ...(this.settings as unknown as serialization.ConfigDict) };
    }
  }
  tf.serialization.registerClass(Mif as unknown as serialization.SerializableConstructor<Mif>);
  classes.set(tf.layers.Layer, Mif);
  return Mif;
}

/** A MIF layer: a layer before it gives the drives of its neurons, in units of `driveScale`. Error: `bad-input`. */
export const mif = (tf: Tensorflow, config: MifConfig = {}): MifLayer => new (mifClass(tf))(config);

function respond(tf: Tensorflow, settings: MifLayer['settings'], x: Tensor2D | Tensor3D): Tensor {
  const { driveScale, driveMax, neuron, duration, steps, returnSequences } = settings;
  // Inputs are pulsed; waveforms drive at each step, by as much as a pulse of that length would.
  const drives =
    x.rank === 3
      ? tf.mul(x, (driveScale * duration) / steps / neuron.tauAlpha)
      : tf.clipByValue(tf.mul(x, driveScale), -driveMax, driveMax);
  const voltages = mifLayer(tf, settings)(drives as Tensor2D | Tensor3D);
  if (!returnSequences) return tf.div(tf.max(voltages, 1), PEAK_SCALE);
  // What drives the next layer in a step is the waveform at its beginning: at first that of rest.
  const waves = tf.div(tf.sub(voltages, restState(neuron).v), WAVEFORM_UNIT) as Tensor3D;
  return tf.slice(
    tf.pad(waves, [
      [0, 0],
      [1, 0],
      [0, 0],
    ]),
    0,
    waves.shape,
  );
}

function settingsOf(config: MifConfig): MifLayer['settings'] {
  const source = { what: 'a MIF layer', hint: 'mend its config', reason: 'bad-input' } as const;
  const { returnSequences = false, pulseSteps, ...given } = checkJson(config, configSchema, source);
  const neurons = given.outputNeurons;
  const spec = networkSpec([1, neurons?.length ?? 1], { steps: 250, ...given });
  const { layers: _, ...rest } = pulseSteps ? { ...spec, pulseSteps } : spec;
  checkSpec({ ...spec, ...rest });
  return { ...rest, returnSequences };
}

const fault = (name: string, why: string): MemloopError =>
  new MemloopError('bad-input', `layer ${name} (MIF) ${why}`);
