import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Embedding, openService } from '../service.ts'
import type { Settings } from '../settings.ts'
import { LandfallEvents } from './events.ts'
import { type ConnectionFacts, Fetched } from './fetched.ts'
import { type KoaContext, Mounted, type Next } from './mounted.ts'
import { StoredUploads } from './stored-uploads.ts'

/** A service in the process of an application. Every member can be passed on by itself. */
export interface Landfall {
  /** Answers requests for Express, Connect, Nest, and servers of `node:http`. */
  readonly handler: (request: IncomingMessage, response: ServerResponse, next?: Next) => void
  /** Middleware for Koa. */
  readonly koa: () => (ctx: KoaContext, next: () => Promise<unknown>) => Promise<void>
  /** Answers requests of the Fetch API, for Next.js, Hono, and others. */
  readonly fetch: (request: Request, facts?: ConnectionFacts) => Promise<Response>
  /** What happens to uploads. */
  readonly events: Pick<LandfallEvents, 'on'>
  /** The uploads in the store. */
  readonly uploads: Pick<StoredUploads, 'get' | 'list' | 'open' | 'remove'>
  /**
   * Opens a server of its own, at the options `host` and `port`.
   *
   * @returns `http://host:port`.
   * @throws Error with a sentence when the port is not available.
   */
  readonly listen: () => Promise<string>
  /** Refuses new work; running requests may continue for `drain` seconds, then they are interrupted. */
  readonly close: () => Promise<void>
}

/** Opens the service. @param basePath as in `LandfallOptions`; empty for none. @throws Error like `createLandfall`. */
export async function openLandfall(settings: Settings, embedding: Embedding, basePath: string): Promise<Landfall> {
  const { log } = embedding
  const service = await openService(settings, embedding)
  const mounted = new Mounted(service, basePath, settings.IDLE_TIMEOUT, (sentence) => log.warn(sentence))
  const { fetch } = new Fetched(mounted.handler, settings.IDLE_TIMEOUT)
  let closing: Promise<void> | undefined
  return {
    handler: mounted.handler,
    koa: () => mounted.koa,
    fetch,
    events: new LandfallEvents(service.events, (error) => log.error({ err: error }, 'An event listener failed.')),
    uploads: new StoredUploads(service.uploads),
    listen: service.listen,
    close: () => {
      closing ??= service.close((timeout) => mounted.drain(timeout)).then(() => mounted.interrupt())
      return closing
    },
  }
}
