/** Four numbers, or one at the end. */
export function load(address: usize, four: bool): v128 {
  return four ? v128.load(address) : v128.load32_zero(address);
}

export function store(address: usize, value: v128, four: bool): void {
  if (four) v128.store(address, value);
  else v128.store_lane<f32>(address, value, 0);
}
