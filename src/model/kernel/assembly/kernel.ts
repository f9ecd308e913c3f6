// The kernel (AssemblyScript, SIMD): dense layers, MIF layers, loss and Adam, all on addresses that the
// host lays out in a shared memory (see ../engine.ts). No state and no allocation here, so any number of
// threads may run it on the same memory. Equations and integrators: ../mif.ts, the readable reference.
//
// Dense layers are row-major and padded to multiples of four floats in every dimension, rows being
// samples. MIF layers work on four samples at once, one a lane: a vector holds one neuron's value in four
// samples. A trajectory is rows of steps + 1 states, each neurons × (v, x1, x2) vectors. Convolutions: ./convolution.ts.

export * from './convolution';

const V: usize = 16;
const STATE: usize = 48;

// One neuron's constants, f32, in this order (host: `neuronConstants`).
const MINUS_INV_K: usize = 0;
const C1: usize = 4;
const Q1: usize = 8;
const C2: usize = 12;
const Q2: usize = 16;
const H: usize = 20;
const KAPPA: usize = 24;
const G0: usize = 28;
const GS: usize = 32;
const E1: usize = 36;
const E2: usize = 40;
const BEFORE: usize = 44;
const AFTER: usize = 48;
const KEEP: usize = 52;
const GAIN: usize = 56;
const MEAN_KEEP: usize = 60;
const MEAN_GAIN: usize = 64;
const LARGEST_U: usize = 68;

const FORWARD_EULER: i32 = 0;
const SEMI_IMPLICIT: i32 = 1;
const EXPONENTIAL: i32 = 2;

@inline function add(a: v128, b: v128): v128 { return f32x4.add(a, b); }
@inline function sub(a: v128, b: v128): v128 { return f32x4.sub(a, b); }
@inline function mul(a: v128, b: v128): v128 { return f32x4.mul(a, b); }
@inline function div(a: v128, b: v128): v128 { return f32x4.div(a, b); }
@inline function all(a: f32): v128 { return f32x4.splat(a); }
@inline function splat(address: usize, offset: usize): v128 { return v128.load32_splat(address + offset); }

// Numbers used in inner loops, read from memory: a load is cheaper than building a vector constant.
const NUMBERS = memory.data<f32>([
  1.0, -87.0, 87.0, 12582912.0, 1.44269504088896341, 0.693359375, -2.12194440e-4, 1.9875691500e-4, 1.3981999507e-3,
  8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1, 1000.0, -0.5, 0.08333333333, -0.001388888889,
  3.306878307e-5, 1.984126984e-4, 8.333333333e-3, -4.166666667e-2, 1.666666667e-1, -40.0,
]);
@inline function number(index: usize): v128 { return v128.load32_splat(NUMBERS + (index << 2)); }
@inline function one4(): v128 { return number(0); }

// e^x to 1 ulp or so (Cody–Waite reduction, the polynomial of Cephes' expf); saturates outside ±87.
@inline
function exp4(x: v128): v128 {
  const bounded = f32x4.pmin(f32x4.pmax(x, number(1)), number(2));
  const shifted = add(mul(bounded, number(4)), number(3));
  const n = sub(shifted, number(3));
  const r = sub(sub(bounded, mul(n, number(5))), mul(n, number(6)));
  let p = add(mul(number(7), r), number(8));
  p = add(mul(p, r), number(9));
  p = add(mul(p, r), number(10));
  p = add(mul(p, r), number(11));
  p = add(mul(p, r), number(12));
  p = add(add(mul(p, mul(r, r)), r), number(0));
  return i32x4.add(p, i32x4.shl(shifted, 23));
}

// ln x for normal x > 0 (the polynomial of Cephes' logf).
@inline
function log4(x: v128): v128 {
  const bits = i32x4.sub(x, i32x4.splat(0x3f3504f3)); // sqrt(1/2)
  const e = i32x4.shr_s(bits, 23);
  const m = sub(i32x4.sub(x, i32x4.shl(e, 23)), all(1.0));
  const n = f32x4.convert_i32x4_s(e);
  let p = add(mul(all(7.0376836292e-2), m), all(-1.1514610310e-1));
  p = add(mul(p, m), all(1.1676998740e-1));
  p = add(mul(p, m), all(-1.2420140846e-1));
  p = add(mul(p, m), all(1.4249322787e-1));
  p = add(mul(p, m), all(-1.6668057665e-1));
  p = add(mul(p, m), all(2.0000714765e-1));
  p = add(mul(p, m), all(-2.4999993993e-1));
  p = add(mul(p, m), all(3.3333331174e-1));
  const z = mul(m, m);
  let y = mul(mul(p, z), m);
  y = add(y, mul(n, all(-2.12194440e-4)));
  y = sub(y, mul(z, all(0.5)));
  return add(add(m, y), mul(n, all(0.693359375)));
}

// φ(z) = (1 − e^−z)/z for 0 ≤ z ≤ 0.5
@inline
function phi4(z: v128): v128 {
  let p = add(mul(z, number(18)), number(16));
  p = add(mul(p, z), number(19));
  p = add(mul(p, z), number(20));
  p = add(mul(p, z), number(21));
  p = add(mul(p, z), number(14));
  return add(mul(p, z), number(0));
}

// φ′(z)/φ(z) = 1/(e^z − 1) − 1/z for 0 ≤ z ≤ 0.5
@inline
function phiLogSlope4(z: v128): v128 {
  const z2 = mul(z, z);
  return add(number(14), mul(z, add(number(15), mul(z2, add(number(16), mul(z2, number(17)))))));
}

// Gate at u = e^(−v/k): on = 1/(1 + c u), off = q u/(1 + q u), over their common denominator.
@inline
function relax(kind: i32, x: v128, u: v128, c: v128, q: v128, h: v128): v128 {
  const one = one4();
  const cu1 = add(one, mul(c, u));
  const qu = mul(q, u);
  const on = add(one, qu);
  const denominator = mul(cu1, on);
  const rate = add(on, mul(qu, cu1));
  const pull = sub(on, mul(rate, x));
  if (kind == FORWARD_EULER) return add(x, div(mul(h, pull), denominator));
  if (kind == SEMI_IMPLICIT) return add(x, div(mul(h, pull), add(denominator, mul(h, rate))));
  const hInv = div(h, denominator);
  return add(x, mul(mul(hInv, pull), phi4(mul(hInv, rate))));
}

@inline
function forward(
  kind: i32, constants: usize, stride: usize, slots: usize, drives: usize, steps: usize, neurons: usize,
  trajectory: usize, alpha: usize, peaks: usize,
): void {
  const row = neurons * STATE;
  for (let t: usize = 0; t < steps; t++) {
    const slot = load<i32>(slots + (t << 2));
    const drive = drives + <usize>(slot < 0 ? 0 : slot) * neurons * V;
    for (let n: usize = 0; n < neurons; n++) {
      const p = constants + n * stride;
      const at = trajectory + t * row + n * STATE;
      const ai = alpha + n * (2 * V);
      const v = v128.load(at);
      const x1 = v128.load(at, 16);
      const x2 = v128.load(at, 32);

      let b = mul(splat(p, BEFORE), v128.load(ai));
      if (slot >= 0) b = add(b, v128.load(drive + n * V));
      const i = v128.load(ai, 16);
      const current = add(mul(splat(p, MEAN_KEEP), i), mul(splat(p, MEAN_GAIN), b));
      v128.store(ai, mul(splat(p, AFTER), b));
      v128.store(ai, add(mul(splat(p, KEEP), i), mul(splat(p, GAIN), b)), 16);

      const u = f32x4.pmin(exp4(mul(v, splat(p, MINUS_INV_K))), splat(p, LARGEST_U));
      const h = splat(p, H);
      const y1 = relax(kind, x1, u, splat(p, C1), splat(p, Q1), h);
      const y2 = relax(kind, x2, u, splat(p, C2), splat(p, Q2), h);
      const g0 = splat(p, G0);
      const gs = splat(p, GS);
      const g1 = add(g0, mul(gs, kind == EXPONENTIAL ? y1 : x1));
      const g2 = add(g0, mul(gs, kind == EXPONENTIAL ? y2 : x2));
      const g = add(g1, g2);
      const source = add(current, add(mul(g1, splat(p, E1)), mul(g2, splat(p, E2))));
      const pull = sub(source, mul(g, v));
      const kappa = splat(p, KAPPA);
      let w: v128;
      if (kind == FORWARD_EULER) w = add(v, mul(kappa, pull));
      else if (kind == SEMI_IMPLICIT) w = add(v, div(mul(kappa, pull), add(one4(), mul(kappa, g))));
      else w = add(v, mul(div(pull, g), sub(one4(), exp4(f32x4.neg(mul(kappa, g))))));
      v128.store(at + row, w);
      v128.store(at + row, y1, 16);
      v128.store(at + row, y2, 32);
      v128.store(peaks + n * V, f32x4.pmax(v128.load(peaks + n * V), w));
    }
  }
}

/**
 * Runs a MIF layer on four samples. `slots[t]` (i32) names the drive added at step t, −1 for none;
 * `drives` is slots × neurons vectors (A). Row 0 of `trajectory` and `alpha` (neurons × (a, i)) hold the
 * start; `peaks` (neurons vectors) is raised to the highest v.
 */
export function mifForward(
  kind: i32, constants: usize, stride: usize, slots: usize, drives: usize, steps: usize, neurons: usize,
  trajectory: usize, alpha: usize, peaks: usize,
): void {
  if (kind == FORWARD_EULER)
    forward(FORWARD_EULER, constants, stride, slots, drives, steps, neurons, trajectory, alpha, peaks);
  else if (kind == SEMI_IMPLICIT)
    forward(SEMI_IMPLICIT, constants, stride, slots, drives, steps, neurons, trajectory, alpha, peaks);
  else forward(EXPONENTIAL, constants, stride, slots, drives, steps, neurons, trajectory, alpha, peaks);
}

/**
 * Loss over one voltage a neuron (`apart` bytes apart) for four samples, and its gradient (1/V) into `row`
 * (neurons vectors): negative log-likelihood of the log-softmax over v × `perVolt`. `targets` (neurons vectors) are the wanted shares, all
 * zero in lanes that do not count; `weight` is scale × `perVolt` in lanes that count, else 0.
 */
@inline
function lossRow(
  at: usize, apart: usize, perVolt: v128, targets: usize, neurons: usize, weight: v128, row: usize,
): v128 {
  let top = v128.load(at);
  for (let n: usize = 1; n < neurons; n++) top = f32x4.pmax(top, v128.load(at + n * apart));
  let sum = all(0.0);
  let target = all(0.0);
  for (let n: usize = 0; n < neurons; n++) {
    // Beyond e^−40 nothing changes but the speed: denormal numbers are slow.
    const y = f32x4.pmax(mul(sub(v128.load(at + n * apart), top), perVolt), number(22));
    const e = exp4(y);
    sum = add(sum, e);
    target = add(target, mul(v128.load(targets + n * V), mul(sub(v128.load(at + n * apart), top), perVolt)));
    v128.store(row + n * V, e);
  }
  const scaled = div(weight, sum);
  for (let n: usize = 0; n < neurons; n++)
    v128.store(row + n * V, sub(mul(v128.load(row + n * V), scaled), mul(v128.load(targets + n * V), weight)));
  return sub(log4(sum), target);
}

@inline
function backward(
  kind: i32, constants: usize, stride: usize, slots: usize, driveBars: usize, steps: usize, neurons: usize,
  trajectory: usize, bars: usize, voltageBars: usize, labels: usize, smoothing: f32, scale: f32, losses: usize,
  scratch: usize, decision: f32, peaks: usize,
  perVolt: f32,
): void {
  const row = neurons * STATE;
  const targets = scratch + neurons * V;
  let live = all(0.0);
  if (labels != 0) {
    const classes = v128.load(labels);
    live = i32x4.ge_s(classes, i32x4.splat(0));
    const even = v128.and(all(smoothing / <f32>neurons), live);
    for (let n: usize = 0; n < neurons; n++)
      v128.store(targets + n * V, add(even, v128.and(all(1.0 - smoothing), i32x4.eq(classes, i32x4.splat(<i32>n)))));
  }
  const weight = v128.and(all(scale * 1000.0), live);
  let loss = all(0.0);
  const decides = labels != 0 && decision > 0;
  const peakBars = targets + neurons * V;
  if (decides)
    loss = mul(
      all(decision / scale),
      lossRow(peaks, V, all(perVolt), targets, neurons, v128.and(all(decision * perVolt), live), peakBars),
    );
  const one = one4();
  for (let t: isize = <isize>steps - 1; t >= 0; t--) {
    let vRow = voltageBars + <usize>t * neurons * V;
    if (labels != 0) {
      loss = add(loss, lossRow(trajectory + <usize>(t + 1) * row, STATE, number(13), targets, neurons, weight, scratch));
      vRow = scratch;
    }
    const slot = load<i32>(slots + (<usize>t << 2));
    const drive = driveBars + <usize>(slot < 0 ? 0 : slot) * neurons * V;
    for (let n: usize = 0; n < neurons; n++) {
      const p = constants + n * stride;
      const at = trajectory + <usize>t * row + n * STATE;
      const bar = bars + n * (5 * V);
      const v = v128.load(at);
      const x1 = v128.load(at, 16);
      const x2 = v128.load(at, 32);
      const y1 = v128.load(at + row, 16);
      const y2 = v128.load(at + row, 32);
      let vBar = add(v128.load(bar, 32), v128.load(vRow + n * V));
      if (decides) {
        // The highest v takes its gradient when it is met, and only once.
        const there = f32x4.eq(v128.load(at + row), v128.load(peaks + n * V));
        const peakBar = v128.load(peakBars + n * V);
        vBar = add(vBar, v128.and(peakBar, there));
        v128.store(peakBars + n * V, v128.andnot(peakBar, there));
      }

      // v⁺ = v + gain·(current + g1 e1 + g2 e2 − g v)
      const gs = splat(p, GS);
      const kappa = splat(p, KAPPA);
      const g = add(
        add(splat(p, G0), splat(p, G0)),
        mul(gs, add(kind == EXPONENTIAL ? y1 : x1, kind == EXPONENTIAL ? y2 : x2)),
      );
      let gain: v128;
      let rateSlope: v128;
      const moved = sub(v128.load(at + row), v);
      if (kind == FORWARD_EULER) {
        gain = kappa;
        rateSlope = f32x4.neg(mul(kappa, v));
      } else if (kind == SEMI_IMPLICIT) {
        gain = div(kappa, add(one, mul(kappa, g)));
        rateSlope = f32x4.neg(mul(gain, add(v, moved)));
      } else {
        const z = mul(kappa, g);
        const e = exp4(f32x4.neg(z));
        const grown = sub(one, e);
        const shared = div(one, mul(z, grown));
        gain = mul(kappa, mul(mul(grown, grown), shared));
        const logSlope = mul(sub(mul(z, e), grown), shared);
        rateSlope = sub(mul(mul(kappa, logSlope), moved), mul(gain, v));
      }
      const sourceBar = mul(vBar, gain);
      const rateBar = mul(vBar, rateSlope);
      const g1Bar = mul(gs, add(rateBar, mul(sourceBar, splat(p, E1))));
      const g2Bar = mul(gs, add(rateBar, mul(sourceBar, splat(p, E2))));

      // The alpha current.
      const iBar = v128.load(bar, 16);
      const bBar = add(
        add(mul(splat(p, AFTER), v128.load(bar)), mul(splat(p, GAIN), iBar)),
        mul(splat(p, MEAN_GAIN), sourceBar),
      );
      v128.store(bar, mul(splat(p, BEFORE), bBar));
      v128.store(bar, add(mul(splat(p, KEEP), iBar), mul(splat(p, MEAN_KEEP), sourceBar)), 16);
      if (slot >= 0) v128.store(drive + n * V, add(v128.load(drive + n * V), bBar));

      // The memristors.
      let x1Bar = v128.load(bar, 48);
      let x2Bar = v128.load(bar, 64);
      if (kind == EXPONENTIAL) {
        x1Bar = add(x1Bar, g1Bar);
        x2Bar = add(x2Bar, g2Bar);
      }
      const u = f32x4.pmin(exp4(mul(v, splat(p, MINUS_INV_K))), splat(p, LARGEST_U));
      const h = splat(p, H);
      let pulled = all(0.0);
      for (let memristor = 0; memristor < 2; memristor++) {
        const x = memristor == 0 ? x1 : x2;
        const y = memristor == 0 ? y1 : y2;
        const xBar = memristor == 0 ? x1Bar : x2Bar;
        const cu1 = add(one, mul(memristor == 0 ? splat(p, C1) : splat(p, C2), u));
        const qu = mul(memristor == 0 ? splat(p, Q1) : splat(p, Q2), u);
        const qu1 = add(one, qu);
        const inverse = div(one, mul(cu1, qu1));
        const on = mul(qu1, inverse);
        const off = mul(mul(qu, cu1), inverse);
        const rate = add(on, off);
        let xGain: v128;
        let slope: v128;
        if (kind == FORWARD_EULER) {
          xGain = h;
          slope = f32x4.neg(mul(h, x));
        } else if (kind == SEMI_IMPLICIT) {
          xGain = div(h, add(one, mul(h, rate)));
          slope = f32x4.neg(mul(xGain, y));
        } else {
          const z = mul(h, rate);
          xGain = mul(h, phi4(z));
          slope = sub(mul(mul(h, phiLogSlope4(z)), sub(y, x)), mul(xGain, x));
        }
        const onSlope = mul(on, sub(one, on));
        const offSlope = mul(off, sub(off, one));
        pulled = add(pulled, mul(xBar, add(mul(xGain, onSlope), mul(slope, add(onSlope, offSlope)))));
        const kept = sub(xBar, mul(xBar, mul(xGain, rate)));
        if (memristor == 0) x1Bar = kept;
        else x2Bar = kept;
      }
      if (kind != EXPONENTIAL) {
        x1Bar = add(x1Bar, g1Bar);
        x2Bar = add(x2Bar, g2Bar);
      }
      v128.store(bar, sub(sub(vBar, mul(sourceBar, g)), mul(pulled, splat(p, MINUS_INV_K))), 32);
      v128.store(bar, x1Bar, 48);
      v128.store(bar, x2Bar, 64);
    }
  }
  if (labels != 0) v128.store(losses, add(v128.load(losses), v128.and(loss, live)));
}

/**
 * Adjoint of `mifForward` along its trajectory. Either `labels` (four i32) asks for the loss of the
 * trajectory (added to `losses`, summed over steps) and its gradient times `scale`; or, with labels 0,
 * `voltageBars` (steps × neurons vectors, 1/V) is the gradient of v after each step. Adds to `driveBars`
 * (as `drives`, 1/A). `bars` (neurons × 5 vectors) holds the end's adjoint, then the start's. `scratch` is
 * 3 × neurons vectors. With `decision` > 0 the loss over the neurons' highest v (`peaks`) × `perVolt`,
 * times it, is added.
 */
export function mifBackward(
  kind: i32, constants: usize, stride: usize, slots: usize, driveBars: usize, steps: usize, neurons: usize,
  trajectory: usize, bars: usize, voltageBars: usize, labels: usize, smoothing: f32, scale: f32, losses: usize,
  scratch: usize, decision: f32, peaks: usize,
  perVolt: f32,
): void {
  if (kind == FORWARD_EULER)
    backward(FORWARD_EULER, constants, stride, slots, driveBars, steps, neurons, trajectory, bars, voltageBars,
      labels, smoothing, scale, losses, scratch, decision, peaks, perVolt);
  else if (kind == SEMI_IMPLICIT)
    backward(SEMI_IMPLICIT, constants, stride, slots, driveBars, steps, neurons, trajectory, bars, voltageBars,
      labels, smoothing, scale, losses, scratch, decision, peaks, perVolt);
  else
    backward(EXPONENTIAL, constants, stride, slots, driveBars, steps, neurons, trajectory, bars, voltageBars,
      labels, smoothing, scale, losses, scratch, decision, peaks, perVolt);
}

/** Starts a trajectory and its alpha current at rest; lowers the peaks. */
export function mifStart(rest: usize, stride: usize, neurons: usize, trajectory: usize, alpha: usize, peaks: usize): void {
  for (let n: usize = 0; n < neurons; n++) {
    const r = rest + n * stride;
    v128.store(trajectory + n * STATE, splat(r, 0));
    v128.store(trajectory + n * STATE, splat(r, 4), 16);
    v128.store(trajectory + n * STATE, splat(r, 8), 32);
    v128.store(alpha + n * (2 * V), all(0.0));
    v128.store(alpha + n * (2 * V), all(0.0), 16);
    v128.store(peaks + n * V, all(-3.0e38));
  }
}

/** drives[n] (four samples) = clamp(scale × rows[sample][n], ±limit). */
export function gatherDrives(rows: usize, rowBytes: usize, neurons: usize, scale: f32, limit: f32, drives: usize): void {
  for (let n: usize = 0; n < neurons; n++)
    for (let lane: usize = 0; lane < 4; lane++) {
      const value = scale * load<f32>(rows + lane * rowBytes + (n << 2));
      store<f32>(drives + n * V + (lane << 2), min<f32>(max<f32>(value, -limit), limit));
    }
}

/** Adjoint of `gatherDrives`; writes rows, zero beyond the limit. */
export function scatterDriveBars(
  rows: usize, rowBytes: usize, neurons: usize, scale: f32, limit: f32, driveBars: usize, rowBars: usize,
): void {
  for (let n: usize = 0; n < neurons; n++)
    for (let lane: usize = 0; lane < 4; lane++) {
      const value = scale * load<f32>(rows + lane * rowBytes + (n << 2));
      const bar = load<f32>(driveBars + n * V + (lane << 2));
      store<f32>(rowBars + lane * rowBytes + (n << 2), abs<f32>(value) <= limit ? scale * bar : value != value ? value : 0.0);
    }
}

/**
 * A layer between MIF layers: at every step t, drives[t] (steps × outputs vectors) =
 * scale × (w × (v − rest)·unit + bias), v being the trajectory's row t.
 */
export function waveForward(
  trajectory: usize, steps: usize, inputs: usize, rest: usize, restStride: usize, unit: f32, w: usize, wBytes: usize,
  bias: usize, outputs: usize, scale: f32, drives: usize, signals: usize,
): void {
  const scaled = all(scale);
  for (let t: usize = 0; t < steps; t++) {
    const at = trajectory + t * inputs * STATE;
    for (let n: usize = 0; n < inputs; n++)
      v128.store(signals + n * V, mul(sub(v128.load(at + n * STATE), splat(rest + n * restStride, 0)), all(unit)));
    let m: usize = 0;
    const out = drives + t * outputs * V;
    for (; m + 1 < outputs; m += 2) {
      let s0 = splat(bias, m << 2);
      let s1 = splat(bias, (m + 1) << 2);
      const w0 = w + m * wBytes;
      const w1 = w0 + wBytes;
      for (let n: usize = 0; n < inputs; n++) {
        const s = v128.load(signals + n * V);
        s0 = add(s0, mul(s, splat(w0, n << 2)));
        s1 = add(s1, mul(s, splat(w1, n << 2)));
      }
      v128.store(out + m * V, mul(s0, scaled));
      v128.store(out + m * V, mul(s1, scaled), 16);
    }
    if (m < outputs) {
      let s0 = splat(bias, m << 2);
      const w0 = w + m * wBytes;
      for (let n: usize = 0; n < inputs; n++) s0 = add(s0, mul(v128.load(signals + n * V), splat(w0, n << 2)));
      v128.store(out + m * V, mul(s0, scaled));
    }
  }
}

/**
 * Adjoint of `waveForward`: writes `voltageBars` (steps × inputs vectors: the gradient of v after each
 * step, hence row t of the drives into row t − 1); adds to the vectors wBars (outputs × inputs) and
 * biasBars (outputs).
 */
export function waveBackward(
  trajectory: usize, steps: usize, inputs: usize, rest: usize, restStride: usize, unit: f32, w: usize, wBytes: usize,
  outputs: usize, scale: f32, driveBars: usize, voltageBars: usize, wBars: usize, biasBars: usize,
): void {
  const scaled = all(scale);
  const back = all(unit);
  for (let n: usize = 0; n < inputs; n++) v128.store(voltageBars + ((steps - 1) * inputs + n) * V, all(0.0));
  for (let t: usize = 0; t < steps; t++) {
    const bars = driveBars + t * outputs * V;
    for (let m: usize = 0; m < outputs; m++) {
      const bar = mul(v128.load(bars + m * V), scaled);
      v128.store(bars + m * V, bar);
      v128.store(biasBars + m * V, add(v128.load(biasBars + m * V), bar));
    }
    const at = trajectory + t * inputs * STATE;
    for (let n: usize = 0; n < inputs; n++) {
      const s = mul(sub(v128.load(at + n * STATE), splat(rest + n * restStride, 0)), back);
      let sum = all(0.0);
      for (let m: usize = 0; m < outputs; m++) {
        const bar = v128.load(bars + m * V);
        sum = add(sum, mul(bar, splat(w + m * wBytes, n << 2)));
        const slot = wBars + (m * inputs + n) * V;
        v128.store(slot, add(v128.load(slot), mul(bar, s)));
      }
      if (t > 0) v128.store(voltageBars + ((t - 1) * inputs + n) * V, mul(sum, back));
    }
  }
}

/** Sums the four lanes of `waveBackward`'s vectors into a row-major, padded gradient. */
export function waveReduce(
  wBars: usize, biasBars: usize, inputs: usize, outputs: usize, gradient: usize, wBytes: usize, biasGradient: usize,
): void {
  for (let m: usize = 0; m < outputs; m++) {
    for (let n: usize = 0; n < inputs; n++) store<f32>(gradient + m * wBytes + (n << 2), lanes(wBars + (m * inputs + n) * V));
    store<f32>(biasGradient + (m << 2), lanes(biasBars + m * V));
  }
}

@inline
function lanes(at: usize): f32 {
  return load<f32>(at) + load<f32>(at, 4) + (load<f32>(at, 8) + load<f32>(at, 12));
}

// [sum a, sum b, sum c, sum d]
@inline
function sums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return add(v128.shuffle<f32>(ab, cd, 0, 1, 4, 5), v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
}

/** y[rows × outputs] = x wᵀ + bias, then max(0, ·) with `relu`, then × mask (same shape) unless it is 0. */
export function denseForward(
  x: usize, inputs: usize, w: usize, bias: usize, y: usize, outputs: usize, rows: usize, relu: bool, mask: usize,
): void {
  const xBytes = inputs << 2;
  const yBytes = outputs << 2;
  for (let o: usize = 0; o < outputs; o += 4) {
    const w0 = w + o * xBytes;
    const w1 = w0 + xBytes;
    const w2 = w1 + xBytes;
    const w3 = w2 + xBytes;
    const b = v128.load(bias + (o << 2));
    for (let r: usize = 0; r < rows; r += 2) {
      const xa = x + r * xBytes;
      const xb = xa + xBytes;
      let a0 = all(0.0), a1 = all(0.0), a2 = all(0.0), a3 = all(0.0);
      let b0 = all(0.0), b1 = all(0.0), b2 = all(0.0), b3 = all(0.0);
      for (let i: usize = 0; i < xBytes; i += V) {
        const u = v128.load(xa + i);
        const v = v128.load(xb + i);
        let k = v128.load(w0 + i);
        a0 = add(a0, mul(u, k));
        b0 = add(b0, mul(v, k));
        k = v128.load(w1 + i);
        a1 = add(a1, mul(u, k));
        b1 = add(b1, mul(v, k));
        k = v128.load(w2 + i);
        a2 = add(a2, mul(u, k));
        b2 = add(b2, mul(v, k));
        k = v128.load(w3 + i);
        a3 = add(a3, mul(u, k));
        b3 = add(b3, mul(v, k));
      }
      let ya = add(b, sums(a0, a1, a2, a3));
      let yb = add(b, sums(b0, b1, b2, b3));
      if (relu) {
        ya = f32x4.pmax(ya, all(0.0));
        yb = f32x4.pmax(yb, all(0.0));
      }
      const at = r * yBytes + (o << 2);
      if (mask != 0) {
        ya = mul(ya, v128.load(mask + at));
        yb = mul(yb, v128.load(mask + at + yBytes));
      }
      v128.store(y + at, ya);
      v128.store(y + at + yBytes, yb);
    }
  }
}

/** wBar = yBarᵀ x and biasBar = Σ yBar, overwriting both. */
export function denseBackward(
  x: usize, inputs: usize, yBar: usize, outputs: usize, rows: usize, wBar: usize, biasBar: usize,
): void {
  const xBytes = inputs << 2;
  const yBytes = outputs << 2;
  for (let o: usize = 0; o < outputs; o += 4) {
    let sum = all(0.0);
    const from = yBar + (o << 2);
    for (let r: usize = 0; r < rows; r++) sum = add(sum, v128.load(from + r * yBytes));
    v128.store(biasBar + (o << 2), sum);
    let i: usize = 0;
    for (; i + V < xBytes; i += 2 * V) {
      let a0 = all(0.0), a1 = all(0.0), a2 = all(0.0), a3 = all(0.0);
      let b0 = all(0.0), b1 = all(0.0), b2 = all(0.0), b3 = all(0.0);
      let at = x + i;
      let bar = from;
      for (let r: usize = 0; r < rows; r++) {
        const u = v128.load(at);
        const v = v128.load(at, 16);
        let k = v128.load32_splat(bar);
        a0 = add(a0, mul(u, k));
        b0 = add(b0, mul(v, k));
        k = v128.load32_splat(bar, 4);
        a1 = add(a1, mul(u, k));
        b1 = add(b1, mul(v, k));
        k = v128.load32_splat(bar, 8);
        a2 = add(a2, mul(u, k));
        b2 = add(b2, mul(v, k));
        k = v128.load32_splat(bar, 12);
        a3 = add(a3, mul(u, k));
        b3 = add(b3, mul(v, k));
        at += xBytes;
        bar += yBytes;
      }
      const out = wBar + o * xBytes + i;
      v128.store(out, a0);
      v128.store(out, b0, 16);
      v128.store(out + xBytes, a1);
      v128.store(out + xBytes, b1, 16);
      v128.store(out + 2 * xBytes, a2);
      v128.store(out + 2 * xBytes, b2, 16);
      v128.store(out + 3 * xBytes, a3);
      v128.store(out + 3 * xBytes, b3, 16);
    }
    if (i < xBytes) {
      let a0 = all(0.0), a1 = all(0.0), a2 = all(0.0), a3 = all(0.0);
      for (let r: usize = 0; r < rows; r++) {
        const u = v128.load(x + i + r * xBytes);
        const bar = from + r * yBytes;
        a0 = add(a0, mul(u, v128.load32_splat(bar)));
        a1 = add(a1, mul(u, v128.load32_splat(bar, 4)));
        a2 = add(a2, mul(u, v128.load32_splat(bar, 8)));
        a3 = add(a3, mul(u, v128.load32_splat(bar, 12)));
      }
      const out = wBar + o * xBytes + i;
      v128.store(out, a0);
      v128.store(out + xBytes, a1);
      v128.store(out + 2 * xBytes, a2);
      v128.store(out + 3 * xBytes, a3);
    }
  }
}

/** xBar = (yBar w) where x > 0 (all of it without `relu`), × mask unless it is 0. */
export function denseBackwardInput(
  x: usize, inputs: usize, w: usize, yBar: usize, outputs: usize, rows: usize, xBar: usize, relu: bool, mask: usize,
): void {
  const xBytes = inputs << 2;
  const yBytes = outputs << 2;
  for (let r: usize = 0; r < rows; r++) {
    const bar = yBar + r * yBytes;
    for (let i: usize = 0; i < xBytes; i += V) {
      let sum = all(0.0);
      for (let o: usize = 0; o < outputs; o++)
        sum = add(sum, mul(v128.load(w + o * xBytes + i), v128.load32_splat(bar + (o << 2))));
      const at = r * xBytes + i;
      if (relu) sum = v128.and(sum, f32x4.gt(v128.load(x + at), all(0.0)));
      if (mask != 0) sum = mul(sum, v128.load(mask + at));
      v128.store(xBar + at, sum);
    }
  }
}

/**
 * Adam with decoupled weight decay on floats [from, to): the gradient is the sum of `shards` lists that
 * lie `shardBytes` apart. `average` (0: none) is moved towards the new weights. `settings`, f32: beta1,
 * beta2, 1/(1 − beta1^t), 1/(1 − beta2^t), rate, epsilon, rate × decay, share of the new in the average.
 */
export function adam(
  weights: usize, first: usize, second: usize, gradients: usize, shards: usize, shardBytes: usize, from: usize,
  to: usize, settings: usize, average: usize,
): void {
  const beta1 = load<f32>(settings);
  const beta2 = load<f32>(settings, 4);
  const step = all(load<f32>(settings, 16) * load<f32>(settings, 8));
  const correction2 = all(load<f32>(settings, 12));
  const epsilon = all(load<f32>(settings, 20));
  const kept = all(1.0 - load<f32>(settings, 24));
  const averaging = all(load<f32>(settings, 28));
  for (let i = from << 2; i < to << 2; i += V) {
    let g = v128.load(gradients + i);
    for (let s: usize = 1; s < shards; s++) g = add(g, v128.load(gradients + s * shardBytes + i));
    const m = add(mul(v128.load(first + i), all(beta1)), mul(g, all(1.0 - beta1)));
    const v = add(mul(v128.load(second + i), all(beta2)), mul(mul(g, g), all(1.0 - beta2)));
    v128.store(first + i, m);
    v128.store(second + i, v);
    const root = add(f32x4.sqrt(mul(v, correction2)), epsilon);
    const next = sub(mul(v128.load(weights + i), kept), div(mul(m, step), root));
    v128.store(weights + i, next);
    if (average != 0) {
      const mean = v128.load(average + i);
      v128.store(average + i, add(mean, mul(sub(next, mean), averaging)));
    }
  }
}

/** Zeros. */
export function clear(at: usize, bytes: usize): void {
  memory.fill(at, 0, bytes);
}

/** Multiplies and adds without touching memory: `rounds` × 16 vector operations, to measure the machine's limit. */
export function arithmeticLimit(rounds: usize): f32 {
  let a = all(1.0), b = all(1.1), c = all(1.2), d = all(1.3), e = all(1.4), f = all(1.5), g = all(1.6), h = all(1.7);
  const k = all(0.999);
  for (let i: usize = 0; i < rounds; i++) {
    a = add(mul(a, k), k);
    b = add(mul(b, k), k);
    c = add(mul(c, k), k);
    d = add(mul(d, k), k);
    e = add(mul(e, k), k);
    f = add(mul(f, k), k);
    g = add(mul(g, k), k);
    h = add(mul(h, k), k);
  }
  return f32x4.extract_lane(add(add(add(a, b), add(c, d)), add(add(e, f), add(g, h))), 0);
}
