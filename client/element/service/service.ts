import { Presence } from './presence.ts'
import { Visitor } from './session.ts'

/** The service to which an element uploads. */
export class Service {
  /** Where uploads are created; absolute, because tus-js-client resolves relative locations against it. */
  readonly endpoint: string
  readonly presence: Presence
  readonly visitor: Visitor
  /** Maximum bytes of a request, as far as a proxy has shown it. */
  maxRequest = Number.POSITIVE_INFINITY

  /**
   * @param endpoint an absolute URL; `readyz` and `session` are next to it.
   * @param changed called when the service leaves or returns, and after every response about the session.
   * @param left aborts when the element is removed.
   */
  constructor(endpoint: string, changed: () => void, left: AbortSignal) {
    this.endpoint = endpoint.replace(/\/$/, '')
    this.presence = new Presence(new URL('readyz', this.endpoint).href, changed, left)
    this.visitor = new Visitor(new URL('session', this.endpoint).href, this.presence, changed, left)
  }

  /** `fetch` with the credentials of the visitor, past every cache. */
  async fetch(url: string, init: RequestInit & { headers?: Record<string, string> } = {}): Promise<Response> {
    const headers = { ...init.headers, ...(await this.visitor.credentials()) }
    return fetch(url, { ...init, headers, cache: 'no-store' })
  }
}
