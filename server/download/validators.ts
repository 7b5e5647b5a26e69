import { wholeSeconds } from './http-date.ts'

/** What tells one state of a resource from another (RFC 9110 §8.8). */
export interface Validators {
  /** With its quotes, and with `W/` if it is weak. */
  readonly etag: string
  readonly lastModified: Date
}

/** Commas may be inside an entity tag, so that a list cannot be split at them (RFC 9110 §8.8.3). */
const ENTITY_TAG = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g

/** The entity tags of a list, in order; what is no entity tag is left out. */
export function entityTags(list: string): string[] {
  return list.match(ENTITY_TAG) ?? []
}

/** Strong comparison: the same, and neither weak (RFC 9110 §8.8.3.2). */
export function strongMatch(a: string, b: string): boolean {
  return a === b && !a.startsWith('W/')
}

/** Weak comparison: the same but for `W/` (RFC 9110 §8.8.3.2). */
export function weakMatch(a: string, b: string): boolean {
  return a.replace(/^W\//, '') === b.replace(/^W\//, '')
}

/** The moment of `Last-Modified` as clients are told it: ms since 1970, whole seconds. */
export function modifiedSecond(validators: Validators): number {
  return wholeSeconds(validators.lastModified.getTime())
}
