import { credentials, isSignedOut, onSession, refreshSession } from './session.ts'

/** Statuses of an upload to which the visitor can never get a link. */
const REFUSED = new Set([403, 404, 405, 410])

/** How often links are checked, and after which share of its lifetime a link is renewed; milliseconds. */
const CHECK_EVERY = 10_000
const RENEW_AFTER = 0.5

interface Link {
  readonly url: string
  /** When to renew it; milliseconds of the browser's clock. */
  readonly renewAt: number
}

const kept = new Set<ReadLink>()

/**
 * A read-only link to a finished file, which expires. It is renewed while the page is visible, so that it is ready when
 * its user opens or copies it: after a request of its own, a browser might block a new tab.
 */
export class ReadLink {
  readonly #upload: string
  readonly #changed: () => void
  #link: Link | null = null
  #isAsking = false

  /** Gets a link to the file of an upload. `changed` is called for each new link. */
  constructor(upload: string, changed: () => void) {
    this.#upload = upload
    this.#changed = changed
    kept.add(this)
    void this.renew()
  }

  /** The link, once there is one. */
  get url(): string | null {
    return this.#link?.url ?? null
  }

  /** Renews the link if that is due. Never throws: without success, the next check tries again. */
  async renew(): Promise<void> {
    if (this.#isAsking || Date.now() < (this.#link?.renewAt ?? 0)) return
    this.#isAsking = true
    const response = await askLink(this.#upload).catch(() => null)
    const link = response?.ok ? await linkIn(response).catch(() => null) : null
    this.#isAsking = false
    if (response?.status === 401) void refreshSession()
    if (response !== null && REFUSED.has(response.status)) this.drop()
    if (link === null || !kept.has(this)) return
    this.#link = link
    this.#changed()
  }

  /** Stops renewing it. */
  drop(): void {
    kept.delete(this)
  }
}

function askLink(upload: string): Promise<Response> {
  return fetch(`${upload}/link`, { method: 'POST', headers: credentials(), cache: 'no-store' })
}

/** Throws a SyntaxError if the response is no JSON. */
async function linkIn(response: Response): Promise<Link | null> {
  const { url, expires }: { url?: unknown; expires?: unknown } = await response.json()
  if (typeof url !== 'string' || typeof expires !== 'number' || !URL.canParse(url, response.url)) return null
  // The clock of the browser may be wrong.
  const now = Date.parse(response.headers.get('Date') ?? '') || Date.now()
  return { url: new URL(url, response.url).href, renewAt: Date.now() + (expires * 1000 - now) * RENEW_AFTER }
}

function renewAll(): void {
  if (document.visibilityState === 'hidden' || isSignedOut()) return
  for (const link of kept) void link.renew()
}

setInterval(renewAll, CHECK_EVERY)
document.addEventListener('visibilitychange', renewAll)
onSession(renewAll)
