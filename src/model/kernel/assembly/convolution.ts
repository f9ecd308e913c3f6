// Convolution and pooling. As for MIF layers, a vector holds one value in four samples, so any kernel and stride runs at
// the full width of the vectors, without a copy of the patches. An image is planes (one a channel or map) of rows of
// such vectors, `plane` and `row` bytes apart; where the next layer pads, its border lies around and stays 0.
// Maps come in fours: weights, biases and planes of outputs are padded to them.

const V: usize = 16;
const NONE: usize = 0;

@inline function add(a: v128, b: v128): v128 { return f32x4.add(a, b); }
@inline function mul(a: v128, b: v128): v128 { return f32x4.mul(a, b); }
@inline function all(a: f32): v128 { return f32x4.splat(a); }
@inline function splat(at: usize): v128 { return v128.load32_splat(at); }

@inline
function put(at: usize, value: v128, relu: bool, mask: usize): void {
  if (relu) value = f32x4.pmax(value, all(0.0));
  if (mask != 0) value = mul(value, v128.load(mask));
  v128.store(at, value);
}

/**
 * y (maps × height × width) = w ∗ x + bias, then max(0, ·) with `relu`, then × mask (as y, without borders) unless it
 * is 0. `x` is the corner of the padded image; `w` is rows of channels × kernel × kernel floats, `wBytes` apart.
 */
export function convForward(
  x: usize, xPlane: usize, xRow: usize, channels: usize, w: usize, wBytes: usize, bias: usize, kernel: usize,
  stride: usize, y: usize, yPlane: usize, yRow: usize, maps: usize, height: usize, width: usize, relu: bool, mask: usize,
): void {
  const step = stride * V;
  const maskPlane = height * width * V;
  for (let m: usize = 0; m < maps; m += 4) {
    const w0 = w + m * wBytes;
    const b0 = splat(bias + (m << 2)), b1 = splat(bias + (m << 2) + 4);
    const b2 = splat(bias + (m << 2) + 8), b3 = splat(bias + (m << 2) + 12);
    for (let oy: usize = 0; oy < height; oy++) {
      let ox: usize = 0;
      for (; ox + 1 < width; ox += 2) {
        let s0 = b0, s1 = b1, s2 = b2, s3 = b3;
        let t0 = b0, t1 = b1, t2 = b2, t3 = b3;
        let k = w0;
        for (let c: usize = 0; c < channels; c++) {
          let from = x + c * xPlane + oy * stride * xRow + ox * step;
          for (let ky: usize = 0; ky < kernel; ky++) {
            for (let kx: usize = 0; kx < kernel; kx++) {
              const u = v128.load(from + kx * V);
              const v = v128.load(from + kx * V + step);
              let f = splat(k);
              s0 = add(s0, mul(u, f));
              t0 = add(t0, mul(v, f));
              f = splat(k + wBytes);
              s1 = add(s1, mul(u, f));
              t1 = add(t1, mul(v, f));
              f = splat(k + 2 * wBytes);
              s2 = add(s2, mul(u, f));
              t2 = add(t2, mul(v, f));
              f = splat(k + 3 * wBytes);
              s3 = add(s3, mul(u, f));
              t3 = add(t3, mul(v, f));
              k += 4;
            }
            from += xRow;
          }
        }
        const at = y + m * yPlane + oy * yRow + ox * V;
        let kept = mask == 0 ? NONE : mask + m * maskPlane + (oy * width + ox) * V;
        put(at, s0, relu, kept);
        put(at + V, t0, relu, kept == 0 ? NONE : kept + V);
        if (kept != 0) kept += maskPlane;
        put(at + yPlane, s1, relu, kept);
        put(at + yPlane + V, t1, relu, kept == 0 ? NONE : kept + V);
        if (kept != 0) kept += maskPlane;
        put(at + 2 * yPlane, s2, relu, kept);
        put(at + 2 * yPlane + V, t2, relu, kept == 0 ? NONE : kept + V);
        if (kept != 0) kept += maskPlane;
        put(at + 3 * yPlane, s3, relu, kept);
        put(at + 3 * yPlane + V, t3, relu, kept == 0 ? NONE : kept + V);
      }
      if (ox < width) {
        let s0 = b0, s1 = b1, s2 = b2, s3 = b3;
        let k = w0;
        for (let c: usize = 0; c < channels; c++) {
          let from = x + c * xPlane + oy * stride * xRow + ox * step;
          for (let ky: usize = 0; ky < kernel; ky++) {
            for (let kx: usize = 0; kx < kernel; kx++) {
              const u = v128.load(from + kx * V);
              s0 = add(s0, mul(u, splat(k)));
              s1 = add(s1, mul(u, splat(k + wBytes)));
              s2 = add(s2, mul(u, splat(k + 2 * wBytes)));
              s3 = add(s3, mul(u, splat(k + 3 * wBytes)));
              k += 4;
            }
            from += xRow;
          }
        }
        const at = y + m * yPlane + oy * yRow + ox * V;
        const kept = mask == 0 ? NONE : mask + m * maskPlane + (oy * width + ox) * V;
        put(at, s0, relu, kept);
        put(at + yPlane, s1, relu, kept == 0 ? NONE : kept + maskPlane);
        put(at + 2 * yPlane, s2, relu, kept == 0 ? NONE : kept + 2 * maskPlane);
        put(at + 3 * yPlane, s3, relu, kept == 0 ? NONE : kept + 3 * maskPlane);
      }
    }
  }
}

/**
 * Adds yBar correlated with x to the vectors wBars (maps × channels·kernel²) and the sums of yBar to biasBars (maps).
 * `x` is the corner of the padded image.
 */
export function convBackward(
  x: usize, xPlane: usize, xRow: usize, channels: usize, kernel: usize, stride: usize, yBar: usize, yPlane: usize,
  yRow: usize, maps: usize, height: usize, width: usize, wBars: usize, biasBars: usize,
): void {
  const step = stride * V;
  const patch = channels * kernel * kernel * V;
  for (let m: usize = 0; m < maps; m++) {
    let sum = v128.load(biasBars + m * V);
    for (let oy: usize = 0; oy < height; oy++)
      for (let ox: usize = 0; ox < width; ox++) sum = add(sum, v128.load(yBar + m * yPlane + oy * yRow + ox * V));
    v128.store(biasBars + m * V, sum);
  }
  for (let m: usize = 0; m < maps; m += 4) {
    let out = wBars + m * patch;
    for (let c: usize = 0; c < channels; c++)
      for (let ky: usize = 0; ky < kernel; ky++) {
        const corner = x + c * xPlane + ky * xRow;
        let kx: usize = 0;
        for (; kx + 1 < kernel; kx += 2) {
          let s0 = v128.load(out), s1 = v128.load(out + patch);
          let s2 = v128.load(out + 2 * patch), s3 = v128.load(out + 3 * patch);
          let t0 = v128.load(out + V), t1 = v128.load(out + patch + V);
          let t2 = v128.load(out + 2 * patch + V), t3 = v128.load(out + 3 * patch + V);
          for (let oy: usize = 0; oy < height; oy++) {
            let from = corner + oy * stride * xRow + kx * V;
            let bar = yBar + m * yPlane + oy * yRow;
            for (const end = bar + width * V; bar < end; bar += V) {
              const u = v128.load(from);
              const v = v128.load(from, 16);
              let b = v128.load(bar);
              s0 = add(s0, mul(u, b));
              t0 = add(t0, mul(v, b));
              b = v128.load(bar + yPlane);
              s1 = add(s1, mul(u, b));
              t1 = add(t1, mul(v, b));
              b = v128.load(bar + 2 * yPlane);
              s2 = add(s2, mul(u, b));
              t2 = add(t2, mul(v, b));
              b = v128.load(bar + 3 * yPlane);
              s3 = add(s3, mul(u, b));
              t3 = add(t3, mul(v, b));
              from += step;
            }
          }
          v128.store(out, s0);
          v128.store(out + patch, s1);
          v128.store(out + 2 * patch, s2);
          v128.store(out + 3 * patch, s3);
          v128.store(out + V, t0);
          v128.store(out + patch + V, t1);
          v128.store(out + 2 * patch + V, t2);
          v128.store(out + 3 * patch + V, t3);
          out += 2 * V;
        }
        if (kx < kernel) {
          let s0 = v128.load(out), s1 = v128.load(out + patch);
          let s2 = v128.load(out + 2 * patch), s3 = v128.load(out + 3 * patch);
          for (let oy: usize = 0; oy < height; oy++) {
            let from = corner + oy * stride * xRow + kx * V;
            let bar = yBar + m * yPlane + oy * yRow;
            for (const end = bar + width * V; bar < end; bar += V) {
              const u = v128.load(from);
              s0 = add(s0, mul(u, v128.load(bar)));
              s1 = add(s1, mul(u, v128.load(bar + yPlane)));
              s2 = add(s2, mul(u, v128.load(bar + 2 * yPlane)));
              s3 = add(s3, mul(u, v128.load(bar + 3 * yPlane)));
              from += step;
            }
          }
          v128.store(out, s0);
          v128.store(out + patch, s1);
          v128.store(out + 2 * patch, s2);
          v128.store(out + 3 * patch, s3);
          out += V;
        }
      }
  }
}

// The slope of what a layer of before gave: 0 where `relu` and x is not above 0, × mask.
@inline
function pass(at: usize, bar: v128, relu: bool, x: usize, mask: usize): void {
  if (relu) bar = v128.and(bar, f32x4.gt(v128.load(x), all(0.0)));
  if (mask != 0) bar = mul(bar, v128.load(mask));
  v128.store(at, bar);
}

/**
 * xBar (channels × xHeight × xWidth) = yBar correlated with the turned kernels, where x > 0 (all of it without `relu`),
 * × mask unless it is 0. `x` and `xBar` are the first values inside their borders, which are laid out alike.
 */
export function convBackwardInput(
  yBar: usize, yPlane: usize, yRow: usize, maps: usize, height: usize, width: usize, w: usize, wBytes: usize,
  kernel: usize, stride: usize, padding: usize, x: usize, xBar: usize, xPlane: usize, xRow: usize, channels: usize,
  xHeight: usize, xWidth: usize, relu: bool, mask: usize,
): void {
  const area = (kernel * kernel) << 2;
  for (let iy: usize = 0; iy < xHeight; iy++)
    for (let ix: usize = 0; ix < xWidth; ix++) {
      const py = iy + padding;
      const px = ix + padding;
      let c: usize = 0;
      for (; c < channels; ) {
        const many = c + 8 <= channels;
        let s0 = all(0.0), s1 = all(0.0), s2 = all(0.0), s3 = all(0.0);
        let s4 = all(0.0), s5 = all(0.0), s6 = all(0.0), s7 = all(0.0);
        for (let ky = py % stride; ky < kernel && ky <= py; ky += stride) {
          const oy = (py - ky) / stride;
          if (oy >= height) continue;
          for (let kx = px % stride; kx < kernel && kx <= px; kx += stride) {
            const ox = (px - kx) / stride;
            if (ox >= width) continue;
            let bar = yBar + oy * yRow + ox * V;
            let k = w + c * area + ((ky * kernel + kx) << 2);
            if (many)
              for (let m: usize = 0; m < maps; m++) {
                const b = v128.load(bar);
                s0 = add(s0, mul(b, splat(k)));
                s1 = add(s1, mul(b, splat(k + area)));
                s2 = add(s2, mul(b, splat(k + 2 * area)));
                s3 = add(s3, mul(b, splat(k + 3 * area)));
                s4 = add(s4, mul(b, splat(k + 4 * area)));
                s5 = add(s5, mul(b, splat(k + 5 * area)));
                s6 = add(s6, mul(b, splat(k + 6 * area)));
                s7 = add(s7, mul(b, splat(k + 7 * area)));
                bar += yPlane;
                k += wBytes;
              }
            else
              for (let m: usize = 0; m < maps; m++) {
                s0 = add(s0, mul(v128.load(bar), splat(k)));
                bar += yPlane;
                k += wBytes;
              }
          }
        }
        const offset = c * xPlane + iy * xRow + ix * V;
        const maskPlane = xHeight * xWidth * V;
        const kept = mask == 0 ? NONE : mask + c * maskPlane + (iy * xWidth + ix) * V;
        const next: usize = kept == 0 ? NONE : maskPlane;
        pass(xBar + offset, s0, relu, x + offset, kept);
        if (many) {
          pass(xBar + offset + xPlane, s1, relu, x + offset + xPlane, kept + next);
          pass(xBar + offset + 2 * xPlane, s2, relu, x + offset + 2 * xPlane, kept + 2 * next);
          pass(xBar + offset + 3 * xPlane, s3, relu, x + offset + 3 * xPlane, kept + 3 * next);
          pass(xBar + offset + 4 * xPlane, s4, relu, x + offset + 4 * xPlane, kept + 4 * next);
          pass(xBar + offset + 5 * xPlane, s5, relu, x + offset + 5 * xPlane, kept + 5 * next);
          pass(xBar + offset + 6 * xPlane, s6, relu, x + offset + 6 * xPlane, kept + 6 * next);
          pass(xBar + offset + 7 * xPlane, s7, relu, x + offset + 7 * xPlane, kept + 7 * next);
          c += 8;
        } else c++;
      }
    }
}

/** y (channels × height × width) = means of squares of `size`², `stride` apart. */
export function poolForward(
  x: usize, xPlane: usize, xRow: usize, channels: usize, size: usize, stride: usize, y: usize, yPlane: usize, yRow: usize,
  height: usize, width: usize,
): void {
  const share = all(1.0 / <f32>(size * size));
  for (let c: usize = 0; c < channels; c++)
    for (let oy: usize = 0; oy < height; oy++)
      for (let ox: usize = 0; ox < width; ox++) {
        const from = x + c * xPlane + oy * stride * xRow + ox * stride * V;
        let sum = all(0.0);
        for (let ky: usize = 0; ky < size; ky++)
          for (let kx: usize = 0; kx < size; kx++) sum = add(sum, v128.load(from + ky * xRow + kx * V));
        v128.store(y + c * yPlane + oy * yRow + ox * V, mul(sum, share));
      }
}

/** Adjoint of `poolForward` into xBar, where x > 0 (all of it without `relu`), × mask unless it is 0. */
export function poolBackward(
  yBar: usize, yPlane: usize, yRow: usize, height: usize, width: usize, size: usize, stride: usize, x: usize,
  xBar: usize, xPlane: usize, xRow: usize, channels: usize, xHeight: usize, xWidth: usize, relu: bool, mask: usize,
): void {
  const share = all(1.0 / <f32>(size * size));
  for (let c: usize = 0; c < channels; c++)
    for (let iy: usize = 0; iy < xHeight; iy++)
      for (let ix: usize = 0; ix < xWidth; ix++) {
        let sum = all(0.0);
        for (let ky = iy % stride; ky < size && ky <= iy; ky += stride) {
          const oy = (iy - ky) / stride;
          if (oy >= height) continue;
          for (let kx = ix % stride; kx < size && kx <= ix; kx += stride) {
            const ox = (ix - kx) / stride;
            if (ox < width) sum = add(sum, v128.load(yBar + c * yPlane + oy * yRow + ox * V));
          }
        }
        const offset = c * xPlane + iy * xRow + ix * V;
        const kept = mask == 0 ? NONE : mask + ((c * xHeight + iy) * xWidth + ix) * V;
        pass(xBar + offset, mul(sum, share), relu, x + offset, kept);
      }
}

/** Four rows (samples) of channels × height × width floats, `rowBytes` apart, into an image. */
export function imageFromRows(
  rows: usize, rowBytes: usize, channels: usize, height: usize, width: usize, x: usize, xPlane: usize, xRow: usize,
): void {
  let from = rows;
  for (let c: usize = 0; c < channels; c++)
    for (let iy: usize = 0; iy < height; iy++) {
      let at = x + c * xPlane + iy * xRow;
      for (let ix: usize = 0; ix < width; ix++) {
        store<f32>(at, load<f32>(from));
        store<f32>(at, load<f32>(from + rowBytes), 4);
        store<f32>(at, load<f32>(from + 2 * rowBytes), 8);
        store<f32>(at, load<f32>(from + 3 * rowBytes), 12);
        from += 4;
        at += V;
      }
    }
}

/** An image into four rows (samples) of channels × height × width floats, `rowBytes` apart. */
export function rowsFromImage(
  rows: usize, rowBytes: usize, channels: usize, height: usize, width: usize, x: usize, xPlane: usize, xRow: usize,
): void {
  let to = rows;
  for (let c: usize = 0; c < channels; c++)
    for (let iy: usize = 0; iy < height; iy++) {
      let at = x + c * xPlane + iy * xRow;
      for (let ix: usize = 0; ix < width; ix++) {
        store<f32>(to, load<f32>(at));
        store<f32>(to + rowBytes, load<f32>(at, 4));
        store<f32>(to + 2 * rowBytes, load<f32>(at, 8));
        store<f32>(to + 3 * rowBytes, load<f32>(at, 12));
        to += 4;
        at += V;
      }
    }
}

/** The slope of the layer that gave the image y, on the gradient yBar of what came of it (both as y): in place. */
export function imageSlope(
  y: usize, yBar: usize, plane: usize, row: usize, channels: usize, height: usize, width: usize, relu: bool, mask: usize,
): void {
  for (let c: usize = 0; c < channels; c++)
    for (let iy: usize = 0; iy < height; iy++)
      for (let ix: usize = 0; ix < width; ix++) {
        const offset = c * plane + iy * row + ix * V;
        const kept = mask == 0 ? NONE : mask + ((c * height + iy) * width + ix) * V;
        pass(yBar + offset, v128.load(yBar + offset), relu, y + offset, kept);
      }
}

const STATE: usize = 48;

// The waveforms (v − rest)·unit of neurons that are channels × height × width, as an image.
@inline
function waveImage(
  states: usize, rest: usize, restStride: usize, unit: f32, channels: usize, height: usize, width: usize, x: usize,
  xPlane: usize, xRow: usize,
): void {
  let from = states;
  let r = rest;
  for (let c: usize = 0; c < channels; c++)
    for (let iy: usize = 0; iy < height; iy++)
      for (let ix: usize = 0; ix < width; ix++) {
        v128.store(x + c * xPlane + iy * xRow + ix * V, mul(f32x4.sub(v128.load(from), splat(r)), all(unit)));
        from += STATE;
        r += restStride;
      }
}

@inline
function scaleAll(at: usize, count: usize, scale: f32): void {
  for (const end = at + count * V; at < end; at += V) v128.store(at, mul(v128.load(at), all(scale)));
}

/**
 * A convolution between MIF layers, as `waveForward`. `image` is room for the waveforms of one step with their border.
 * `drives` has room for three planes more than it holds, because maps come in fours.
 */
export function waveConvForward(
  trajectory: usize, steps: usize, rest: usize, restStride: usize, unit: f32, channels: usize, xHeight: usize,
  xWidth: usize, padding: usize, image: usize, w: usize, wBytes: usize, kernel: usize, stride: usize, maps: usize,
  height: usize, width: usize, bias: usize, scale: f32, drives: usize,
): void {
  const xRow = (xWidth + 2 * padding) * V;
  const xPlane = (xHeight + 2 * padding) * xRow;
  const inputs = channels * xHeight * xWidth;
  const outputs = maps * height * width;
  for (let t: usize = 0; t < steps; t++) {
    const states = trajectory + t * inputs * STATE;
    waveImage(states, rest, restStride, unit, channels, xHeight, xWidth, image + padding * (xRow + V), xPlane, xRow);
    const y = drives + t * outputs * V;
    convForward(image, xPlane, xRow, channels, w, wBytes, bias, kernel, stride, y, height * width * V, width * V, maps,
      height, width, false, NONE);
    scaleAll(y, outputs, scale);
  }
}

/**
 * Adjoint of `waveConvForward`, as `waveBackward`: writes `voltageBars`, adds to the vectors wBars (maps in fours) and
 * biasBars. Those of maps that only fill up a four are of no use.
 */
export function waveConvBackward(
  trajectory: usize, steps: usize, rest: usize, restStride: usize, unit: f32, channels: usize, xHeight: usize,
  xWidth: usize, padding: usize, image: usize, w: usize, wBytes: usize, kernel: usize, stride: usize, maps: usize,
  height: usize, width: usize, scale: f32, driveBars: usize, voltageBars: usize, wBars: usize, biasBars: usize,
): void {
  const xRow = (xWidth + 2 * padding) * V;
  const xPlane = (xHeight + 2 * padding) * xRow;
  const inputs = channels * xHeight * xWidth;
  const outputs = maps * height * width;
  memory.fill(voltageBars + (steps - 1) * inputs * V, 0, inputs * V);
  for (let t: usize = 0; t < steps; t++) {
    const states = trajectory + t * inputs * STATE;
    waveImage(states, rest, restStride, unit, channels, xHeight, xWidth, image + padding * (xRow + V), xPlane, xRow);
    const bars = driveBars + t * outputs * V;
    scaleAll(bars, outputs, scale);
    convBackward(image, xPlane, xRow, channels, kernel, stride, bars, height * width * V, width * V, maps, height, width,
      wBars, biasBars);
    if (t == 0) continue;
    const before = voltageBars + (t - 1) * inputs * V;
    convBackwardInput(bars, height * width * V, width * V, maps, height, width, w, wBytes, kernel, stride, padding, NONE,
      before, xHeight * xWidth * V, xWidth * V, channels, xHeight, xWidth, false, NONE);
    scaleAll(before, inputs, unit);
  }
}
