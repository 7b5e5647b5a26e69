import { createRemoteJWKSet, customFetch, type FetchImplementation, type RemoteJWKSet } from 'jose'
import { unavailable } from './refusals.ts'

/** Maximum size of a key set, in bytes, and maximum keys. */
const MAX_BYTES = 256 * 1024
const MAX_KEYS = 100

/** Maximum duration of a request, in milliseconds. */
const TIMEOUT = 5_000

/** How long keys are used before they are fetched again, in milliseconds. */
const MAX_AGE = 10 * 60_000

/** Minimum time after a request before an unknown key, or a failure, causes the next one. Milliseconds. */
const COOLDOWN = 10_000

/**
 * The public keys at a URL. The header of a token selects one by `kid`; it can name no other place (`jku`, `x5u`).
 *
 * @returns a function that throws UploadError `auth_unavailable` when the keys cannot be fetched.
 */
export function remoteKeys(url: string): RemoteJWKSet {
  return createRemoteJWKSet(new URL(url), {
    timeoutDuration: TIMEOUT,
    cacheMaxAge: MAX_AGE,
    cooldownDuration: COOLDOWN,
    [customFetch]: boundedFetch(),
  })
}

/** Fetches a key set, if the last attempt has not just failed. jose itself waits only after a success. */
function boundedFetch(): FetchImplementation {
  let last: { readonly failure: unknown; readonly at: number } | undefined
  return async (url, options) => {
    if (last !== undefined && Math.abs(Date.now() - last.at) < COOLDOWN) throw unavailable(last.failure)
    try {
      const text = await keySetAt(url, options)
      last = undefined
      return new Response(text)
    } catch (error) {
      const failure = new Error(`The keys at JWKS_URL could not be read: ${reasonOf(error)}`)
      last = { failure, at: Date.now() }
      throw unavailable(failure)
    }
  }
}

async function keySetAt(url: string, options: Parameters<FetchImplementation>[1]): Promise<string> {
  const response = await fetch(url, options)
  if (response.status !== 200) {
    await response.body?.cancel()
    throw new Error(`the response has status ${response.status}.`)
  }
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of response.body ?? []) {
    size += piece.length
    if (size > MAX_BYTES) throw new Error(`the response has more than ${MAX_BYTES} bytes.`)
    pieces.push(piece)
  }
  const text = Buffer.concat(pieces).toString()
  const set: unknown = JSON.parse(text)
  const keys = typeof set === 'object' && set !== null && 'keys' in set ? set.keys : undefined
  if (!Array.isArray(keys)) throw new Error('the response is no key set.')
  if (keys.length > MAX_KEYS) throw new Error(`the key set has more than ${MAX_KEYS} keys.`)
  return text
}

/** The reason of a failed request, which `fetch` keeps in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}
