/**
 * Lets other events in: a promise alone does not, as the event loop finishes all promises first.
 *
 * @module
 */
type Immediate = (callback: () => void) => void;
const { setImmediate } = globalThis as { setImmediate?: Immediate };
// workerd has no setImmediate, but its timers do not wait longer than their delay.
const later: Immediate = setImmediate ?? ((callback) => void setTimeout(callback, 0));

/** Waits for one turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise(later);
}

const isDeno = "Deno" in globalThis;
let last: Promise<void> = Promise.resolve();

/**
 * Waits until a turn of the event loop in which no other caller does its piece of work, so that pieces which become due at
 * the same time do not run one after the other. It does not wait where there is one piece at a time.
 *
 * Only on Deno: workerd drops the callback of a request that ends, and the turn would never be free again.
 */
export async function ownTurn(): Promise<void> {
  if (!isDeno) return;
  const previous = last;
  last = previous.then(turn);
  await previous;
}
