import { createHmac } from 'node:crypto'

/** The key in a secret of Standard Webhooks; `undefined` if it is not one of 24 to 64 bytes. */
export function keyOf(secret: string): Buffer | undefined {
  const text = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1]
  const key = Buffer.from(text ?? '', 'base64')
  return key.length >= 24 && key.length <= 64 ? key : undefined
}

/** The keys in a list of secrets, separated by spaces. */
export function keysOf(secrets: string): readonly Buffer[] {
  return secrets.split(/ +/).flatMap((secret) => keyOf(secret) ?? [])
}

/**
 * The headers of an attempt, names and values in turns (Standard Webhooks 1.0.0): one signature for each key.
 *
 * @param time milliseconds.
 */
export function signedHeaders(id: string, time: number, body: string, keys: readonly Buffer[]): readonly string[] {
  const timestamp = String(Math.floor(time / 1000))
  const sign = (key: Buffer): string => createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  const headers = ['webhook-id', id, 'webhook-timestamp', timestamp]
  if (keys.length > 0) headers.push('webhook-signature', keys.map((key) => `v1,${sign(key)}`).join(' '))
  return headers
}
