// Watch the neurons of a board while they answer one input pulse.
//
//     node examples/stream-neurons.mjs [PORT]
import { openBoard } from 'memloop';

const board = await openBoard(process.argv[2] ?? 'virtual:w-sdc-8x8x4?seed=7');
const { neurons, stepTime, boardSerial } = board.description;

// Frames come as they leave the board: voltages in V, samples × neurons.
const frames = board.neurons.subscribe(({ step, voltages, lost }) => {
  const first = voltages.filter((_, i) => i % neurons === 0);
  const highest = Math.max(...first);
  const time = (1e3 * step * stepTime).toFixed(2);
  console.log(`from ${time} ms: neuron 0 up to ${(1e3 * highest).toFixed(1)} mV, ${lost} samples lost`);
});

// One pulse at the start: the alpha current of each neuron jumps by 13.6 µA and peaks at 5 µA.
const [run] = await board.run([
  { steps: 1000, decimation: 1, pulseSteps: [0], drives: new Float32Array(neurons).fill(13.6e-6) },
]);

const peak = (neuron) =>
  run.voltages.reduce((high, v, i) => (i % neurons === neuron && v > high ? v : high), 0);
const peaks = Array.from({ length: neurons }, (_, neuron) => (1e3 * peak(neuron)).toFixed(1));
console.log(`board ${boardSerial}, ${run.samples} samples; highest v of each neuron, mV: ${peaks.join(' ')}`);

frames.unsubscribe();
await board.close();
