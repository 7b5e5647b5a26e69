import Router, { type RouterContext } from '@koa/router'
import Koa, { type Context } from 'koa'
import type { Logger } from 'pino'
import type { LegacyAdapter } from '../legacy-adapter/adapter.ts'
import { stopping, UploadError } from './core/errors.ts'
import type { Uploads } from './core/uploads.ts'
import { download } from './download/download.ts'
import { type AllowedOrigins, cors } from './http/cors.ts'
import { errorExit } from './http/error-exit.ts'
import { believeProxy, type TrustProxy } from './http/forwarded.ts'
import { methodOverride } from './http/method-override.ts'
import type { Pages } from './http/pages.ts'
import type { Tus } from './tus/tus.ts'

/** What the HTTP application is made of. */
export interface Parts {
  readonly uploads: Uploads
  readonly tus: Tus
  readonly legacy: LegacyAdapter
  readonly pages: Pages
  readonly log: Logger
  readonly allowedOrigins: AllowedOrigins
  readonly trustProxy: TrustProxy
  /** After how many milliseconds without progress the connection of a download is given up. */
  readonly idleTimeout: number
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
  if (app.proxy) app.use(believeProxy(parts.trustProxy))
  app.use(cors(parts.allowedOrigins))
  app.use(errorExit(parts.log, (path) => (/^\/(upload\/|check$)/.test(path) ? 'legacy' : 'tus')))
  app.use(methodOverride)
  app.use((ctx, next) => {
    if (!parts.ready() && !SAFE.has(ctx.method)) throw stopping()
    return next()
  })
  app.use(parts.pages.files)
  app.use(routes(parts).routes())
  app.use(() => {
    throw new UploadError('not_found', 'There is nothing here.')
  })
  return app
}

function routes({ tus, legacy, pages, uploads, idleTimeout, ready }: Parts): Router {
  const router = new Router({ sensitive: true })

  router.get('/', (ctx) => pages.show(ctx, 'index.html'))
  router.get('/legacy', (ctx) => pages.show(ctx, 'legacy.html'))
  router.get('/healthz', (ctx) => {
    ctx.body = 'ok\n'
  })
  router.get('/readyz', (ctx) => {
    ctx.status = ready() ? 200 : 503
    ctx.body = ready() ? 'ready\n' : 'stopping\n'
  })

  router.options(['/files', '/files/:id'], (ctx) => tus.describe(ctx))
  router.post('/files', (ctx) => tus.create(varies(ctx)))
  router.head('/files/:id', (ctx) =>
    speaksTus(ctx) ? tus.inform(varies(ctx), idOf(ctx)) : readOrTell(varies(ctx), uploads, idleTimeout),
  )
  router.get('/files/:id', (ctx) => readOrTell(varies(ctx), uploads, idleTimeout))
  router.patch('/files/:id', (ctx) => tus.append(varies(ctx), idOf(ctx)))
  router.delete('/files/:id', (ctx) => tus.terminate(varies(ctx), idOf(ctx)))
  router.all(['/files', '/files/:id'], unsupportedMethod)

  // The page's own links are relative, so that it works under any path.
  router.get('/upload/accept', (ctx) => ctx.redirect('../legacy'))
  router.post('/upload/accept', (ctx) => legacy.accept(ctx))
  router.get('/upload/complete', (ctx) => legacy.complete(ctx))
  router.post('/upload/complete', (ctx) => legacy.complete(ctx))
  router.post('/check', (ctx) => legacy.check(ctx))
  router.all(['/upload/accept', '/upload/complete', '/check'], unsupportedMethod)

  return router
}

function varies<C extends Context>(ctx: C): C {
  ctx.vary(['Tus-Resumable', 'Upload-Draft-Interop-Version'])
  return ctx
}

function speaksTus(ctx: Context): boolean {
  return ctx.get('Tus-Resumable') !== ''
}

function idOf(ctx: RouterContext): string {
  return ctx.params['id'] ?? ''
}

/** A finished upload is a file to download; of an unfinished one a HEAD is told how far it is (IETF draft). */
async function readOrTell(ctx: RouterContext, uploads: Uploads, idleTimeout: number): Promise<void> {
  await uploads.use(idOf(ctx), async (upload) => {
    await upload.settle()
    const { finishedAt: modified, record } = upload
    if (modified !== undefined && record.length !== null) {
      const read = upload.read.bind(upload)
      const digest = upload.digest.bind(upload)
      ctx.res.setTimeout(idleTimeout, () => ctx.res.destroy())
      return download(ctx, { id: record.id, size: record.length, modified, metadata: record.metadata, read, digest })
    }
    ctx.set('Cache-Control', 'no-store')
    if (ctx.method === 'GET') throw new UploadError('not_found', 'This upload is not finished.')
    ctx.set({ 'Upload-Offset': String(upload.offset), 'Upload-Complete': '?0' })
    ctx.status = 204
  })
}

function unsupportedMethod(ctx: Context): never {
  throw new UploadError('unsupported_method', `${ctx.method} is not supported here.`)
}
