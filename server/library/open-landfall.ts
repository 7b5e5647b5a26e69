import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Embedding } from '../embedding.ts'
import { openService } from '../service.ts'
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
   * Opens a server of its own, at the options `host` and `port`, or `unixSocket`.
   *
   * @returns `http://host:port`, or `unix:path`.
   * @throws Error with a sentence when it is not available.
   */
  readonly listen: () => Promise<string>
  /** Refuses new work; running requests may continue for `drain` seconds, then they are interrupted. */
  readonly close: () => Promise<void>
}

/** What the program does in addition, before it closes the service. */
export interface Program extends Landfall {
  /** Makes `/readyz` report 503; requests are still accepted. */
  readonly leave: () => void
}

/** Opens the service. @throws Error like `createLandfall`. */
export async function openLandfall(settings: Settings, embedding: Embedding): Promise<Program> {
  const { log } = embedding
  const service = await openService(settings, embedding)
  const mounted = new Mounted(service, settings.BASE_PATH, settings.IDLE_TIMEOUT, (sentence) => log.warn(sentence))
  const { fetch } = new Fetched(mounted.handler, settings.IDLE_TIMEOUT)
  let closing: Promise<void> | undefined
  return {
    handler: mounted.handler,
    koa: () => mounted.koa,
    fetch,
    events: new LandfallEvents(service.events, (error) => log.error({ err: error }, 'An event listener failed.')),
    uploads: new StoredUploads(service.uploads),
    listen: service.listen,
    leave: service.leave,
    close: () => {
      closing ??= service.close((timeout) => mounted.drain(timeout)).then(() => mounted.interrupt())
      return closing
    },
  }
}
