import Koa, { type Context } from 'koa'
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
import { believeProxy, type TrustProxy } from './http/forwarded.ts'
import { methodOverride, overriddenHead } from './http/method-override.ts'
import { originForm } from './http/origin-form.ts'
import type { Pages } from './http/pages.ts'
import { ACCEPT_PATCH } from './http/patch-types.ts'
import { type Handler, type Methods, routes } from './http/routes.ts'
import { protocolOf } from './protocol/protocol.ts'
import type { Tus } from './tus/tus.ts'

/** What the HTTP application is made of. */
export interface Parts {
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
  /** How many requests with bytes one client address may have running; 0 for no limit. */
  readonly maxUploads: number
  /** Whether new work is welcome: false before the start is complete and while the service stops. */
  readonly ready: () => boolean
}

/** Methods that begin no work. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** The HTTP application: every route, in order. */
export function createApp(parts: Parts): Koa {
  const app = new Koa()
  app.proxy = parts.trustProxy !== 'false'
  app.on('error', (error) => parts.log.debug({ err: error }, 'A response could not be sent.'))
  app.use(originForm)
  if (app.proxy) app.use(believeProxy(parts.trustProxy))
  app.use(cors(parts.allowedOrigins))
  app.use(overriddenHead)
  app.use(errorExit(parts.log, dialectOf))
  app.use(trackResponses())
  app.use(checkHead)
  app.use(checkHost(parts.allowedHosts, parts.hostNames, parts.trustProxy))
  app.use(methodOverride)
  app.use((ctx, next) => {
    if (!parts.ready() && !SAFE.has(ctx.method)) throw stopping()
    return next()
  })
  app.use(parts.pages.files)
  app.use(routes(tableOf(parts)))
  return app
}

function tableOf({ tus, draft, legacy, pages, uploads, maxUploads, ready }: Parts): Readonly<Record<string, Methods>> {
  const limited = limitUploads(maxUploads)
  const downloads = new DownloadHandlers(uploads, (ctx, upload, offset) => draft.setUploadHeaders(ctx, upload, offset))
  const describe: Handler = (ctx) => {
    tus.options(ctx)
    draft.options(ctx)
    ctx.set('Accept-Patch', ACCEPT_PATCH)
  }
  /** Chooses by the protocol in which the request speaks. */
  const by =
    (byDraft: Handler, otherwise: Handler): Handler =>
    (ctx, id) => {
      // What comes of such a request depends on these headers, beside the one that CORS has named.
      ctx.set('Vary', 'Origin, Tus-Resumable, Upload-Draft-Interop-Version')
      return protocolOf(ctx) === 'draft' ? byDraft(ctx, id) : otherwise(ctx, id)
    }
  const inform: Handler = (ctx, id) => draft.head(ctx, id)
  const cancel: Handler = (ctx, id) => draft.delete(ctx, id)
  const read: Handler = (ctx, id) => downloads.get(ctx, id)
  const observe: Handler = (ctx, id) => downloads.head(ctx, id)
  const complete: Handler = (ctx) => legacy.complete(ctx)
  const showLegacy = (ctx: Context): void => {
    pages.show(ctx, 'legacy.html')
    legacy.introduce(ctx)
  }
  return {
    '/': { GET: (ctx) => pages.show(ctx, 'index.html') },
    // The page's own links are relative, so that it works under any path: behind a slash they would lead nowhere.
    '/legacy': { GET: (ctx) => (ctx.path.endsWith('/') ? toLegacy(ctx) : showLegacy(ctx)) },
    '/healthz': { GET: (ctx) => tell(ctx, 200, 'ok\n') },
    '/readyz': { GET: (ctx) => (ready() ? tell(ctx, 200, 'ready\n') : tell(ctx, 503, 'stopping\n')) },
    '/files': {
      OPTIONS: describe,
      POST: limited(
        by(
          (ctx) => draft.post(ctx),
          (ctx) => tus.post(ctx),
        ),
      ),
      PUT: limited((ctx) => draft.post(ctx)),
    },
    '/files/:id': {
      OPTIONS: describe,
      HEAD: by(inform, (ctx, id) => (protocolOf(ctx) === 'tus' ? tus.head(ctx, id) : observe(ctx, id))),
      GET: by(inform, read),
      PATCH: limited(
        by(
          (ctx, id) => draft.patch(ctx, id),
          (ctx, id) => tus.patch(ctx, id),
        ),
      ),
      // A DELETE without a protocol header follows the draft, which never removes a finished file.
      DELETE: by(cancel, (ctx, id) => (protocolOf(ctx) === 'tus' ? tus.delete(ctx, id) : cancel(ctx, id))),
    },
    '/files/:id/digest': { GET: rangeDigests(uploads) },
    '/upload/accept': { GET: toLegacy, POST: limited((ctx) => legacy.accept(ctx)) },
    '/upload/complete': { GET: complete, POST: complete },
    '/check': { POST: (ctx) => legacy.check(ctx) },
  }
}

/** Leads to the classical page, relative to the path of the request. */
function toLegacy(ctx: Context): void {
  ctx.redirect(`${'../'.repeat(ctx.path.split('/').length - 2)}legacy`)
}

function tell(ctx: Context, status: number, text: string): void {
  ctx.status = status
  ctx.body = text
}
