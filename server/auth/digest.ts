import { createHmac } from 'node:crypto'

/** A keyed digest of texts, 32 hex characters. Each is prefixed with its length, so that no two lists collide. */
export function digestOf(key: Buffer | string, purpose: string, parts: readonly string[]): string {
  const hmac = createHmac('sha256', key).update(purpose)
  for (const part of parts) hmac.update(`|${Buffer.byteLength(part)}:${part}`)
  return hmac.digest('hex').slice(0, 32)
}
