/**
 * Matrices of weights packed onto arrays. Cells and lines are counted in weights here: whether the pair of cells of a
 * weight lies along a row or a column is `mapping.ts`'s.
 */

/** What is to be placed: one matrix, and how many vectors it is multiplied by for one sample. */
export interface Matrix {
  inputs: number;
  outputs: number;
  vectors: number;
}

/** Weights that the arrays of a board hold: along the rows that inputs drive, and along the columns of outputs. */
export interface Room {
  arrays: number;
  inputs: number;
  outputs: number;
}

/** A rectangle of matrix `matrix` and the same rectangle of an array. */
export interface Placed {
  matrix: number;
  inputStart: number;
  inputCount: number;
  outputStart: number;
  outputCount: number;
  array: number;
  /** Its first line of inputs and of outputs in the array. */
  input: number;
  output: number;
}

/** A rectangle of a matrix or of free weights of an array, whose number is `of`. */
interface Rectangle {
  of: number;
  input: number;
  output: number;
  inputs: number;
  outputs: number;
}

const area = ({ inputs, outputs }: Pick<Rectangle, 'inputs' | 'outputs'>): number => inputs * outputs;

/** How the rest of a rectangle is cut in two once a corner is taken. */
type Cut = 'along inputs' | 'along outputs';
const CUTS: readonly Cut[] = ['along inputs', 'along outputs'];

/** What is left of a rectangle without its first corner of this size. */
function rest(whole: Rectangle, inputs: number, outputs: number, cut: Cut): Rectangle[] {
  const below = { ...whole, input: whole.input + inputs, inputs: whole.inputs - inputs };
  const beside = { ...whole, output: whole.output + outputs, outputs: whole.outputs - outputs };
  if (cut === 'along inputs') beside.inputs = inputs;
  else below.outputs = outputs;
  return [below, beside].filter((part) => area(part) > 0);
}

/**
 * Each piece goes to the free rectangle that takes most of it, the smallest of those; what it does not take is cut off
 * and placed later. So everything is placed if there is room for it.
 */
function packBy(matrices: readonly Matrix[], room: Room, cutPiece: Cut, cutFree: Cut | 'larger'): Placed[] {
  const { arrays, ...whole } = room;
  const pieces: Rectangle[] = matrices.map((matrix, of) => ({ of, input: 0, output: 0, ...size(matrix) }));
  const free: Rectangle[] = Array.from({ length: arrays }, (_, of) => ({
    of,
    input: 0,
    output: 0,
    ...whole,
  }));
  const placed: Placed[] = [];
  while (pieces.length > 0) {
    const piece = takeBest(pieces, (some) => matrices[some.of].vectors * area(some), area);
    if (area(piece) === 0) continue;
    const fitting = ({ inputs, outputs }: Rectangle) =>
      Math.min(inputs, piece.inputs) * Math.min(outputs, piece.outputs);
    const place = takeBest(free, fitting, (some) => -area(some));
    const inputs = Math.min(place.inputs, piece.inputs);
    const outputs = Math.min(place.outputs, piece.outputs);
    placed.push({
      matrix: piece.of,
      inputStart: piece.input,
      inputCount: inputs,
      outputStart: piece.output,
      outputCount: outputs,
      array: place.of,
      input: place.input,
      output: place.output,
    });
    pieces.push(...rest(piece, inputs, outputs, cutPiece));
    free.push(
      ...rest(place, inputs, outputs, cutFree === 'larger' ? keepingLarge(place, inputs, outputs) : cutFree),
    );
  }
  return placed;
}

const size = ({ inputs, outputs }: Matrix) => ({ inputs, outputs });

function keepingLarge(place: Rectangle, inputs: number, outputs: number): Cut {
  const below = (place.inputs - inputs) * place.outputs;
  const beside = (place.outputs - outputs) * place.inputs;
  return below >= beside ? 'along inputs' : 'along outputs';
}

/** Removes and returns the entry that is first by the one measure, or by the other among equals. */
function takeBest(
  list: Rectangle[],
  first: (some: Rectangle) => number,
  second: (some: Rectangle) => number,
): Rectangle {
  let best = 0;
  for (let i = 1; i < list.length; i++) {
    const by = first(list[i]) - first(list[best]);
    if (by > 0 || (by === 0 && second(list[i]) > second(list[best]))) best = i;
  }
  const [taken] = list.splice(best, 1);
  return taken;
}

/** Weights that all arrays hold together. */
export const roomOf = ({ arrays, inputs, outputs }: Room): number => arrays * inputs * outputs;

export const weightsIn = (matrices: readonly Matrix[]): number =>
  matrices.reduce((sum, matrix) => sum + area(matrix), 0);

/** Rectangles that hold every weight once and do not overlap; undefined if there are more weights than room. */
export function pack(matrices: readonly Matrix[], room: Room): Placed[] | undefined {
  if (weightsIn(matrices) > roomOf(room)) return undefined;
  let best: Placed[] | undefined;
  let least = Infinity;
  for (const cutPiece of CUTS)
    for (const cutFree of [...CUTS, 'larger'] as const) {
      const placed = packBy(matrices, room, cutPiece, cutFree);
      const products = placed.reduce((sum, { matrix }) => sum + matrices[matrix].vectors, 0);
      if (products < least) [best, least] = [placed, products];
    }
  return best;
}
