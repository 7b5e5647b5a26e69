/** Byte ranges and sets of them, as pure functions. */

/** A range of bytes, from `start` up to but not including `end`. */
export interface Range {
  readonly start: number
  readonly end: number
}

/** A set of bytes: ranges that are sorted, not empty, and neither overlap nor touch. */
export type Ranges = readonly Range[]

/** The length of `range` in bytes. */
export function lengthOf(range: Range): number {
  return Math.max(0, range.end - range.start)
}

/** How many bytes are in the set. */
export function total(ranges: Ranges): number {
  return ranges.reduce((sum, range) => sum + lengthOf(range), 0)
}

/** How many bytes from 0 on are in the set without a gap: the offset of tus. */
export function prefix(ranges: Ranges): number {
  const first = ranges[0]
  return first !== undefined && first.start === 0 ? first.end : 0
}

/** Whether the two ranges have a byte in common. */
export function overlap(a: Range, b: Range): boolean {
  return Math.max(a.start, b.start) < Math.min(a.end, b.end)
}

/** The set with the bytes of `range` in it. */
export function add(ranges: Ranges, range: Range): Ranges {
  if (lengthOf(range) === 0) return ranges
  const before = ranges.filter((r) => r.end < range.start)
  const after = ranges.filter((r) => r.start > range.end)
  const touching = ranges.slice(before.length, ranges.length - after.length)
  const start = Math.min(range.start, touching[0]?.start ?? range.start)
  const end = Math.max(range.end, touching.at(-1)?.end ?? range.end)
  return [...before, { start, end }, ...after]
}

/** The set of all bytes of the given ranges, which may be in any order and overlap. */
export function union(ranges: readonly Range[]): Ranges {
  const merged: { start: number; end: number }[] = []
  for (const { start, end } of ranges.filter((r) => lengthOf(r) > 0).sort((a, b) => a.start - b.start)) {
    const last = merged.at(-1)
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end)
    else merged.push({ start, end })
  }
  return merged
}

/** The bytes of `within` that are in the set. */
export function received(ranges: Ranges, within: Range): Ranges {
  return ranges
    .map((r) => ({ start: Math.max(r.start, within.start), end: Math.min(r.end, within.end) }))
    .filter((r) => lengthOf(r) > 0)
}

/** The bytes of `within` that are not in the set. */
export function missing(ranges: Ranges, within: Range): Ranges {
  const gaps: Range[] = []
  let start = within.start
  for (const r of received(ranges, within)) {
    if (r.start > start) gaps.push({ start, end: r.start })
    start = r.end
  }
  if (start < within.end) gaps.push({ start, end: within.end })
  return gaps
}

/** Whether every byte of `range` is in the set. */
export function covers(ranges: Ranges, range: Range): boolean {
  return missing(ranges, range).length === 0
}

/** Where the run of received bytes that contains `position` ends; `position` itself if that byte is not in the set. */
export function runEnd(ranges: Ranges, position: number): number {
  return ranges.find((r) => r.start <= position && position < r.end)?.end ?? position
}
