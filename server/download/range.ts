import parseRange from 'range-parser'
import type { Range } from '../core/ranges.ts'
import { modifiedSecond, parseHttpDate, strongMatch, type Validators } from './validators.ts'

/** The header fields of a GET that request a range, as sent. */
export interface RangeRequest {
  readonly range?: string | undefined
  readonly ifRange?: string | undefined
}

/** The bytes to send, from `start` up to, but not including, `end`, and the status. */
export interface Selected extends Range {
  readonly status: 200 | 206
}

/** The response to a GET: the whole file (200), a part (206), or nothing (416). */
export type Selection = Selected | { readonly status: 416 }

/**
 * Selects the bytes that a GET requests of a file of `size` bytes (RFC 9110 §14.2). A server may ignore `Range`. This
 * one does if it is malformed, has an unknown unit or several ranges, or the file is empty: a suffix range of an empty
 * file is satisfiable (§14.1.2), but no `Content-Range` can express it (§14.4). Clients that send `bytes=0-` with every
 * request would treat a 416 as a failure.
 */
export function select({ range, ifRange }: RangeRequest, size: number, validators: Validators): Selection {
  const whole: Selected = { status: 200, start: 0, end: size }
  if (range === undefined || size === 0 || !isOneRange(range)) return whole
  if (ifRange !== undefined && !isCurrent(ifRange, validators)) return whole

  const parsed = parseRange(size, clipSuffix(range, size))
  if (parsed === -1) return { status: 416 }
  const first = parsed === -2 ? undefined : parsed[0]
  return first === undefined ? whole : { status: 206, start: first.start, end: first.end + 1 }
}

/** The parser does not report another unit (units are case-insensitive, §14.1), several ranges, or a backward one. */
function isOneRange(range: string): boolean {
  return /^bytes=[^,]*$/i.test(range) && !isBackward(range)
}

/** A range whose last byte lies before its first is invalid, not unsatisfiable (§14.1.1). */
function isBackward(range: string): boolean {
  const [, first, last] = /=\s*(\d+)\s*-\s*(\d+)\s*$/.exec(range) ?? []
  return Number(first) > Number(last)
}

/**
 * Whether the client's part belongs to the current file (RFC 9110 §13.1.5). A date must equal that of the response; it
 * is a strong validator here, because a finished file never changes (§8.8.2.2).
 */
function isCurrent(ifRange: string, validators: Validators): boolean {
  return strongMatch(ifRange.trim(), validators.etag) || parseHttpDate(ifRange) === modifiedSecond(validators)
}

/** A suffix longer than the file selects all of it (§14.1.2); the parser calls it unsatisfiable. */
function clipSuffix(range: string, size: number): string {
  return range.replace(/=\s*-\s*(\d+)\s*$/, (suffix, length) => (Number(length) > size ? `=-${size}` : suffix))
}
