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
