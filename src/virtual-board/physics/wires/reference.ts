/**
 * The resistive network of a crossbar in its plainest form, the readable reference of `network.ts`: Kirchhoff's current law
 * at each node, Newton's iteration, and Gaussian elimination. Slow: a second for 64×64.
 */
export interface NetworkProblem {
  rows: number;
  columns: number;
  /** Wire between two neighbouring cells, and between the ends of a line and its first or last cell, Ω. */
  segment: number;
  /** Conductance of the switches of each cell, row by row, S. */
  switches: ArrayLike<number>;
  /** Beside its switches a cell carries amplitude · sinh(beta · v): A, 1/V. */
  amplitude: number;
  beta: number;
  /** What drives each row from the left, and each column from below: V, and Ω in series; Infinity for a floating line. */
  rowEnds: readonly LineEnd[];
  columnEnds: readonly LineEnd[];
}

export interface LineEnd {
  voltage: number;
  resistance: number;
}

export interface NetworkSolution {
  /** Voltage across each cell, row by row, V. */
  voltages: Float64Array;
  /** Current out of each column, A. */
  columns: Float64Array;
}

/** Solves LDLᵀ x = f in place of `f`, `band[i·(width+1)+k]` being the matrix' entry (i, i−k): symmetric, positive definite. */
function solveBanded(band: Float64Array, width: number, f: Float64Array): void {
  const stride = width + 1;
  for (let i = 0; i < f.length; i++) {
    const first = Math.max(0, i - width);
    for (let j = first; j < i; j++) {
      let entry = band[i * stride + i - j];
      const from = Math.max(first, j - width);
      for (let k = from; k < j; k++)
        entry -= band[i * stride + i - k] * band[j * stride + j - k] * band[k * stride];
      band[i * stride + i - j] = entry / band[j * stride];
    }
    for (let k = first; k < i; k++) {
      band[i * stride] -= band[i * stride + i - k] ** 2 * band[k * stride];
      f[i] -= band[i * stride + i - k] * f[k];
    }
  }
  for (let i = 0; i < f.length; i++) f[i] /= band[i * stride];
  for (let i = f.length - 1; i >= 0; i--)
    for (let k = Math.max(0, i - width); k < i; k++) f[k] -= band[i * stride + i - k] * f[i];
}

/** Errors: `Error` where Newton's iteration does not settle. */
export function solveNetwork(problem: NetworkProblem): NetworkSolution {
  const { rows, columns, segment, switches, amplitude, beta, rowEnds, columnEnds } = problem;
  const nodes = 2 * rows * columns;
  const width = 2 * columns;
  const stride = width + 1;
  const rowNode = (r: number, c: number) => 2 * (r * columns + c);
  const columnNode = (r: number, c: number) => rowNode(r, c) + 1;
  const v = new Float64Array(nodes);
  const endCurrent = ({ voltage, resistance }: LineEnd, node: number) =>
    (voltage - v[node]) / (segment + resistance);

  for (let iteration = 0; iteration < 50; iteration++) {
    const band = new Float64Array(nodes * stride);
    const into = new Float64Array(nodes);
    const join = (a: number, b: number, slope: number, current: number) => {
      band[a * stride] += slope;
      band[b * stride] += slope;
      band[Math.max(a, b) * stride + Math.abs(a - b)] -= slope;
      into[a] -= current;
      into[b] += current;
    };
    const wire = (a: number, b: number) => join(a, b, 1 / segment, (v[a] - v[b]) / segment);
    const end = (line: LineEnd, node: number) => {
      band[node * stride] += 1 / (segment + line.resistance);
      into[node] += endCurrent(line, node);
    };
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) {
        const [a, b] = [rowNode(r, c), columnNode(r, c)];
        const across = v[a] - v[b];
        const g = switches[r * columns + c];
        const slope = g + amplitude * beta * Math.cosh(beta * across);
        join(a, b, slope, g * across + amplitude * Math.sinh(beta * across));
        if (c > 0) wire(rowNode(r, c - 1), a);
        if (r > 0) wire(columnNode(r - 1, c), b);
      }
    for (const [r, line] of rowEnds.entries()) end(line, rowNode(r, 0));
    for (const [c, line] of columnEnds.entries()) end(line, columnNode(rows - 1, c));

    solveBanded(band, width, into);
    let largest = 0;
    let moved = 0;
    for (let i = 0; i < nodes; i++) {
      v[i] += into[i];
      largest = Math.max(largest, Math.abs(v[i]));
      moved = Math.max(moved, Math.abs(into[i]));
    }
    if (moved <= 1e-13 * largest)
      return {
        voltages: Float64Array.from({ length: rows * columns }, (_, i) => v[2 * i] - v[2 * i + 1]),
        columns: Float64Array.from(columnEnds, (line, c) => -endCurrent(line, columnNode(rows - 1, c))),
      };
  }
  throw new Error('the reference of the wires did not settle');
}

/** Column currents, A, by the drops that the currents would cause if there were none: the reference of `first-order.ts`. */
export function firstOrderReference(
  rows: number,
  columns: number,
  segment: number,
  switches: ArrayLike<number>,
  voltages: ArrayLike<number>,
  beside: (voltage: number) => number,
): { currents: Float64Array; squares: Float64Array } {
  const current = (r: number, c: number) => voltages[r] * (switches[r * columns + c] + beside(voltages[r]));
  const currents = new Float64Array(columns);
  const squares = new Float64Array(columns);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) {
      let drop = 0;
      for (let s = 0; s <= c; s++) for (let k = s; k < columns; k++) drop += segment * current(r, k);
      for (let s = r; s < rows; s++) for (let k = 0; k <= s; k++) drop += segment * current(k, c);
      const i = (voltages[r] - drop) * (switches[r * columns + c] + beside(voltages[r]));
      currents[c] += i;
      squares[c] += i * i;
    }
  return { currents, squares };
}
