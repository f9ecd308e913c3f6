// What the arithmetic of both kinds of wires needs of SIMD and of the memory (AssemblyScript, float64).

@inline export function add(a: v128, b: v128): v128 { return f64x2.add(a, b); }
@inline export function sub(a: v128, b: v128): v128 { return f64x2.sub(a, b); }
@inline export function mul(a: v128, b: v128): v128 { return f64x2.mul(a, b); }
@inline export function all(x: f64): v128 { return f64x2.splat(x); }
@inline export function sum(a: v128): f64 { return f64x2.extract_lane(a, 0) + f64x2.extract_lane(a, 1); }

/** Where arrays may begin. */
@inline export function begin(): usize { return (__heap_base + 15) & ~15; }

/** Lets the memory grow to hold what is below `end`. */
@inline export function holdUpTo(end: usize): void {
  const pages = <i32>((end + 0xffff) >> 16) - memory.size();
  if (pages > 0) memory.grow(pages);
}
