import type { IncomingMessage, ServerResponse } from 'node:http'
import { fileURLToPath } from 'node:url'
import pino, { type Logger } from 'pino'
import type { Authorize } from './library/authorization.ts'
import { type DecisionOptions, decisionsOf } from './library/decisions.ts'
import { LandfallEvents } from './library/events.ts'
import { type ConnectionFacts, Fetched } from './library/fetched.ts'
import { type KoaContext, Mounted, type Next } from './library/mounted.ts'
import { type SettingOptions, settingsOf } from './library/options.ts'
import { StoredUploads } from './library/stored-uploads.ts'
import { type Embedding, openService } from './service.ts'
import type { Settings } from './settings.ts'

export type { Answer } from './core/answer.ts'
export type { RequestInfo } from './core/current-request.ts'
export type { EventType } from './core/events.ts'
export type { Action } from './core/principal.ts'
export type { AuthorizeRequest, Grant } from './library/authorization.ts'
export type { CreationAnswer } from './library/decisions.ts'
export type { LandfallEvent } from './library/events.ts'
export { Refusal } from './library/refusal.ts'
export type { ByteRange } from './library/stored-uploads.ts'
export type { StoredView, UploadView } from './library/view.ts'
export type { Authorize, ConnectionFacts, KoaContext, LandfallEvents, Next, SettingOptions, StoredUploads }

/** The options of `createLandfall`: every setting, and what only an application in the same process can say. */
export interface LandfallOptions extends SettingOptions, DecisionOptions {
  /** Directory for uploads and finished files. One process at a time uses it. */
  readonly dataDir: string
  /**
   * The path of the service in URLs, such as `/uploads`, where the server of the application passes it on. Routers that
   * strip the path below which they mount a handler (Express, Connect) need none.
   */
  readonly basePath?: string | undefined
  /** Whether WebUploader pages can upload, to `/upload/accept`, `/upload/complete`, and `/check`. */
  readonly webUploader?: boolean | undefined
  /** Whether there are the pages of the service at `/` and `/legacy`, `/session`, and health checks. */
  readonly pages?: boolean | undefined
  /** Decides on whose behalf a request runs. Without it, the setting `auth` decides. */
  readonly authorize?: Authorize | undefined
  /** Receives the log. By default, it goes to standard error. */
  readonly logger?: Logger | undefined
}

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

/** The pages that are built with the program. */
const PAGES = fileURLToPath(new URL('../client', import.meta.url))

/**
 * Opens an upload service in this process. It handles no signals, reads no environment variables, and never ends the
 * process.
 *
 * @throws Error with a sentence when an option is wrong, or the directory cannot be used or belongs to a running process.
 */
export async function createLandfall(options: LandfallOptions): Promise<Landfall> {
  const { basePath = '', webUploader = false, pages = false, authorize, logger, ...others } = options
  const { beforeCreate, beforeFinish, beforeDelete, ...settingOptions } = others
  if (basePath !== '' && !/^(?:\/[A-Za-z0-9._~-]+)+$/.test(basePath)) {
    throw new Error('basePath must be a path like /uploads, without a slash at its end.')
  }
  const settings = settingsOf(settingOptions)
  const log = logger ?? logOf(settings)
  const decisions = decisionsOf({ beforeCreate, beforeFinish, beforeDelete }, (id, error) => {
    log.error({ id, err: error }, 'beforeFinish failed; the file stays pending, and the function is called again.')
  })
  return openLandfall(
    settings,
    { log, webUploader, pagesFolder: pages ? PAGES : undefined, decisions, authorize },
    basePath,
  )
}

/** The program: a service with everything. @throws Error with a sentence for the operator. */
export function openProgram(settings: Settings, changed: Partial<Embedding> = {}): Promise<Landfall> {
  return openLandfall(settings, { log: logOf(settings), webUploader: true, pagesFolder: PAGES, ...changed }, '')
}

async function openLandfall(settings: Settings, embedding: Embedding, basePath: string): Promise<Landfall> {
  const { log } = embedding
  const service = await openService(settings, embedding)
  const mounted = new Mounted(service, basePath, settings.IDLE_TIMEOUT, (sentence) => log.warn(sentence))
  const { fetch } = new Fetched(mounted.handler)
  let closing: Promise<void> | undefined
  return {
    handler: mounted.handler,
    koa: () => mounted.koa,
    fetch,
    events: new LandfallEvents(service.events, (error) => log.error({ err: error }, 'A listener of events failed.')),
    uploads: new StoredUploads(service.uploads),
    listen: service.listen,
    close: () => {
      closing ??= service.close((timeout) => mounted.drain(timeout)).then(() => mounted.interrupt())
      return closing
    },
  }
}

function logOf({ LOG_LEVEL }: Settings): Logger {
  return pino({ level: LOG_LEVEL }, pino.destination({ dest: 2, sync: true }))
}
