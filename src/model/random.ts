/**
 * The one source of random numbers: sfc32 (C. Doty-Humphrey's "small fast counting" generator) seeded
 * through splitmix32. A run repeats from its seed.
 */
export class Random {
  readonly #seed: number;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;
  /** The second of a pair of normal numbers; NaN when used up. */
  #spare = Number.NaN;

  constructor(seed: number) {
    // Both halves of the number count, so that seeds beyond 2^32 and fractions differ too.
    const [low, high] = new Uint32Array(Float64Array.of(seed + 0).buffer);
    this.#seed = splitmix(splitmix(low) ^ high);
    this.#a = splitmix(this.#seed + 1);
    this.#b = splitmix(this.#seed + 2);
    this.#c = splitmix(this.#seed + 3);
    for (let i = 0; i < 12; i++) this.#next();
  }

  /** In [0, 1), with 53 random bits. */
  uniform(): number {
    const high = this.#next() >>> 5;
    const low = this.#next() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  }

  /** Mean 0, standard deviation 1 (Marsaglia's polar method). */
  normal(): number {
    const spare = this.#spare;
    if (!Number.isNaN(spare)) {
      this.#spare = Number.NaN;
      return spare;
    }
    let u: number;
    let v: number;
    let s: number;
    do {
      u = this.#next() / 2147483648;
      v = this.#next() / 2147483648;
      s = u * u + v * v;
    } while (s >= 1 || s === 0);
    const scale = Math.sqrt((-2 * Math.log(s)) / s);
    this.#spare = v * scale;
    return u * scale;
  }

  /** Whole number in [0, n). */
  integer(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** In place (Fisher–Yates); returns the same array. */
  shuffle<T extends { length: number; [index: number]: unknown }>(array: T): T {
    const a = array as { length: number; [index: number]: unknown };
    for (let i = a.length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      [a[i], a[j]] = [a[j], a[i]];
    }
    return array;
  }

  /** An independent stream. It depends on the seed and the label only, not on what was drawn before. */
  fork(label: string): Random {
    let hash = this.#seed;
    for (let i = 0; i < label.length; i++) hash = splitmix(hash ^ label.charCodeAt(i));
    return new Random(hash + label.length * 4294967296);
  }

  /** 32 random bits, signed. */
  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum;
  }
}

function splitmix(x: number): number {
  let z = (x + 0x9e3779b9) | 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}
