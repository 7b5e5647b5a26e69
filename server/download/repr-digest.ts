import type { Context } from 'koa'
import type { Algorithm } from '../core/digest.ts'
import { withPatience } from '../core/patience.ts'
import type { DownloadableFile } from './download.ts'

/** The names of RFC 9530 §5 for what is computed here, the best first. */
const NAMES: ReadonlyMap<string, Algorithm> = new Map([
  ['sha-256', 'sha256'],
  ['sha', 'sha1'],
  ['md5', 'md5'],
])
/** How long an answer waits for a digest that is not known yet, in milliseconds; a later one will have it. */
const PATIENCE = 10_000

/**
 * `Repr-Digest`, when the client wants it (RFC 9530 §4): the digest of the whole file, whatever part of it is sent. A digest
 * that takes too long, or cannot be computed, is left out.
 */
export async function reprDigest(ctx: Context, file: DownloadableFile): Promise<Record<string, string>> {
  const name = wanted(ctx.get('Want-Repr-Digest'))
  const algorithm = NAMES.get(name ?? '')
  if (name === undefined || algorithm === undefined) return {}
  const digest = await withPatience(file.digest(algorithm), PATIENCE, 'The digest is still being computed.').catch(
    () => undefined,
  )
  return digest === undefined ? {} : { 'Repr-Digest': `${name}=:${digest.toString('base64')}:` }
}

/** The known algorithm that a client prefers: a dictionary of weights from 1 to 10, 0 for none (RFC 9530 §4). */
function wanted(header: string): string | undefined {
  const weights = new Map<string, number>()
  for (const member of header.split(',')) {
    const found = /^([a-z*][a-z0-9_.*-]*)=(10|\d)$/.exec(member.trim())
    if (found?.[1] !== undefined) weights.set(found[1], Number(found[2]))
  }
  const known = [...NAMES.keys()].filter((name) => (weights.get(name) ?? 0) > 0)
  return known.sort((a, b) => (weights.get(b) ?? 0) - (weights.get(a) ?? 0))[0]
}
