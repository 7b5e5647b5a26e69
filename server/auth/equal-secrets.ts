import { hash, timingSafeEqual } from 'node:crypto'

/** Compares two secrets. Takes the same time for every wrong one. */
export function isEqual(a: string, b: string): boolean {
  return timingSafeEqual(hash('sha256', a, 'buffer'), hash('sha256', b, 'buffer'))
}
