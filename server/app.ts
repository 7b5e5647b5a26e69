import type http from 'node:http'
import Router, { type RouterMiddleware } from '@koa/router'
import Koa, { type Context, type Middleware } from 'koa'
import type { Logger } from 'pino'
import type { Admission, Endpoint } from './admission.ts'
import { checkHead } from './connections/request-head.ts'
import { trackResponses } from './connections/unread-responses.ts'
import { stopping } from './core/errors.ts'
import { dialectOf } from './dialect.ts'
import { serveDownloadsOnly } from './download/download-host.ts'
import { refuseAsSubresource } from './download/subresource.ts'
import { limitRate, limitUploads, type Rate } from './http/address-limits.ts'
import { type AllowedHosts, checkHost } from './http/allowed-hosts.ts'
import { refuseConsumedBody } from './http/consumed-body.ts'
import { type AllowedOrigins, cors } from './http/cors.ts'
import { refuseForeignPages } from './http/cross-site.ts'
import { errorExit } from './http/error-exit.ts'
import { trustForwarded } from './http/forwarded.ts'
import { methodOverride, overriddenHead } from './http/method-override.ts'
import { originForm } from './http/origin-form.ts'
import type { EndedRequest, RequestFeed } from './http/request-feed.ts'
import { dispatch, refuseMalformedPath, refuseUnrouted } from './http/routing.ts'
import type { Reach } from './http/same-origin.ts'
import { securityHeaders } from './http/security-headers.ts'
import { traceOf, traceRequests } from './http/trace.ts'
import { protocolOf } from './protocol/protocol.ts'
import type { ByProtocol, Route } from './route.ts'
import { type Handlers, routes } from './routes.ts'

/** The dependencies of the HTTP application. */
export interface Dependencies extends Handlers {
  readonly admission: Admission
  readonly log: Logger
  readonly allowedOrigins: AllowedOrigins
  readonly allowedHosts: AllowedHosts
  /** Host names that always mean this service. */
  readonly hostNames: ReadonlySet<string>
  readonly reach: Reach
  /** Maximum concurrent uploads per client address; 0 for no limit. */
  readonly maxUploads: number
  /** The rate of requests, per client address; without one, it is not limited. */
  readonly requests: Rate | undefined
  /** Receives each request when it has ended. */
  readonly feed: RequestFeed
}

/** Methods that start no work. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Paths are case-sensitive; a slash at their end makes no difference. */
const EXACT = { sensitive: true } as const

/** The HTTP application. */
export interface App {
  readonly handler: http.RequestListener
  /** Whether a path, without the query, is one of the application's. */
  readonly owns: (path: string) => boolean
}

/** The HTTP application: middleware and routes, in order. */
export function createApp(dependencies: Dependencies): App {
  const { allowedOrigins, downloadHost, pages, reach } = dependencies
  const app = new Koa()
  app.proxy = reach.trustProxy !== 'false'
  app.on('error', (error) => dependencies.log.debug({ err: error }, 'A response could not be sent.'))
  app.use(originForm)
  if (app.proxy) app.use(trustForwarded(reach.trustProxy))
  app.use(traceRequests(dependencies.feed, (ctx) => wireProtocolOf(ctx, dependencies.dialects)))
  app.use(securityHeaders(allowedOrigins === '*' || allowedOrigins.size > 0 || downloadHost !== undefined))
  app.use(cors(allowedOrigins))
  app.use(overriddenHead)
  app.use(errorExit(dependencies.log, dialectOf, dependencies.dialects?.errorFor))
  app.use(trackResponses())
  app.use(refuseConsumedBody)
  app.use(checkHead)
  if (dependencies.requests !== undefined) app.use(limitRate(dependencies.requests))
  app.use(checkHost(dependencies.allowedHosts, dependencies.hostNames, reach.trustProxy))
  app.use(refuseForeignPages(allowedOrigins, reach))
  app.use(refuseAsSubresource)
  if (downloadHost !== undefined) app.use(serveDownloadsOnly(downloadHost))
  app.use(methodOverride)
  app.use((ctx, next) => {
    if (!dependencies.readiness.isAccepting && !SAFE.has(ctx.method)) throw stopping()
    return next()
  })
  app.use(refuseMalformedPath)
  const limited = limitUploads(dependencies.maxUploads)
  // A router tries all of its routes.
  const routers = routes(dependencies).map((group) => routerOf(group, dependencies.admission, limited))
  for (const router of routers) app.use(dispatch(router))
  if (pages !== undefined) app.use(pages.files)
  app.use(refuseUnrouted)
  return {
    handler: app.callback(),
    owns: (path) => routers.some((router) => router.match(path, 'GET').path.length > 0) || (pages?.owns(path) ?? false),
  }
}

/** The protocol that the client of a request speaks, for statistics. */
export function wireProtocolOf(
  request: Pick<Context, 'method' | 'path' | 'headers'>,
  dialects: Handlers['dialects'],
): EndedRequest['protocol'] {
  if (dialects?.owns(request.path)) return 'webuploader'
  return dialectOf(request) === 'legacy' ? 'webuploader' : (protocolOf(request) ?? 'none')
}

/** A router over some routes. */
function routerOf(group: readonly Route[], admission: Admission, limited: Middleware): Router {
  const router = new Router(EXACT)
  for (const { method, path, answer, ...route } of group) {
    const note = (ctx: Context): void => {
      const trace = traceOf(ctx.req)
      if (trace !== undefined) trace.route = path
    }
    const run: RouterMiddleware = (ctx) => {
      note(ctx)
      return admission.run(endpointOf(answer, ctx), ctx, ctx.params['id'] ?? '')
    }
    const wait: Middleware = (ctx, next) => {
      note(ctx)
      return limited(ctx, next)
    }
    router.register(path, [method], route.limited ? [wait, run] : [run])
  }
  return router
}

/** Chooses the endpoint of the protocol that the request names in its headers; `none` if it names no protocol. */
function endpointOf(answer: Endpoint | ByProtocol, ctx: Context): Endpoint {
  if ('needs' in answer) return answer
  // The response depends on these headers, and on the one that CORS has named.
  ctx.set('Vary', 'Origin, Tus-Resumable, Upload-Draft-Interop-Version')
  return answer[protocolOf(ctx) ?? 'none']
}
