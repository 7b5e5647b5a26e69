/** Received bytes, from `start` up to but not including `end`. */
export interface Span {
  readonly start: number
  readonly end: number
}

/**
 * How much of each cell has been received, from 0 to 1. A file is cut into cells of equal size; the last may be
 * shorter.
 *
 * @param spans in order, disjoint.
 * @param size of the file, in bytes.
 * @param cell size of a cell, in bytes.
 */
export function sharesOf(spans: readonly Span[], size: number, cell: number): Float64Array<ArrayBuffer> {
  const shares = new Float64Array(Math.max(1, Math.ceil(size / cell)))
  if (size === 0) return shares.fill(1)
  for (const { start, end } of spans) {
    for (let index = Math.floor(start / cell); index * cell < end && index < shares.length; index += 1) {
      const from = index * cell
      const until = Math.min(size, from + cell)
      const received = Math.min(end, until) - Math.max(start, from)
      shares[index] = (shares[index] ?? 0) + received / (until - from)
    }
  }
  return shares
}

/** The spans between `spans`, up to `size`. @param spans in order, disjoint. */
export function gapsOf(spans: readonly Span[], size: number): Span[] {
  const gaps: Span[] = []
  let position = 0
  for (const { start, end } of spans) {
    if (start > position) gaps.push({ start: position, end: start })
    position = Math.max(position, end)
  }
  if (position < size) gaps.push({ start: position, end: size })
  return gaps
}

/** Runs of numbers as text: `0, 2–4`. @param most of the runs that are named. */
export function listed(runs: readonly Span[], most: number): string {
  const parts = runs.slice(0, most).map(({ start, end }) => (end - start === 1 ? `${start}` : `${start}–${end - 1}`))
  return [...parts, ...(runs.length > most ? ['…'] : [])].join(', ')
}
