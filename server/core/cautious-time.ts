/**
 * Returns a clock, in milliseconds since 1970, that never makes a file seem older than it is: it ignores jumps of the
 * OS clock into the future, because existing files keep their times.
 *
 * @param clock the OS time, in milliseconds; it may be changed.
 * @param elapsed monotonic time, in milliseconds.
 */
export function cautiousTime(
  clock: () => number = () => Date.now(),
  elapsed: () => number = () => performance.now(),
): () => number {
  const start = clock() - elapsed()
  return () => Math.min(clock(), start + elapsed())
}
