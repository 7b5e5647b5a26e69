import { median } from '../median.ts'

/** How much the last third of a series may exceed the middle third. */
export interface Margin {
  /** Relative to the middle third. */
  readonly share: number
  /** In addition, in the unit of the series. */
  readonly fixed: number
}

/** Minimum number of measurements for a verdict. */
const MIN_SAMPLES = 12

/**
 * Whether a series under constant load grows: whether the median of its last third exceeds that of the middle third. In
 * the first third, pools and caches fill.
 */
export function hasGrown(series: readonly number[], { share, fixed }: Margin): boolean {
  if (series.length < MIN_SAMPLES) return false
  const third = Math.floor(series.length / 3)
  const middle = median(series.slice(third, 2 * third))
  return median(series.slice(-third)) > middle * (1 + share) + fixed
}
