// The resistive network of one crossbar (AssemblyScript, SIMD, float64); the host is ../network.ts, the readable
// reference ../reference.ts.
//
// Each cell sits between a node of its row's wire and a node of its column's wire. Along a wire the nodes form a ladder
// (tridiagonal), which is solved exactly. The rows are eliminated, S = Pb − G·Pa⁻¹·G on the column nodes is left, with
// Pa, Pb the ladders loaded by the cells' slopes G, and conjugate gradients solve it with Pb as preconditioner. As wires
// conduct far better than cells, S is near Pb, and each step gains one to three digits.
//
// A cell carries W·v + s·sinh(beta·v) = G·v + E(v): G is its slope at the point of linearisation, E what is left.
//
// Arrays are rows of CP doubles, CP even; rows are padded to RP, a multiple of 4. What is padded stays 0.

import { add, all, begin, holdUpTo, mul, sub, sum } from './lanes';

let R: i32 = 0;
let C: i32 = 0;
let RP: i32 = 0;
let CP: i32 = 0;
let ROW: usize = 0;
let SIZE: usize = 0;

/** Wire between neighbours, S. */
let WIRE: f64 = 0;
let AMPLITUDE: f64 = 0;
let BETA: f64 = 0;
/** sinh is found at 2^−HALVINGS of its argument. */
let HALVINGS: i32 = 0;

// Arrays.
let W: usize = 0; // switches of the cells, S
let G: usize = 0; // slopes of the cells, S
let RA: usize = 0; // inverse pivots of the row ladders, pairs of rows interleaved
let CB: usize = 0; // inverse pivots of the column ladders
let B: usize = 0; // column nodes, V
let E: usize = 0; // excess currents, A
let V: usize = 0; // voltages across the cells, V
let X: usize = 0; // column nodes of a response, V/A
let D: usize = 0; // voltages of a response, V/A
let T: usize = 0; // transfer matrix, S
let RES: usize = 0;
let P: usize = 0;
let Z: usize = 0;
// Vectors.
let GD: usize = 0; // row ends, S
let VA: usize = 0; // row sources, V
let GS: usize = 0; // column ends, S
let VB: usize = 0; // column sources, V
let OUT: usize = 0; // of each column
// Four rows.
let F: usize = 0;
let Q: usize = 0;
let ZB: usize = 0; // one row
let U0: usize = 0;
let U1: usize = 0;

/** Of the last `field`: power in the cells' slopes, W, and how much the excess changed, as a share of the currents, squared. */
let power: f64 = 0;
let change: f64 = 0;

/** Lays the network out in the memory, which grows to hold it; all is 0. */
export function layOut(rows: i32, columns: i32, wire: f64, amplitude: f64, beta: f64): void {
  R = rows;
  C = columns;
  RP = (rows + 3) & ~3;
  CP = (columns + 1) & ~1;
  ROW = (<usize>CP) << 3;
  SIZE = ROW * <usize>RP;
  WIRE = wire;
  AMPLITUDE = amplitude;
  BETA = beta;
  let at = begin();
  W = at; at += SIZE;
  G = at; at += SIZE;
  RA = at; at += SIZE;
  CB = at; at += SIZE;
  B = at; at += SIZE;
  E = at; at += SIZE;
  V = at; at += SIZE;
  X = at; at += SIZE;
  D = at; at += SIZE;
  T = at; at += SIZE;
  RES = at; at += SIZE;
  P = at; at += SIZE;
  Z = at; at += SIZE;
  GD = at; at += (<usize>RP) << 3;
  VA = at; at += (<usize>RP) << 3;
  GS = at; at += ROW;
  VB = at; at += ROW;
  OUT = at; at += ROW;
  F = at; at += 4 * ROW;
  Q = at; at += 4 * ROW;
  ZB = at; at += ROW;
  U0 = at; at += 2 * ROW;
  U1 = at; at += 2 * ROW;
  holdUpTo(at);
}

export function switches(): usize { return W; }
export function slopes(): usize { return G; }
export function voltages(): usize { return V; }
export function responses(): usize { return D; }
export function rowEnds(): usize { return GD; }
export function rowSources(): usize { return VA; }
export function columnEnds(): usize { return GS; }
export function columnSources(): usize { return VB; }
export function output(): usize { return OUT; }
export function stride(): i32 { return CP; }

/** Up to it the series of sinh and cosh hold to 1e-11. */
const LARGEST: f64 = 1.6000001;

@inline function sinhSeries(y: v128, y2: v128): v128 {
  let t = add(all(1), mul(y2, all(1.0 / 210)));
  t = add(all(1), mul(mul(y2, all(1.0 / 156)), t));
  t = add(all(1), mul(mul(y2, all(1.0 / 110)), t));
  t = add(all(1), mul(mul(y2, all(1.0 / 72)), t));
  t = add(all(1), mul(mul(y2, all(1.0 / 42)), t));
  t = add(all(1), mul(mul(y2, all(1.0 / 20)), t));
  t = add(all(1), mul(mul(y2, all(1.0 / 6)), t));
  return mul(y, t);
}
@inline function coshSeries(y2: v128): v128 {
  let t = add(all(1), mul(y2, all(1.0 / 240)));
  t = add(all(1), mul(mul(y2, all(1.0 / 182)), t));
  t = add(all(1), mul(mul(y2, all(1.0 / 132)), t));
  t = add(all(1), mul(mul(y2, all(1.0 / 90)), t));
  t = add(all(1), mul(mul(y2, all(1.0 / 56)), t));
  t = add(all(1), mul(mul(y2, all(1.0 / 30)), t));
  t = add(all(1), mul(mul(y2, all(1.0 / 12)), t));
  return add(all(1), mul(mul(y2, all(0.5)), t));
}
@inline function scaleOfArgument(): v128 { return all(BETA / <f64>(1 << HALVINGS)); }
@inline function sinhOf(v: v128): v128 {
  const y = mul(v, scaleOfArgument());
  const y2 = mul(y, y);
  let s = sinhSeries(y, y2);
  if (HALVINGS == 0) return s;
  let c = coshSeries(y2);
  for (let k = 0; k < HALVINGS; k++) {
    const next = mul(mul(all(2), s), c);
    c = add(all(1), mul(mul(all(2), s), s));
    s = next;
  }
  return s;
}
@inline function coshOf(v: v128): v128 {
  const y = mul(v, scaleOfArgument());
  const y2 = mul(y, y);
  let c = coshSeries(y2);
  if (HALVINGS == 0) return c;
  let s = sinhSeries(y, y2);
  for (let k = 0; k < HALVINGS; k++) {
    const next = mul(mul(all(2), s), c);
    c = add(all(1), mul(mul(all(2), s), s));
    s = next;
  }
  return c;
}

/** Largest voltage that a cell can see from now on, V. */
export function setRange(range: f64): void {
  HALVINGS = 0;
  if (AMPLITUDE > 0) for (let y = BETA * range; y > LARGEST; y *= 0.5) HALVINGS++;
}

/** Linearises the cells at 0 V, or at the voltages of the last solution, which stays one. */
export function linearise(atVoltages: bool): void {
  const slope = AMPLITUDE * BETA;
  for (let r = 0; r < R; r++) {
    const row = <usize>r * ROW;
    for (let at = row; at < row + ROW; at += 16) {
      const w = v128.load(W + at);
      if (!atVoltages || AMPLITUDE == 0) {
        v128.store(G + at, add(w, all(slope)));
        continue;
      }
      const v = v128.load(V + at);
      const g = add(w, mul(all(slope), coshOf(v)));
      v128.store(G + at, g);
      v128.store(E + at, add(mul(all(AMPLITUDE), sinhOf(v)), mul(sub(w, g), v)));
    }
    if (CP > C) f64.store(G + row + ((<usize>C) << 3), 0);
  }
  factor();
}

/** Inverse pivots of two neighbouring rows in one column. */
@inline function pivot(c: i32, g: usize, ends: usize, onward: f64, before: v128): v128 {
  const d = add(f64x2.replace_lane(all(f64.load(g)), 1, f64.load(g + ROW)), all(onward));
  const here = c == 0 ? v128.load(ends) : sub(all(WIRE), mul(all(WIRE * WIRE), before));
  return f64x2.div(all(1), add(d, here));
}

function factor(): void {
  const wire = WIRE;
  const last = C - 1;
  const pair = ROW << 1;
  for (let r = 0; r < RP; r += 4) {
    const g = G + <usize>r * ROW;
    const out = RA + <usize>r * ROW;
    const ends = GD + ((<usize>r) << 3);
    let u = all(0);
    let w = all(0);
    for (let c = 0; c < C; c++) {
      const at = (<usize>c) << 3;
      const onward = c < last ? wire : 0;
      u = pivot(c, g + at, ends, onward, u);
      w = pivot(c, g + pair + at, ends + 16, onward, w);
      v128.store(out + (at << 1), u);
      v128.store(out + pair + (at << 1), w);
    }
  }
  // What is padded stays at rest.
  for (let r = R; r < RP; r++)
    for (let c = 0; c < C; c++)
      f64.store(RA + <usize>(r & ~1) * ROW + ((<usize>c) << 4) + ((<usize>(r & 1)) << 3), 0);
  for (let r = 0; r < R; r++) {
    const row = <usize>r * ROW;
    for (let at: usize = 0; at < ROW; at += 16) {
      let d = v128.load(G + row + at);
      if (r > 0) d = add(d, sub(all(wire), mul(all(wire * wire), v128.load(CB + row + at - ROW))));
      d = add(d, r < R - 1 ? all(wire) : v128.load(GS + at));
      let inverse = f64x2.div(all(1), d);
      if (CP > C && at + 16 == ROW) inverse = f64x2.replace_lane(inverse, 1, 0);
      v128.store(CB + row + at, inverse);
    }
  }
}

/** to = Pa⁻¹ from, for rows r to r + 3; both are blocks of four rows. */
function rowBlock(from: usize, to: usize, r: i32): void {
  const ra0 = RA + <usize>r * ROW;
  const ra1 = ra0 + 2 * ROW;
  const from1 = from + ROW;
  const from2 = from1 + ROW;
  const from3 = from2 + ROW;
  const wire = all(WIRE);
  let u = all(0);
  let w = all(0);
  for (let at: usize = 0; at < ROW; at += 16) {
    const in0 = v128.load(from + at);
    const in1 = v128.load(from1 + at);
    const in2 = v128.load(from2 + at);
    const in3 = v128.load(from3 + at);
    const p = at << 1;
    let ra = v128.load(ra0 + p);
    let rb = v128.load(ra1 + p);
    u = add(mul(v128.shuffle<i64>(in0, in1, 0, 2), ra), mul(mul(wire, ra), u));
    w = add(mul(v128.shuffle<i64>(in2, in3, 0, 2), rb), mul(mul(wire, rb), w));
    v128.store(U0 + p, u);
    v128.store(U1 + p, w);
    ra = v128.load(ra0 + p, 16);
    rb = v128.load(ra1 + p, 16);
    u = add(mul(v128.shuffle<i64>(in0, in1, 1, 3), ra), mul(mul(wire, ra), u));
    w = add(mul(v128.shuffle<i64>(in2, in3, 1, 3), rb), mul(mul(wire, rb), w));
    v128.store(U0 + p, u, 16);
    v128.store(U1 + p, w, 16);
  }
  u = all(0);
  w = all(0);
  for (let at: usize = ROW; at > 0; ) {
    at -= 16;
    const p = at << 1;
    const u1 = add(v128.load(U0 + p, 16), mul(mul(wire, v128.load(ra0 + p, 16)), u));
    const w1 = add(v128.load(U1 + p, 16), mul(mul(wire, v128.load(ra1 + p, 16)), w));
    u = add(v128.load(U0 + p), mul(mul(wire, v128.load(ra0 + p)), u1));
    w = add(v128.load(U1 + p), mul(mul(wire, v128.load(ra1 + p)), w1));
    v128.store(to + at, v128.shuffle<i64>(u, u1, 0, 2));
    v128.store(to + ROW + at, v128.shuffle<i64>(u, u1, 1, 3));
    v128.store(to + 2 * ROW + at, v128.shuffle<i64>(w, w1, 0, 2));
    v128.store(to + 3 * ROW + at, v128.shuffle<i64>(w, w1, 1, 3));
  }
}

/**
 * Brings rows, cell voltages and excess up to the column nodes B, and finds what then flows into each column node
 * and not out of it.
 */
function field(): void {
  const curved = AMPLITUDE > 0;
  const amplitude = all(AMPLITUDE);
  let watts = all(0);
  let moved = all(0);
  let flows = all(0);
  for (let r = 0; r < R; r += 4) {
    const block = <usize>r * ROW;
    const end = block + 4 * ROW;
    for (let at = block; at < end; at += 16)
      v128.store(F + at - block, sub(mul(v128.load(G + at), v128.load(B + at)), v128.load(E + at)));
    for (let k = 0; k < 4; k++) {
      const first = F + <usize>k * ROW;
      const line = (<usize>(r + k)) << 3;
      f64.store(first, f64.load(first) + f64.load(GD + line) * f64.load(VA + line));
    }
    rowBlock(F, Q, r);
    if (curved) {
      for (let at = block; at < end; at += 16) {
        const e = v128.load(E + at);
        const v = sub(v128.load(Q + at - block), v128.load(B + at));
        const now = add(mul(amplitude, sinhOf(v)), mul(sub(v128.load(W + at), v128.load(G + at)), v));
        const delta = sub(now, e);
        v128.store(E + at, now);
        v128.store(V + at, v);
        v128.store(F + at - block, delta);
        moved = add(moved, mul(delta, delta));
      }
      rowBlock(F, Q, r);
      for (let at = block; at < end; at += 16) {
        const v = sub(v128.load(V + at), v128.load(Q + at - block));
        const i = mul(v128.load(G + at), v);
        v128.store(V + at, v);
        watts = add(watts, mul(i, v));
        flows = add(flows, mul(i, i));
      }
    } else {
      for (let at = block; at < end; at += 16) {
        const v = sub(v128.load(Q + at - block), v128.load(B + at));
        v128.store(V + at, v);
        watts = add(watts, mul(v128.load(G + at), mul(v, v)));
      }
    }
    for (let k = r; k < min(r + 4, R); k++) currentsLeft(k);
  }
  power = sum(watts);
  change = curved ? sum(moved) / max(sum(flows), 1e-300) : 0;
}

function currentsLeft(r: i32): void {
  const wire = all(WIRE);
  const row = <usize>r * ROW;
  for (let at: usize = 0; at < ROW; at += 16) {
    const b = v128.load(B + row + at);
    let i = add(v128.load(E + row + at), mul(v128.load(G + row + at), v128.load(V + row + at)));
    if (r > 0) i = sub(i, mul(wire, sub(b, v128.load(B + row + at - ROW))));
    i = r < R - 1
      ? sub(i, mul(wire, sub(b, v128.load(B + row + at + ROW))))
      : sub(i, mul(v128.load(GS + at), sub(b, v128.load(VB + at))));
    v128.store(RES + row + at, i);
  }
  // A padded column has a ladder of its own, which stays at rest.
  if (CP > C) f64.store(RES + row + ((<usize>C) << 3), 0);
}

/** RES −= alpha·Z and x += alpha·P, then Z = the first half of Pb⁻¹·RES. Returns RES·Pb⁻¹·RES. */
function columnStep(alpha: f64, x: usize): f64 {
  const wire = all(WIRE);
  const a = all(alpha);
  let dot = all(0);
  for (let r = 0; r < R; r++) {
    const row = <usize>r * ROW;
    for (let at = row; at < row + ROW; at += 16) {
      let res = v128.load(RES + at);
      if (alpha != 0) {
        v128.store(x + at, add(v128.load(x + at), mul(a, v128.load(P + at))));
        res = sub(res, mul(a, v128.load(Z + at)));
        v128.store(RES + at, res);
      }
      if (r > 0) res = add(res, mul(wire, v128.load(Z + at - ROW)));
      const u = mul(res, v128.load(CB + at));
      v128.store(Z + at, u);
      dot = add(dot, mul(u, res));
    }
  }
  return sum(dot);
}

/** The second half of Pb⁻¹·RES for one row, from below upwards: P = it + beta·P. */
function nextDirection(r: i32, beta: f64): void {
  const wire = all(WIRE);
  const by = all(beta);
  const row = <usize>r * ROW;
  for (let at: usize = 0; at < ROW; at += 16) {
    let z = v128.load(Z + row + at);
    if (r < R - 1) z = add(z, mul(mul(wire, v128.load(CB + row + at)), v128.load(ZB + at)));
    v128.store(ZB + at, z);
    v128.store(P + row + at, beta == 0 ? z : add(z, mul(by, v128.load(P + row + at))));
  }
}

/** Z = S·P for the real rows of a block. Returns their part of P·Z. */
function apply(r: i32): f64 {
  const wire = all(WIRE);
  const block = <usize>r * ROW;
  for (let at = block; at < block + 4 * ROW; at += 16)
    v128.store(F + at - block, mul(v128.load(G + at), v128.load(P + at)));
  rowBlock(F, Q, r);
  let dot = all(0);
  for (let k = r; k < min(r + 4, R); k++) {
    const row = <usize>k * ROW;
    for (let at: usize = 0; at < ROW; at += 16) {
      const here = row + at;
      const p = v128.load(P + here);
      let z = mul(v128.load(G + here), sub(p, v128.load(Q + here - block)));
      if (k > 0) z = add(z, mul(wire, sub(p, v128.load(P + here - ROW))));
      z = add(z, k < R - 1 ? mul(wire, sub(p, v128.load(P + here + ROW))) : mul(v128.load(GS + at), p));
      v128.store(Z + here, z);
      dot = add(dot, mul(z, p));
    }
  }
  return sum(dot);
}

/** P = Pb⁻¹·RES + beta·P and Z = S·P. Returns P·Z. */
function direction(beta: f64): f64 {
  let dot = 0.0;
  const last = (R - 1) & ~3;
  for (let r = last; r >= 0; r -= 4) {
    for (let k = min(r + 3, R - 1); k >= r; k--) nextDirection(k, beta);
    // A block needs the row above it.
    if (r < last) dot += apply(r + 4);
  }
  return dot + apply(0);
}

/** Moves x until RES·Pb⁻¹·RES, `first` at the start, is at most `target`. Returns the number of steps. */
function conjugateGradients(x: usize, first: f64, target: f64, most: i32): i32 {
  let left = first;
  let before = 0.0;
  let k = 0;
  for (; left > target && k < most; k++) {
    const dot = direction(k == 0 ? 0 : left / before);
    if (dot <= 0) break;
    before = left;
    left = columnStep(left / dot, x);
  }
  return k;
}

export function rest(): void {
  memory.fill(B, 0, SIZE);
  memory.fill(E, 0, SIZE);
}

/**
 * Solves the network from the last solution (`rest`: from 0 V) until the error of the voltages, weighted by the cells'
 * power, is `tolerance`. `voltages`: whether those of the cells are wanted too. Returns the number of steps, −1 where it
 * did not converge.
 */
export function solve(tolerance: f64, voltages: bool, most: i32): i32 {
  const limit = tolerance * tolerance;
  let steps = 0;
  let before = 0.0;
  field();
  for (let k = 0; k < 60; k++) {
    let left = columnStep(0, B);
    if (left <= limit * power && change <= limit) return steps;
    if (steps >= most) return -1;
    const gain = before > 0 ? change / before : 1;
    if (k > 1 && change > limit && gain > 0.01) {
      // The chord gains less than a digit.
      linearise(true);
      field();
      left = columnStep(0, B);
      before = 0;
    } else before = change;
    // What is left of the excess after these steps.
    const next = change * min(gain, 1);
    const done = next <= 100 * limit;
    const target = done ? limit : max(limit, 0.01 * next);
    steps += conjugateGradients(B, left, target * power, most - steps);
    if (done && !voltages) return steps;
    field();
  }
  return -1;
}

/** Currents of the cells of each column, A, into OUT: what leaves the column, and what is still left at its nodes. */
export function columnCurrents(): void {
  const last = <usize>(R - 1) * ROW;
  for (let at: usize = 0; at < ROW; at += 16)
    v128.store(OUT + at, mul(v128.load(GS + at), sub(v128.load(B + last + at), v128.load(VB + at))));
  for (let row: usize = 0; row <= last; row += ROW)
    for (let at: usize = 0; at < ROW; at += 16)
      v128.store(OUT + at, add(v128.load(OUT + at), v128.load(RES + row + at)));
}

/**
 * After `transfer`, whose currents are in OUT: the sum of the squares of the cells' currents in each column, A², all of a
 * column taken to lose the same share.
 */
export function transferSquares(): void {
  for (let at: usize = 0; at < ROW; at += 16) {
    let flow = all(1e-300);
    let squares = all(0);
    for (let r = 0; r < R; r++) {
      const i = mul(v128.load64_splat(VA + ((<usize>r) << 3)), v128.load(G + <usize>r * ROW + at));
      flow = add(flow, i);
      squares = add(squares, mul(i, i));
    }
    const kept = f64x2.div(v128.load(OUT + at), flow);
    v128.store(OUT + at, mul(squares, mul(kept, kept)));
  }
}

/** Sum of the squares of the cells' currents in each column, A², into OUT. */
export function columnSquares(): void {
  memory.fill(OUT, 0, ROW);
  for (let r = 0; r < R; r++) {
    const row = <usize>r * ROW;
    for (let at: usize = 0; at < ROW; at += 16) {
      const i = add(v128.load(E + row + at), mul(v128.load(G + row + at), v128.load(V + row + at)));
      v128.store(OUT + at, add(v128.load(OUT + at), mul(i, i)));
    }
  }
}

/** Voltages across all cells for 1 A drawn through one, in the linearised network with all sources at 0, into D. */
export function respond(row: i32, column: i32, tolerance: f64, most: i32): i32 {
  const cell = <usize>row * ROW + ((<usize>column) << 3);
  const r = row & ~3;
  const block = <usize>r * ROW;
  memory.fill(X, 0, SIZE);
  memory.fill(RES, 0, SIZE);
  memory.fill(F, 0, 4 * ROW);
  f64.store(F + cell - block, -1);
  rowBlock(F, Q, r);
  for (let at = block; at < block + 4 * ROW; at += 16)
    v128.store(RES + at, mul(v128.load(G + at), v128.load(Q + at - block)));
  f64.store(RES + cell, f64.load(RES + cell) + 1);
  const first = columnStep(0, X);
  const steps = conjugateGradients(X, first, tolerance * tolerance * first, most);
  for (let k = 0; k < R; k += 4) {
    const at4 = <usize>k * ROW;
    for (let at = at4; at < at4 + 4 * ROW; at += 16)
      v128.store(F + at - at4, mul(v128.load(G + at), v128.load(X + at)));
    if (k == r) f64.store(F + cell - block, f64.load(F + cell - block) - 1);
    rowBlock(F, Q, k);
    for (let at = at4; at < at4 + 4 * ROW; at += 16)
      v128.store(D + at, sub(v128.load(Q + at - at4), v128.load(X + at)));
  }
  return steps;
}

/** Keeps OUT as row r of the transfer matrix. */
export function keep(r: i32): void {
  memory.copy(T + <usize>r * ROW, OUT, ROW);
}

/** OUT = T transposed times the row sources. */
export function transfer(): void {
  for (let at: usize = 0; at < ROW; at += 16) v128.store(OUT + at, all(0));
  let at: usize = 0;
  for (; at + 64 <= ROW; at += 64) {
    let a = all(0);
    let b = all(0);
    let c = all(0);
    let d = all(0);
    let from = T + at;
    for (let r = 0; r < R; r++) {
      const v = v128.load64_splat(VA + ((<usize>r) << 3));
      a = add(a, mul(v, v128.load(from)));
      b = add(b, mul(v, v128.load(from, 16)));
      c = add(c, mul(v, v128.load(from, 32)));
      d = add(d, mul(v, v128.load(from, 48)));
      from += ROW;
    }
    v128.store(OUT + at, a);
    v128.store(OUT + at, b, 16);
    v128.store(OUT + at, c, 32);
    v128.store(OUT + at, d, 48);
  }
  for (; at < ROW; at += 16) {
    let a = all(0);
    for (let r = 0; r < R; r++)
      a = add(a, mul(v128.load64_splat(VA + ((<usize>r) << 3)), v128.load(T + <usize>r * ROW + at)));
    v128.store(OUT + at, a);
  }
}
