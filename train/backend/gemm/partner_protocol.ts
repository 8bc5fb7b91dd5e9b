/**
 * What the two threads say to each other, at the beginning of the memory that both see.
 *
 * @module
 */

/** What the worker is given when it starts. */
export interface PartnerData {
  memory: WebAssembly.Memory;
}

/** Where the state stands; the parameters of a product follow it. */
export const STATE = 0;
/** Where the worker writes the first number that may be used, behind its scratch memory. */
export const FIRST = 15;
/** How many 32-bit numbers the header has. */
export const HEADER = 16;

/** The states. */
export const COMMAND = { start: 0, wait: 1, multiply: 2, end: 3 } as const;
