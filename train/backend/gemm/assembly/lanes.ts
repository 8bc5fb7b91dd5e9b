/** Reads four numbers, or one at the end. */
// @ts-ignore: a decorator of AssemblyScript. Calls would make batch normalization three times as slow.
@inline
export function load(address: usize, four: bool): v128 {
  return four ? v128.load(address) : v128.load32_zero(address);
}

/** Writes four numbers, or one at the end. */
// @ts-ignore: likewise
@inline
export function store(address: usize, value: v128, four: bool): void {
  if (four) v128.store(address, value);
  else v128.store_lane<f32>(address, value, 0);
}
