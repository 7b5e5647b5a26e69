/**
 * Tells the time, in milliseconds since 1970, so that nothing seems older by it than it is: it does not follow a clock that is set
 * forward, because what was there before still has the times of before.
 *
 * @param clock the system's time, which may be set, in milliseconds.
 * @param elapsed milliseconds since some moment, which nobody sets.
 */
export function cautiousTime(
  clock: () => number = () => Date.now(),
  elapsed: () => number = () => performance.now(),
): () => number {
  const start = clock() - elapsed()
  return () => Math.min(clock(), start + elapsed())
}
