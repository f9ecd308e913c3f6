// Products of one crossbar with its wires to first order (AssemblyScript, SIMD, float64); the host is ../first-order.ts,
// the readable reference is in ../reference.ts.
//
// Arrays are rows of FCP doubles, FCP a multiple of 4; what is padded conducts nothing.

import { add, all, begin, holdUpTo, mul, sub } from './lanes';

let FR: i32 = 0;
let FC: i32 = 0;
let FROW: usize = 0;
let SEGMENT: f64 = 0;

let CELLS: usize = 0; // switches of the cells, S
let ALONG: usize = 0; // drop along a row at 1 V, for 1 Ω a segment, S
let UNIT: usize = 0; // the same of cells of 1 S, one row
let LEVELS: usize = 0; // row voltages, V
let BESIDE: usize = 0; // what the current beside the switches adds to the cells of a row, S
let SUMS: usize = 0; // column currents, A
let SQUARES: usize = 0; // sums of the squares of the cells' currents, A²

/** Lays the arrays out in the memory, which grows to hold them; all is 0. */
export function firstOrder(rows: i32, columns: i32, segment: f64): void {
  FR = rows;
  FC = columns;
  SEGMENT = segment;
  FROW = (<usize>((columns + 3) & ~3)) << 3;
  const size = FROW * <usize>rows;
  let at = begin();
  CELLS = at; at += size;
  ALONG = at; at += size;
  UNIT = at; at += FROW;
  SUMS = at; at += FROW;
  SQUARES = at; at += FROW;
  LEVELS = at; at += (<usize>rows) << 3;
  BESIDE = at; at += (<usize>rows) << 3;
  holdUpTo(at);
  let along: f64 = 0;
  for (let c = 0; c < columns; c++) {
    along += <f64>(columns - c);
    f64.store(UNIT + ((<usize>c) << 3), along);
  }
}

export function cells(): usize { return CELLS; }
export function cellsStride(): i32 { return <i32>(FROW >> 3); }
export function levels(): usize { return LEVELS; }
export function beside(): usize { return BESIDE; }
export function columnSums(): usize { return SUMS; }
export function columnSquareSums(): usize { return SQUARES; }

/** Takes the cells of a row as they are now. */
export function takeRow(r: i32): void {
  const row = CELLS + <usize>r * FROW;
  const alongRow = ALONG + <usize>r * FROW;
  const end = (<usize>FC) << 3;
  let onward: f64 = 0;
  for (let at: usize = 0; at < end; at += 8) onward += f64.load(row + at);
  let along: f64 = 0;
  for (let at: usize = 0; at < end; at += 8) {
    along += onward;
    onward -= f64.load(row + at);
    f64.store(alongRow + at, along);
  }
}

/** Column currents and the sums of the squares of their cells', with the rows at `levels`. */
export function firstOrderProduct(): void {
  const segment = all(SEGMENT);
  for (let at: usize = 0; at < FROW; at += 32) {
    // What each column's wire loses in all, from the top down.
    let carried0 = all(0);
    let carried1 = carried0;
    let lost0 = carried0;
    let lost1 = carried0;
    let from = CELLS + at;
    if (SEGMENT != 0)
      for (let r: usize = 0; r < <usize>FR; r++) {
        const v = v128.load64_splat(LEVELS + (r << 3));
        const s = v128.load64_splat(BESIDE + (r << 3));
        carried0 = add(carried0, mul(v, add(v128.load(from), s)));
        carried1 = add(carried1, mul(v, add(v128.load(from, 16), s)));
        lost0 = add(lost0, carried0);
        lost1 = add(lost1, carried1);
        from += FROW;
      }
    const unit0 = v128.load(UNIT + at);
    const unit1 = v128.load(UNIT + at, 16);
    carried0 = all(0);
    carried1 = carried0;
    let sum0 = carried0;
    let sum1 = carried0;
    let squares0 = carried0;
    let squares1 = carried0;
    from = CELLS + at;
    let along = ALONG + at;
    for (let r: usize = 0; r < <usize>FR; r++) {
      const v = v128.load64_splat(LEVELS + (r << 3));
      const s = v128.load64_splat(BESIDE + (r << 3));
      const g0 = add(v128.load(from), s);
      const g1 = add(v128.load(from, 16), s);
      const row0 = mul(v, add(v128.load(along), mul(s, unit0)));
      const row1 = mul(v, add(v128.load(along, 16), mul(s, unit1)));
      const i0 = mul(sub(v, mul(segment, add(row0, lost0))), g0);
      const i1 = mul(sub(v, mul(segment, add(row1, lost1))), g1);
      carried0 = add(carried0, mul(v, g0));
      carried1 = add(carried1, mul(v, g1));
      lost0 = sub(lost0, carried0);
      lost1 = sub(lost1, carried1);
      sum0 = add(sum0, i0);
      sum1 = add(sum1, i1);
      squares0 = add(squares0, mul(i0, i0));
      squares1 = add(squares1, mul(i1, i1));
      from += FROW;
      along += FROW;
    }
    v128.store(SUMS + at, sum0);
    v128.store(SUMS + at, sum1, 16);
    v128.store(SQUARES + at, squares0);
    v128.store(SQUARES + at, squares1, 16);
  }
}
