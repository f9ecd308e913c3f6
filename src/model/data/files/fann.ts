/** FANN's training files: "samples inputs outputs", then the inputs and the outputs of each sample in turn. */
import { badFile, classesOf, type Samples } from './samples.js';

/** Whether the text begins with FANN's three numbers. */
export const isFann = (text: string): boolean => /^\s*\d+[ \t]+\d+[ \t]+\d+[ \t]*\r?\n/.test(text);

/** The class is the largest output; of one output, 1 where it is above the middle of its range. Error: `bad-file`. */
export function readFann(path: string, text: string): Samples {
  const words = text.split(/\s+/).filter((word) => word !== '');
  const [count, inputs, outputs] = words.slice(0, 3).map(Number);
  const width = inputs + outputs;
  if (inputs < 1 || outputs < 1 || count < 2)
    throw badFile(
      path,
      `row 1, column 1: ${count} samples of ${inputs} inputs and ${outputs} outputs cannot be learnt`,
    );
  if (words.length !== 3 + count * width)
    throw badFile(
      path,
      `row 1, column 1: it announces ${count} × (${inputs} + ${outputs}) numbers, and ${words.length - 3} follow`,
    );
  const numbers = Float64Array.from(words.slice(3), Number);
  const bad = numbers.findIndex((number) => !Number.isFinite(number));
  if (bad >= 0)
    throw badFile(
      path,
      `sample ${Math.floor(bad / width) + 1}, column ${(bad % width) + 1}: "${words[3 + bad].slice(0, 40)}" is not a number`,
    );
  const values = new Float64Array(count * inputs);
  const targets: Float64Array[] = [];
  for (let i = 0; i < count; i++) {
    values.set(numbers.subarray(i * width, i * width + inputs), i * inputs);
    targets.push(numbers.subarray(i * width + inputs, (i + 1) * width));
  }
  const texts =
    outputs === 1 ? ofOne(targets) : targets.map((target) => String(target.indexOf(Math.max(...target))));
  const columns = Array.from({ length: inputs }, (_, i) => ({ name: `input ${i + 1}` }));
  return { count, columns, values, ...classesOf(path, texts), label: 'outputs' };
}

function ofOne(targets: readonly Float64Array[]): string[] {
  const low = targets.reduce((least, [target]) => Math.min(least, target), Infinity);
  const high = targets.reduce((most, [target]) => Math.max(most, target), -Infinity);
  return targets.map(([target]) => (target > (low + high) / 2 ? '1' : '0'));
}
