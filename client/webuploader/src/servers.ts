import type { Uploader } from './library.ts'
import { objectOf, Server, textOf, timed } from './server.ts'

/** A page must not wait longer for a server that does not answer. Milliseconds. */
const TIMEOUT = 5_000

/** By the URL for chunks: the service, or `undefined` for another server. */
const known = new Map<string, Promise<Server | undefined>>()

/**
 * The service to which an uploader sends its chunks; `undefined` if that is another server. Each URL is asked once.
 *
 * @param base of the service, if the URL for chunks does not tell it.
 */
export async function serverAt({ options }: Uploader, base: string): Promise<Server | undefined> {
  const url = new URL(options.server, document.baseURI)
  const found = known.get(url.href) ?? ask(url, base, options.withCredentials ? 'include' : 'same-origin')
  known.set(url.href, found)
  try {
    return await found
  } catch {
    // The next file asks again.
    known.delete(url.href)
    return undefined
  }
}

/** Asks by one GET, which changes nothing on any server. Rejects without a response. */
async function ask(url: URL, base: string, credentials: RequestCredentials): Promise<Server | undefined> {
  const probe = new URL(url)
  probe.searchParams.set('landfall', '1')
  const response = await timed(TIMEOUT, probe.href, { credentials, cache: 'no-store' })
  const { landfall, field } = objectOf(await response.json().catch(() => undefined))
  if (landfall !== 1) return undefined
  const own = /^(.*\/)upload\/accept\/?$/.exec(url.origin + url.pathname)?.[1]
  return new Server(own ?? base, credentials, textOf(field))
}
