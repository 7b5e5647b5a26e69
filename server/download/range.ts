import parseRange from 'range-parser'
import type { Range } from '../core/ranges.ts'
import { modifiedSecond, parseHttpDate, strongMatch, type Validators } from './validators.ts'

/** The header fields of a GET that ask for a part, as they came. */
export interface RangeRequest {
  readonly range?: string | undefined
  readonly ifRange?: string | undefined
}

/** The bytes to send, from `start` up to but not including `end`, and with which status. */
export interface Part extends Range {
  readonly status: 200 | 206
}

/** What a GET is answered with: the whole file (200), a part of it (206), or nothing (416). */
export type Selection = Part | { readonly status: 416 }

/**
 * Which bytes of a file of `size` bytes a GET asks for (RFC 9110 §14.2). A server may ignore `Range`; it is ignored when
 * it is malformed or of an unknown unit, when it names several ranges, and when the file is empty: a suffix range of an
 * empty file is satisfiable (§14.1.2), but no `Content-Range` can say so (§14.4), and clients that put `bytes=0-` on
 * every request would take a 416 for a failure.
 */
export function select({ range, ifRange }: RangeRequest, size: number, validators: Validators): Selection {
  const whole: Part = { status: 200, start: 0, end: size }
  if (range === undefined || size === 0 || !isOneRange(range)) return whole
  if (ifRange !== undefined && !isCurrent(ifRange, validators)) return whole

  const parsed = parseRange(size, clipSuffix(range, size))
  if (parsed === -1) return { status: 416 }
  const first = parsed === -2 ? undefined : parsed[0]
  return first === undefined ? whole : { status: 206, start: first.start, end: first.end + 1 }
}

/** What the parser does not tell: another unit (they are case-insensitive, §14.1), several ranges, a backward one. */
function isOneRange(range: string): boolean {
  return /^bytes=[^,]*$/i.test(range) && !isBackward(range)
}

/** A range whose last byte lies before its first is invalid, not unsatisfiable (§14.1.1). */
function isBackward(range: string): boolean {
  const [, first, last] = /=\s*(\d+)\s*-\s*(\d+)\s*$/.exec(range) ?? []
  return Number(first) > Number(last)
}

/**
 * Whether the client's part belongs to the file as it is (RFC 9110 §13.1.5). A date must be the very one that was sent;
 * it is a strong validator here, as a finished file never changes (§8.8.2.2).
 */
function isCurrent(ifRange: string, validators: Validators): boolean {
  return strongMatch(ifRange.trim(), validators.etag) || parseHttpDate(ifRange) === modifiedSecond(validators)
}

/** A suffix that is longer than the file means the whole of it (§14.1.2); the parser calls it unsatisfiable. */
function clipSuffix(range: string, size: number): string {
  return range.replace(/=\s*-\s*(\d+)\s*$/, (suffix, length) => (Number(length) > size ? `=-${size}` : suffix))
}
