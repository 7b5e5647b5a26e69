import { median } from '../median.ts'

/** By how much the last third of a series may lie above the middle one. */
export interface Margin {
  /** Of the middle third. */
  readonly share: number
  /** In the series' own unit, on top of that. */
  readonly fixed: number
}

/** From how many measurements on they say something. */
const ENOUGH = 12

/**
 * Whether something that is at the same work all the time needs more and more: the median of the last third is compared with
 * that of the middle one. In the first third pools and caches fill.
 */
export function hasGrown(series: readonly number[], { share, fixed }: Margin): boolean {
  if (series.length < ENOUGH) return false
  const third = Math.floor(series.length / 3)
  const middle = median(series.slice(third, 2 * third))
  return median(series.slice(-third)) > middle * (1 + share) + fixed
}
