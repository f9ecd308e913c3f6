/** The network of a crossbar as others solve it: a netlist for ngspice, and conjugate gradients on all nodes. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MemristorParameters } from '../../../../src/model/devices/memristor.js';
import type { Random } from '../../../../src/model/random.js';
import type { LineEnd, NetworkProblem } from '../../../../src/virtual-board/physics/wires/reference.js';

export const ngspice = spawnSync('ngspice', ['--version']).status === 0;

export const CONDUCTANCES = {
  /** Over the window of W+SDC cells, S. */
  uniform: (random: Random) => 2e-6 + 7e-5 * random.uniform(),
  /** As training leaves them: most near the low end. */
  trained: (random: Random) => 2e-6 + 7e-5 * Math.min(1, Math.abs(0.15 * random.normal())),
};
export type Conductances = keyof typeof CONDUCTANCES;

/** All rows driven, all columns held at 0 V. */
export function product(
  cells: Pick<NetworkProblem, 'rows' | 'columns' | 'segment' | 'switches' | 'amplitude' | 'beta'>,
  voltages: ArrayLike<number>,
  driver = 0,
  sense = 0,
): NetworkProblem {
  return {
    ...cells,
    rowEnds: Array.from(voltages, (voltage) => ({ voltage, resistance: driver })),
    columnEnds: Array.from({ length: cells.columns }, () => ({ voltage: 0, resistance: sense })),
  };
}

/** One cell selected; the other lines at `share` of the voltage and the rest of it, or afloat. */
export function biased(
  cells: Pick<NetworkProblem, 'rows' | 'columns' | 'segment' | 'switches' | 'amplitude' | 'beta'>,
  pulse: { row: number; column: number; voltage: number; series: number; share: number | undefined },
  driver = 0,
  sense = 0,
): NetworkProblem {
  const { row, column, voltage, series, share } = pulse;
  const other = (part: number, resistance: number): LineEnd =>
    share === undefined ? { voltage: 0, resistance: Infinity } : { voltage: part * voltage, resistance };
  return {
    ...cells,
    rowEnds: Array.from({ length: cells.rows }, (_, r) =>
      r === row ? { voltage, resistance: driver + series } : other(share ?? 0, driver),
    ),
    columnEnds: Array.from({ length: cells.columns }, (_, c) =>
      c === column ? { voltage: 0, resistance: sense } : other(1 - (share ?? 0), sense),
    ),
  };
}

/** Branches of the linear network between nodes; −1 is ground, with a source in series. */
function branches({ rows, columns, segment, switches, rowEnds, columnEnds }: NetworkProblem) {
  const list: { a: number; b: number; siemens: number; volts: number }[] = [];
  const node = (r: number, c: number, side: 0 | 1) => 2 * (r * columns + c) + side;
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) {
      list.push({ a: node(r, c, 0), b: node(r, c, 1), siemens: switches[r * columns + c], volts: 0 });
      if (c > 0) list.push({ a: node(r, c - 1, 0), b: node(r, c, 0), siemens: 1 / segment, volts: 0 });
      if (r > 0) list.push({ a: node(r - 1, c, 1), b: node(r, c, 1), siemens: 1 / segment, volts: 0 });
    }
  const end = ({ voltage, resistance }: LineEnd, a: number) => {
    const siemens = 1 / (segment + resistance);
    if (siemens > 0) list.push({ a, b: -1, siemens, volts: voltage });
  };
  for (const [r, line] of rowEnds.entries()) end(line, node(r, 0, 0));
  for (const [c, line] of columnEnds.entries()) end(line, node(rows - 1, c, 1));
  return list;
}

/** Voltages of all nodes of the linear network by conjugate gradients with Jacobi's preconditioner. */
export function nodeVoltages(problem: NetworkProblem): Float64Array {
  const list = branches(problem);
  const n = 2 * problem.rows * problem.columns;
  const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const diagonal = new Float64Array(n);
  const r = new Float64Array(n);
  for (const { a, b, siemens, volts } of list) {
    diagonal[a] += siemens;
    if (b >= 0) diagonal[b] += siemens;
    else r[a] += siemens * volts;
  }
  const x = new Float64Array(n);
  const p = new Float64Array(n);
  let before = 0;
  const start = dot(
    r,
    r.map((value, i) => value / diagonal[i]),
  );
  for (let k = 0; k < 20 * n; k++) {
    const z = r.map((value, i) => value / diagonal[i]);
    const now = dot(r, z);
    if (now <= 1e-30 * start) break;
    for (let i = 0; i < n; i++) p[i] = z[i] + (k > 0 ? now / before : 0) * p[i];
    before = now;
    const q = new Float64Array(n);
    for (const { a, b, siemens } of list) {
      const flow = siemens * (p[a] - (b >= 0 ? p[b] : 0));
      q[a] += flow;
      if (b >= 0) q[b] -= flow;
    }
    const step = now / dot(p, q);
    for (let i = 0; i < n; i++) {
      x[i] += step * p[i];
      r[i] -= step * q[i];
    }
  }
  return x;
}

const lines = ({ rows, columns, segment, rowEnds, columnEnds }: NetworkProblem): string[] => {
  const text: string[] = [];
  const end = (name: string, node: string, { voltage, resistance }: LineEnd) => {
    if (Number.isFinite(resistance))
      text.push(`R${name} ${name} ${node} ${segment + resistance}`, `V${name} ${name} 0 ${voltage}`);
  };
  for (let r = 0; r < rows; r++) {
    end(`d${r}`, `a${r}_0`, rowEnds[r]);
    for (let c = 1; c < columns; c++) text.push(`Rw${r}_${c} a${r}_${c - 1} a${r}_${c} ${segment}`);
  }
  for (let c = 0; c < columns; c++) {
    end(`s${c}`, `b${rows - 1}_${c}`, columnEnds[c]);
    for (let r = 1; r < rows; r++) text.push(`Ru${r}_${c} b${r - 1}_${c} b${r}_${c} ${segment}`);
  }
  return text;
};

const OPTIONS = '.options reltol=1e-9 abstol=1e-15 vntol=1e-11 gmin=1e-18 itl1=1000';

/** Runs a netlist and returns the last line that it writes, without the scale. */
function run(netlist: string[], control: string[], vectors: string[]): number[] {
  const folder = mkdtempSync(join(tmpdir(), 'memloop-wires-'));
  try {
    const file = join(folder, 'wires.cir');
    const out = join(folder, 'out.txt');
    const text = [
      '* wires',
      ...netlist,
      OPTIONS,
      '.control',
      ...control,
      'set wr_singlescale',
      'set numdgt=15',
      `wrdata ${out} ${vectors.join(' ')}`,
      'quit 0',
      '.endc',
      '.end',
    ];
    writeFileSync(file, `${text.join('\n')}\n`);
    const said = execFileSync('ngspice', ['-b', file], { stdio: 'pipe', encoding: 'utf8' });
    if (!existsSync(out)) throw new Error(`ngspice wrote nothing: ${said}`);
    const last = readFileSync(out, 'utf8').trimEnd().split('\n').at(-1)!;
    return last.trim().split(/\s+/).slice(1).map(Number);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const each = <T>(
  { rows, columns }: { rows: number; columns: number },
  of: (r: number, c: number) => T,
): T[] => Array.from({ length: rows * columns }, (_, i) => of(Math.floor(i / columns), i % columns));

/** Currents out of the columns that are held, A, and voltages across the cells, V, as ngspice finds them. */
export function spicePoint(problem: NetworkProblem): { columns: number[]; voltages: number[] } {
  const { switches, amplitude, beta, columns, columnEnds } = problem;
  const cells = each(problem, (r, c) => [
    `Rc${r}_${c} a${r}_${c} b${r}_${c} ${1 / switches[r * columns + c]}`,
    `Bc${r}_${c} a${r}_${c} b${r}_${c} I=${amplitude}*sinh(${beta}*V(a${r}_${c},b${r}_${c}))`,
  ]);
  const held = columnEnds.flatMap(({ resistance }, c) => (Number.isFinite(resistance) ? [c] : []));
  const values = run(
    [...lines(problem), ...cells.flat()],
    ['op'],
    [...held.map((c) => `i(Vs${c})`), ...each(problem, (r, c) => `v(a${r}_${c},b${r}_${c})`)],
  );
  return { columns: values.slice(0, held.length), voltages: values.slice(held.length) };
}

/** States of all cells at the end of a pulse, as ngspice integrates them. */
export function spicePulse(
  problem: NetworkProblem,
  cells: readonly MemristorParameters[],
  states: ArrayLike<number>,
  { selected, width, moves }: { selected: number; width: number; moves: (cell: number) => boolean },
): number[] {
  const { columns, amplitude, beta } = problem;
  const netlist = each(problem, (r, c) => {
    const i = r * columns + c;
    const { ron, roff, von, voff, tau, vt, phi } = cells[i];
    const [x, v] = [`V(x${i})`, `V(a${r}_${c},b${r}_${c})`];
    const [low, span] = [phi / roff, phi * (1 / ron - 1 / roff)];
    const sigma = (u: string) => `1/(1+exp(-(${u})/${vt}))`;
    const on = sigma(`${v}-${von}`);
    const off = sigma(`-${v}-${voff}`);
    const rest = (threshold: number) => 1 / (1 + Math.exp(threshold / vt));
    const rate =
      i === selected
        ? `(${on}*(1-${x})-${off}*${x})/${tau}`
        : `(${v} > 0 ? (${on}-${rest(von)})*(1-${x})/${tau} : -(${off}-${rest(voff)})*${x}/${tau})`;
    return [
      `Bc${i} a${r}_${c} b${r}_${c} I=(${low}+${span}*${x})*${v}+${amplitude}*sinh(${beta}*${v})`,
      `Cx${i} x${i} 0 1`,
      `Bx${i} 0 x${i} I=${moves(i) ? rate : '0'}`,
      `.ic v(x${i})=${states[i]}`,
    ];
  });
  return run(
    [...lines(problem), ...netlist.flat()],
    ['option reltol=1e-6', `tran ${width / 1000} ${width} 0 ${width / 1000}`],
    cells.map((_, i) => `v(x${i})`),
  );
}
