/** a·b + c: rounded once where the engine has relaxed SIMD and the machine can, else twice. */
// @ts-ignore: a decorator of AssemblyScript. Binaryen does not inline two instructions at this level.
@inline
export function fma(a: v128, b: v128, c: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_madd(a, b, c) : f32x4.add(f32x4.mul(a, b), c);
}
