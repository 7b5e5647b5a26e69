import type { Service } from '../service/service.ts'

/** Statuses of an upload to which the visitor can never get a link, and of one that no longer exists. */
const REFUSED = new Set([403, 404, 405, 410])
const GONE = new Set([404, 410])

/** How often links are checked, and after which share of its lifetime a link is renewed; milliseconds. */
const CHECK_EVERY = 10_000
const RENEW_AFTER = 0.5

interface Link {
  readonly url: string
  /** When to renew it; milliseconds of the browser's clock. */
  readonly renewAt: number
}

/**
 * A read-only link to a finished file, which expires. It is renewed while the page is visible, so that it is ready when
 * its user opens or copies it: after a request of its own, a browser might block a new tab.
 */
export class ReadLink {
  readonly #upload: string
  readonly #service: Service
  readonly #changed: () => void
  readonly #gone: () => void
  readonly #timer: ReturnType<typeof setInterval>
  readonly #left = new AbortController()
  #link: Link | null = null
  #isAsking = false

  /**
   * Gets a link to the file of an upload.
   *
   * @param changed called for each new link.
   * @param gone called when the file no longer exists.
   */
  constructor(upload: string, service: Service, changed: () => void, gone: () => void) {
    this.#upload = upload
    this.#service = service
    this.#changed = changed
    this.#gone = gone
    this.#timer = setInterval(() => this.#check(), CHECK_EVERY)
    document.addEventListener('visibilitychange', () => this.#check(), { signal: this.#left.signal })
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
    const response = await this.#service.fetch(`${this.#upload}/link`, { method: 'POST' }).catch(() => null)
    const link = response?.ok ? await linkIn(response).catch(() => null) : null
    this.#isAsking = false
    if (this.#left.signal.aborted) return
    if (response?.status === 401) void this.#service.visitor.refresh()
    if (response !== null && REFUSED.has(response.status)) this.drop()
    if (response !== null && GONE.has(response.status)) this.#gone()
    if (link === null) return
    this.#link = link
    this.#changed()
  }

  /** Stops renewing it. */
  drop(): void {
    clearInterval(this.#timer)
    this.#left.abort()
  }

  #check(): void {
    if (document.visibilityState !== 'hidden' && !this.#service.visitor.isSignedOut) void this.renew()
  }
}

/** Throws a SyntaxError if the response is no JSON. */
async function linkIn(response: Response): Promise<Link | null> {
  const { url, expires }: { url?: unknown; expires?: unknown } = await response.json()
  if (typeof url !== 'string' || typeof expires !== 'number' || !URL.canParse(url, response.url)) return null
  const link = new URL(url, response.url)
  // It becomes the address of a link: never a script of a service that is not to be trusted.
  if (!/^https?:$/.test(link.protocol)) return null
  // The clock of the browser may be wrong.
  const now = Date.parse(response.headers.get('Date') ?? '') || Date.now()
  return { url: link.href, renewAt: Date.now() + (expires * 1000 - now) * RENEW_AFTER }
}
