import type { RequestListener } from 'node:http'
import Router from '@koa/router'
import Koa from 'koa'
import type { Logger } from 'pino'
import { UploadError } from '../core/errors.ts'
import { checkHost } from '../http/allowed-hosts.ts'
import { errorExit } from '../http/error-exit.ts'
import { RequestFeed } from '../http/request-feed.ts'
import { dispatch, refuseMalformedPath, refuseUnrouted } from '../http/routing.ts'
import { securityHeaders } from '../http/security-headers.ts'
import { traceRequests } from '../http/trace.ts'
import type { AdminPage } from './admin-page.ts'
import type { AdminRoutes } from './api.ts'

/** The metrics of a service, as Prometheus reads them. */
export interface MetricsText {
  readonly contentType: string
  text(): Promise<string>
}

/** What the HTTP application for administrators shows. */
export interface AdminDependencies {
  readonly log: Logger
  /** Host names that always mean this service. */
  readonly hostNames: ReadonlySet<string>
  /** Whether the service accepts new work. */
  readonly ready: () => boolean
  readonly metrics: MetricsText | undefined
  /** The page; without it, there is only the API. */
  readonly page: AdminPage | undefined
  /** The routes of the admin API, if there is one. */
  readonly api: AdminRoutes | undefined
}

/** The HTTP application for administrators and monitoring: middleware and routes, in order. */
export function adminApp(dependencies: AdminDependencies): RequestListener {
  const app = new Koa()
  app.on('error', (error) => dependencies.log.debug({ err: error }, 'A response could not be sent.'))
  // Gives each request an id; those of administrators are in no access log and no metric.
  app.use(traceRequests(new RequestFeed(), () => 'none'))
  app.use(securityHeaders(false))
  app.use(errorExit(dependencies.log, () => 'draft'))
  app.use(checkHost(new Set(), dependencies.hostNames, 'false'))
  app.use(refuseMalformedPath)
  app.use(dispatch(routerOf(dependencies)))
  if (dependencies.api !== undefined) app.use(dependencies.api)
  app.use(refuseUnrouted)
  return app.callback()
}

function routerOf({ metrics, page, ready }: AdminDependencies): Router {
  const router = new Router({ sensitive: true })
  page?.(router)
  router.get('/metrics', async (ctx) => {
    if (metrics === undefined) throw new UploadError('not_found', 'Not found.')
    ctx.type = metrics.contentType
    ctx.set('Cache-Control', 'no-store')
    ctx.body = await metrics.text()
  })
  router.get('/livez', (ctx) => {
    ctx.body = 'ok\n'
  })
  router.get('/readyz', (ctx) => {
    ctx.status = ready() ? 200 : 503
    ctx.body = ready() ? 'ready\n' : 'stopping\n'
  })
  return router
}
