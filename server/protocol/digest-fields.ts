import { type Dictionary, type Item, parseDictionary } from 'structured-headers'
import type { Algorithm } from '../core/digest.ts'
import type { Digests } from './verified-source.ts'

/** The supported algorithms by their names of RFC 9530 §5, the best first. */
const NAMES: ReadonlyMap<string, Algorithm> = new Map([
  ['sha-256', 'sha256'],
  ['sha-512', 'sha512'],
  ['sha', 'sha1'],
  ['md5', 'md5'],
])

/** The supported digests of a `Content-Digest` or `Repr-Digest` (RFC 9530 §2, §3); others are ignored. */
export function parseDigests(header: string): Digests {
  const digests = new Map<Algorithm, Buffer>()
  for (const [name, [value]] of dictionary(header)) {
    const algorithm = NAMES.get(name)
    if (algorithm !== undefined && value instanceof ArrayBuffer) digests.set(algorithm, Buffer.from(value))
  }
  return digests
}

/** A field value with one digest. */
export function formatDigest(name: string, digest: Buffer): string {
  return `${name}=:${digest.toString('base64')}:`
}

/** The supported algorithm that a client prefers, by weights from 1 to 10; 0 excludes one (RFC 9530 §4). */
export function preferredDigest(header: string): { readonly name: string; readonly algorithm: Algorithm } | undefined {
  const weights = dictionary(header)
  const weight = (name: string): number => {
    const value = weights.get(name)?.[0]
    return typeof value === 'number' && Number.isInteger(value) && value <= 10 ? value : 0
  }
  const [best] = [...NAMES].filter(([name]) => weight(name) > 0).sort(([a], [b]) => weight(b) - weight(a))
  return best === undefined ? undefined : { name: best[0], algorithm: best[1] }
}

function dictionary(header: string): Dictionary | ReadonlyMap<string, Item> {
  if (header === '') return new Map<string, Item>()
  try {
    return parseDictionary(header)
  } catch {
    return new Map<string, Item>()
  }
}
