/**
 * Returns a clock, in milliseconds since 1970, by which nothing seems older than it is: it does not follow the system
 * clock when that is set forward, because existing files keep their old times.
 *
 * @param clock the system time, in milliseconds; it may be set.
 * @param elapsed monotonic time, in milliseconds.
 */
export function cautiousTime(
  clock: () => number = () => Date.now(),
  elapsed: () => number = () => performance.now(),
): () => number {
  const start = clock() - elapsed()
  return () => Math.min(clock(), start + elapsed())
}
