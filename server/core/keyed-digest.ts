import { createHmac } from 'node:crypto'

/** A keyed digest of texts (HMAC-SHA256), 64 hex characters. Each has its length before it, so no two lists collide. */
export function keyedDigest(key: Buffer | string, purpose: string, parts: readonly (string | undefined)[]): string {
  const hmac = createHmac('sha256', key).update(purpose)
  for (const part of parts) hmac.update(part === undefined ? '|-' : `|${Buffer.byteLength(part)}:${part}`)
  return hmac.digest('hex')
}
