import { waitAtMost } from '../core/deadline.ts'
import type { Algorithm } from '../core/digest.ts'
import { formatDigest, preferredDigest } from './digest-fields.ts'

/** How long a response waits for a digest that is not known yet, in milliseconds; a later one will have it. */
const MAX_WAIT_FOR_DIGEST = 10_000

/**
 * `Repr-Digest`, if the client wants it (RFC 9530 §4): the digest of the whole file, whatever range is sent. It is
 * omitted if it takes too long or cannot be computed.
 *
 * @param want the value of `Want-Repr-Digest`; empty if absent.
 */
export async function reprDigest(
  want: string,
  file: { digest(algorithm: Algorithm): Promise<Buffer> },
): Promise<Record<string, string>> {
  const wanted = preferredDigest(want)
  if (wanted === undefined) return {}
  const computed = file.digest(wanted.algorithm)
  const digest = await waitAtMost(MAX_WAIT_FOR_DIGEST, computed, 'The digest is still being computed.').catch(
    () => undefined,
  )
  return digest === undefined ? {} : { 'Repr-Digest': formatDigest(wanted.name, digest) }
}
