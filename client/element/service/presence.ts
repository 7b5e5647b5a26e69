/** Timeout of a probe, and the minimum and maximum delay between two, in milliseconds. */
const PROBE_TIMEOUT = 5_000
const MIN_DELAY = 500
const MAX_DELAY = 10_000

/** Statuses of a proxy that cannot reach the service, and of a service that is stopping. */
const AWAY = new Set([502, 503, 504])

/** Whether a service is available. */
export class Presence {
  readonly #probe: string
  readonly #changed: () => void
  readonly #left: AbortSignal
  #away = false
  #waiting: Promise<boolean> | null = null

  /** `probe` is the URL of the readiness probe; `changed` is called when the service leaves, and when it is back. */
  constructor(probe: string, changed: () => void, left: AbortSignal) {
    this.#probe = probe
    this.#changed = changed
    this.#left = left
  }

  /** Whether the last probe found the service unavailable. */
  get isAway(): boolean {
    return this.#away
  }

  /** Waits until the service is available. All callers share one probe. Returns whether it was unavailable. */
  present(): Promise<boolean> {
    this.#waiting ??= this.#wait().finally(() => {
      this.#waiting = null
    })
    return this.#waiting
  }

  async #wait(): Promise<boolean> {
    if (await this.#responds()) return false
    this.#setAway(true)
    for (let delay = MIN_DELAY; !this.#left.aborted; delay = Math.min(delay * 2, MAX_DELAY)) {
      // The jitter keeps all pages from returning at the same time.
      await this.#pause(delay * (0.5 + Math.random() / 2))
      if (await this.#responds()) break
    }
    this.#setAway(false)
    return true
  }

  async #responds(): Promise<boolean> {
    try {
      const { status } = await fetch(this.#probe, { cache: 'no-store', signal: AbortSignal.timeout(PROBE_TIMEOUT) })
      return !AWAY.has(status)
    } catch {
      return false
    }
  }

  /** Waits for `ms` milliseconds, or until the browser is online again or the page becomes visible. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const ended = new AbortController()
      const end = (): void => {
        clearTimeout(timer)
        ended.abort()
        resolve()
      }
      const timer = setTimeout(end, ms)
      const { signal } = ended
      this.#left.addEventListener('abort', end, { signal })
      window.addEventListener('online', end, { signal })
      document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && end(), { signal })
    })
  }

  #setAway(isNow: boolean): void {
    this.#away = isNow
    this.#changed()
  }
}
