import Router, { type RouterContext, type RouterMiddleware } from '@koa/router'
import Koa, { type Context, type Middleware } from 'koa'
import type { Logger } from 'pino'
import type { LegacyAdapter } from '../legacy-adapter/adapter.ts'
import { checkHead } from './connections/request-head.ts'
import { trackResponses } from './connections/unread-responses.ts'
import { stopping } from './core/errors.ts'
import type { Uploads } from './core/uploads.ts'
import { dialectOf } from './dialect.ts'
import { DownloadHandlers } from './download/handlers.ts'
import { rangeDigests } from './download/range-digests.ts'
import type { Draft } from './draft/draft.ts'
import { limitUploads } from './http/address-limits.ts'
import { type AllowedHosts, checkHost } from './http/allowed-hosts.ts'
import { type AllowedOrigins, cors } from './http/cors.ts'
import { errorExit } from './http/error-exit.ts'
import { type TrustProxy, trustForwarded } from './http/forwarded.ts'
import { methodOverride, overriddenHead } from './http/method-override.ts'
import { originForm } from './http/origin-form.ts'
import type { Pages } from './http/pages.ts'
import { ACCEPT_PATCH } from './http/patch-types.ts'
import { dispatch, refuseMalformedPath, refuseUnrouted, setAllow } from './http/routing.ts'
import { protocolOf } from './protocol/protocol.ts'
import type { Tus } from './tus/tus.ts'

/** The dependencies of the HTTP application. */
export interface Dependencies {
  readonly uploads: Uploads
  readonly tus: Tus
  readonly draft: Draft
  readonly legacy: LegacyAdapter
  readonly pages: Pages
  readonly log: Logger
  readonly allowedOrigins: AllowedOrigins
  readonly allowedHosts: AllowedHosts
  /** Host names that always mean this service. */
  readonly hostNames: ReadonlySet<string>
  readonly trustProxy: TrustProxy
  /** Maximum concurrent uploads per client address; 0 for no limit. */
  readonly maxUploads: number
  /** Whether the service accepts new work: false while it stops. */
  readonly ready: () => boolean
}

/** Methods that start no work. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Paths are case-sensitive; a slash at their end makes no difference. */
const EXACT = { sensitive: true } as const

/** The HTTP application: middleware and routes, in order. */
export function createApp(dependencies: Dependencies): Koa {
  const app = new Koa()
  app.proxy = dependencies.trustProxy !== 'false'
  app.on('error', (error) => dependencies.log.debug({ err: error }, 'A response could not be sent.'))
  app.use(originForm)
  if (app.proxy) app.use(trustForwarded(dependencies.trustProxy))
  app.use(cors(dependencies.allowedOrigins))
  app.use(overriddenHead)
  app.use(errorExit(dependencies.log, dialectOf))
  app.use(trackResponses())
  app.use(checkHead)
  app.use(checkHost(dependencies.allowedHosts, dependencies.hostNames, dependencies.trustProxy))
  app.use(methodOverride)
  app.use((ctx, next) => {
    if (!dependencies.ready() && !SAFE.has(ctx.method)) throw stopping()
    return next()
  })
  app.use(refuseMalformedPath)
  const limited = limitUploads(dependencies.maxUploads)
  // A router tries all of its routes: the most frequent requests come first.
  app.use(dispatch(uploadRoutes(dependencies, limited)))
  app.use(dispatch(legacyRoutes(dependencies, limited)))
  app.use(dispatch(pageRoutes(dependencies)))
  app.use(dependencies.pages.files)
  app.use(refuseUnrouted)
  return app
}

/** Uploads and the files that they become. */
function uploadRoutes({ uploads, tus, draft }: Dependencies, limited: Middleware): Router {
  const downloads = new DownloadHandlers(uploads, (ctx, upload, offset) => draft.setUploadHeaders(ctx, upload, offset))
  const describe = (ctx: RouterContext): void => {
    tus.options(ctx)
    draft.options(ctx)
    ctx.set('Accept-Patch', ACCEPT_PATCH)
    setAllow(ctx)
  }
  const router = new Router(EXACT)
  router.options('/files', describe)
  router.post('/files', limited, byProtocol('post', { tus, draft, none: tus }))
  router.put('/files', limited, (ctx) => draft.post(ctx))
  // A route for GET also answers HEAD, unless a route for HEAD precedes it.
  router.head('/files/:id', byProtocol('head', { tus, draft, none: downloads }))
  router.options('/files/:id', describe)
  router.get('/files/:id', byProtocol('get', { tus: downloads, draft, none: downloads }))
  router.patch('/files/:id', limited, byProtocol('patch', { tus, draft, none: tus }))
  // Without a protocol header, DELETE follows the draft, which never removes a finished file.
  router.delete('/files/:id', byProtocol('delete', { tus, draft, none: draft }))
  router.get('/files/:id/digest', ...rangeDigests(uploads))
  return router
}

/** The calls of legacy WebUploader pages. */
function legacyRoutes({ legacy }: Dependencies, limited: Middleware): Router {
  const router = new Router(EXACT)
  router.get('/upload/accept', toLegacy)
  router.post('/upload/accept', limited, (ctx) => legacy.accept(ctx))
  router.get('/upload/complete', (ctx) => legacy.complete(ctx))
  router.post('/upload/complete', (ctx) => legacy.complete(ctx))
  router.post('/check', (ctx) => legacy.check(ctx))
  return router
}

/** The two pages, and the health checks. */
function pageRoutes({ pages, legacy, ready }: Dependencies): Router {
  const router = new Router(EXACT)
  router.get('/', (ctx) => pages.show(ctx, 'index.html'))
  router.get('/legacy', (ctx) => {
    // The page has relative links, so it works under any prefix: after a slash they would be wrong.
    if (ctx.path.endsWith('/')) return toLegacy(ctx)
    pages.show(ctx, 'legacy.html')
    legacy.introduce(ctx)
  })
  router.get('/healthz', (ctx) => respond(ctx, 200, 'ok\n'))
  router.get('/readyz', (ctx) => (ready() ? respond(ctx, 200, 'ready\n') : respond(ctx, 503, 'stopping\n')))
  return router
}

/** A handler of one method. */
type Handlers<Method extends string> = Readonly<Record<Method, (ctx: Context, id: string) => unknown>>

/** Calls the handler of the protocol that the request names in its headers; of `none` if it names no protocol. */
function byProtocol<Method extends string>(
  method: Method,
  handlers: Readonly<Record<'tus' | 'draft' | 'none', Handlers<Method>>>,
): RouterMiddleware {
  return (ctx) => {
    // The response depends on these headers, and on the one that CORS has named.
    ctx.set('Vary', 'Origin, Tus-Resumable, Upload-Draft-Interop-Version')
    return handlers[protocolOf(ctx) ?? 'none'][method](ctx, ctx.params['id'] ?? '')
  }
}

/** Redirects to the legacy page, relative to the path of the request. */
function toLegacy(ctx: Context): void {
  ctx.redirect(`${'../'.repeat(ctx.path.split('/').length - 2)}legacy`)
}

function respond(ctx: Context, status: number, text: string): void {
  ctx.status = status
  ctx.body = text
}
