/**
 * Ids of the usual forms take half of their characters: 16 bytes for those of tus and the draft, 34 for those of
 * WebUploader files. Ids of one kind are in the order of their texts.
 */

/** The first byte of a packed id. `LAST` is after every id. */
export const RANDOM = 0
export const OF_PAGE = 1
export const OTHER = 2
export const LAST = 255

/** Group, name, and sender of a WebUploader file, as hexadecimal digits. */
const PAGE_PARTS = [20, 16, 32] as const
const PAGE_ID = /^[0-9a-f]{20}\.[0-9a-f]{16}\.[0-9a-f]{32}$/
const RANDOM_ID = /^[0-9a-f]{32}$/
const NO_PREFIX = /[^0-9a-f]/

/** A kind and bytes. Those of `OTHER` begin with their length. */
export function packId(id: string): Buffer {
  if (RANDOM_ID.test(id)) return Buffer.concat([Buffer.from([RANDOM]), Buffer.from(id, 'hex')])
  if (PAGE_ID.test(id)) return Buffer.concat([Buffer.from([OF_PAGE]), Buffer.from(id.replaceAll('.', ''), 'hex')])
  const text = Buffer.from(id, 'latin1')
  return Buffer.concat([Buffer.from([OTHER, text.length]), text])
}

/** How many bytes the packed id at `start` has. */
export function packedIdLength(bytes: Uint8Array, start: number): number {
  const kind = bytes[start]
  if (kind === RANDOM) return 17
  if (kind === OF_PAGE) return 35
  return kind === OTHER ? 2 + (bytes[start + 1] ?? 0) : 1
}

export function unpackId(bytes: Buffer, start: number): string {
  const kind = bytes[start]
  if (kind === RANDOM) return bytes.toString('hex', start + 1, start + 17)
  if (kind === OF_PAGE) {
    const digits = bytes.toString('hex', start + 1, start + 35)
    return `${digits.slice(0, 20)}.${digits.slice(20, 36)}.${digits.slice(36)}`
  }
  return bytes.toString('latin1', start + 2, start + packedIdLength(bytes, start))
}

/** For each kind with ids that may begin with `prefix`: a packed id that none of them is before. */
export function firstWithPrefix(prefix: string): readonly Buffer[] {
  const found = [lowestOther(prefix)]
  if (prefix.length <= 32 && !NO_PREFIX.test(prefix)) {
    found.push(Buffer.concat([Buffer.from([RANDOM]), Buffer.from(prefix.padEnd(32, '0'), 'hex')]))
  }
  const template = PAGE_PARTS.map((length) => '0'.repeat(length)).join('.')
  const filled = prefix + template.slice(prefix.length)
  if (PAGE_ID.test(filled)) found.push(packId(filled))
  return found
}

/** Before the bytes comes their length, which is not part of the order. */
function lowestOther(prefix: string): Buffer {
  const text = Buffer.from(prefix, 'latin1')
  return Buffer.concat([Buffer.from([OTHER, text.length]), text])
}

/** Compares two packed ids. */
export function compareIds(a: Uint8Array, startA: number, b: Uint8Array, startB: number): number {
  const kind = a[startA] ?? 0
  const difference = kind - (b[startB] ?? 0)
  if (difference !== 0) return difference
  if (kind !== OTHER) {
    const length = kind === RANDOM ? 17 : kind === OF_PAGE ? 35 : 1
    for (let i = 1; i < length; i++) {
      const difference = (a[startA + i] ?? 0) - (b[startB + i] ?? 0)
      if (difference !== 0) return difference
    }
    return 0
  }
  const lengthA = a[startA + 1] ?? 0
  const lengthB = b[startB + 1] ?? 0
  const common = Math.min(lengthA, lengthB)
  for (let i = 2; i < 2 + common; i++) {
    const difference = (a[startA + i] ?? 0) - (b[startB + i] ?? 0)
    if (difference !== 0) return difference
  }
  return lengthA - lengthB
}
