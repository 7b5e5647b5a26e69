import type { Presence } from './presence.ts'
import { parseSession, type Session, WITHOUT_SESSIONS } from './session-response.ts'

/** How long to wait before asking again after an unexpected response, in milliseconds. */
const ASK_AGAIN_AFTER = 2000

/** Headers of a request. */
export type Headers = Readonly<Record<string, string>>

/** Who the visitor is for a service, and the credentials of its requests. */
export class Visitor {
  readonly #url: string
  readonly #presence: Presence
  readonly #changed: () => void
  readonly #left: AbortSignal
  /** Headers of the embedding page, for instance with a fresh token. */
  moreHeaders: (() => Headers | Promise<Headers>) | null = null
  #session: Session | null = null
  /** The accepted token, in memory only. A `pending` one replaces it once the service has accepted that. */
  #token: string | null = null
  #pending: string | null = null
  #asking: { readonly offered: string | null; readonly done: Promise<void> } | null = null
  #expectant: (() => void)[] = []
  #signedOut: (() => void)[] = []

  /** `url` is that of the session; `changed` is called after every response about it. */
  constructor(url: string, presence: Presence, changed: () => void, left: AbortSignal) {
    this.#url = url
    this.#presence = presence
    this.#changed = changed
    this.#left = left
    // The visitor may have signed in, or out, in another tab.
    document.addEventListener('visibilitychange', () => this.#seen(), { signal: left })
  }

  /** The session; null until the service has responded. */
  get session(): Session | null {
    return this.#session
  }

  /** Resolves as soon as the session is known. */
  async known(): Promise<Session> {
    while (this.#session === null) await new Promise<void>((resolve) => this.#expectant.push(resolve))
    return this.#session
  }

  /** Whether the service asks for credentials that the visitor lacks. */
  get isSignedOut(): boolean {
    return this.#session !== null && !this.#session.signedIn
  }

  /** The headers that authenticate a request. Without any, there may be a cookie. */
  async credentials(): Promise<Headers> {
    return { ...authorization(this.#token), ...(await this.moreHeaders?.()) }
  }

  /** Takes a token, which replaces the current one if the service accepts it. */
  offer(token: string | null): void {
    this.#pending = token
    if (token === null) this.#token = null
    void this.refresh()
  }

  /** Asks for the session again. Resolves when the response to the newest token is in effect. */
  async refresh(): Promise<void> {
    const offered = this.#pending ?? this.#token
    if (this.#asking === null || this.#asking.offered !== offered) {
      this.#asking = { offered, done: this.#load(offered) }
    }
    const mine = this.#asking
    await mine.done
    if (this.#asking === mine) this.#asking = null
    else if (this.#asking !== null) await this.#asking.done
  }

  /** After a 401: waits until the visitor is signed in. Returns whether that was necessary. */
  async signedInAgain(): Promise<boolean> {
    await this.refresh()
    if (!this.isSignedOut) return false
    await new Promise<void>((resolve) => this.#signedOut.push(resolve))
    return true
  }

  #seen(): void {
    const auth = this.#session?.auth ?? 'none'
    if (document.visibilityState === 'visible' && auth !== 'none') void this.refresh()
  }

  async #load(offered: string | null): Promise<void> {
    const found = await this.#ask(offered)
    if (found === null || offered !== (this.#pending ?? this.#token)) return
    this.#pending = null
    // A token that the service does not accept must not end a valid session.
    if (!found.signedIn && offered !== this.#token && this.#session?.signedIn) return
    this.#token = found.auth === 'none' ? null : offered
    const isFirst = found.signedIn || this.#session === null
    this.#session = isFirst ? found : { ...(this.#session ?? found), auth: found.auth, signedIn: false }
    this.#changed()
    for (const resolve of this.#expectant.splice(0)) resolve()
    if (this.#session.signedIn) for (const resolve of this.#signedOut.splice(0)) resolve()
  }

  /** Asks until the service responds; null when the element has left. */
  async #ask(offered: string | null): Promise<Session | null> {
    while (!this.#left.aborted) {
      const headers = { ...authorization(offered), ...(await this.moreHeaders?.()) }
      const response = await fetch(this.#url, { headers, cache: 'no-store' }).catch(() => null)
      if (response?.ok) return parseSession(await response.text().catch(() => ''))
      if (response?.status === 404) return WITHOUT_SESSIONS
      // A proxy in front authenticates by itself.
      if (response?.status === 401) return { ...WITHOUT_SESSIONS, auth: 'forward', signedIn: false }
      if (!(await this.#presence.present())) await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_AFTER))
    }
    return null
  }
}

function authorization(token: string | null): Headers {
  return token === null ? {} : { Authorization: `Bearer ${token}` }
}
