import type { Context } from 'koa'
import type { LegacyAdapter } from '../legacy-adapter/adapter.ts'
import { asksForDescription } from '../legacy-adapter/describe.ts'
import type { Endpoint, GuardedEndpoint } from './admission.ts'
import type { Links } from './auth/links.ts'
import type { Dialects } from './dialects.ts'
import { type DownloadHost, redirectDownload } from './download/download-host.ts'
import { DownloadHandlers } from './download/handlers.ts'
import { checkDownloads, createLink, type Downloads } from './download/links.ts'
import { rangeDigests } from './download/range-digests.ts'
import type { SignUrl } from './download/redirect.ts'
import type { Draft } from './draft/draft.ts'
import type { Pages } from './http/pages.ts'
import { ACCEPT_PATCH } from './http/patch-types.ts'
import { setAllow } from './http/routing.ts'
import type { InstantEndpoints } from './instant/instant-endpoints.ts'
import type { Readiness } from './readiness.ts'
import type { Route } from './route.ts'
import type { Termination, Tus } from './tus/tus.ts'

/** The handlers behind the routes. */
export interface Handlers {
  readonly tus: Tus
  readonly draft: Draft
  /** Serves WebUploader pages, if that is wanted. */
  readonly legacy: LegacyAdapter | undefined
  /** Serves pages of other libraries, if that is wanted. */
  readonly dialects: Dialects | undefined
  /** The pages of the service, if they are wanted. */
  readonly pages: Pages | undefined
  readonly links: Links
  /** The URL of a file by its name in the path, the id or that of a link. */
  readonly urlOf: (ctx: Context, name: string) => string
  readonly downloads: Downloads
  /** The only host that serves downloads, if there is one. */
  readonly downloadHost: DownloadHost | undefined
  /** Redirects downloads to the bucket, if that is wanted. */
  readonly signUrl: SignUrl | undefined
  readonly termination: Termination
  /** `GET /session`. */
  readonly session: (ctx: Context) => Promise<void>
  /** Uploads that need not be sent, if they are offered. */
  readonly instant: InstantEndpoints | undefined
  /** `POST /tokens`, if it is offered. */
  readonly createToken: ((ctx: Context) => Promise<void>) | undefined
  readonly readiness: Readiness
}

/** Every route, in groups: the most frequent requests come first. */
export function routes(handlers: Handlers): readonly (readonly Route[])[] {
  const { dialects, legacy, pages } = handlers
  return [
    uploadRoutes(handlers),
    ...(legacy === undefined ? [] : [legacyRoutes(legacy, pages !== undefined)]),
    ...(handlers.instant === undefined ? [] : [instantRoutes(handlers.instant)]),
    ...(dialects === undefined ? [] : [dialects.routes]),
    tokenRoutes(handlers),
    ...(pages === undefined ? [] : [pageRoutes(pages, handlers)]),
  ]
}

/** Uploads and the files that they become. */
function uploadRoutes(handlers: Handlers): readonly Route[] {
  const { tus, draft, termination } = handlers
  const downloads = new DownloadHandlers(
    (ctx, upload, offset) => draft.setUploadHeaders(ctx, upload, offset),
    handlers.signUrl,
  )
  const describe: Endpoint = {
    needs: 'open',
    run: (ctx) => {
      tus.options(ctx)
      draft.options(ctx)
      ctx.set('Accept-Patch', ACCEPT_PATCH)
      setAllow(ctx)
    },
  }
  const tusPost: GuardedEndpoint = { needs: ['create'], run: (ctx, desk) => tus.post(ctx, desk) }
  const draftPost: GuardedEndpoint = { needs: ['create'], run: (ctx, desk) => draft.post(ctx, desk) }
  const tusPatch: Endpoint = { needs: ['write'], run: (ctx, desk, id) => tus.patch(ctx, desk, id) }
  const download: Endpoint = {
    needs: ['read'],
    run: (ctx, desk, id) => {
      checkDownloads(handlers.downloads, desk.principal)
      const { downloadHost, links } = handlers
      if (downloadHost?.isRequested(ctx) === false) return redirectDownload(ctx, desk, id, downloadHost, links)
      return downloads.get(ctx, desk, id)
    },
  }
  const draftDelete: Endpoint = { needs: ['delete'], run: (ctx, desk, id) => draft.delete(ctx, desk, id) }
  const deletion: Route = {
    method: 'DELETE',
    path: '/files/:id',
    answer: {
      tus: { needs: ['delete'], run: (ctx, desk, id) => tus.delete(ctx, desk, id) },
      draft: draftDelete,
      // Without a protocol header, DELETE follows the draft, which never removes a finished file.
      none: draftDelete,
    },
  }
  return [
    { method: 'OPTIONS', path: '/files', answer: describe },
    { method: 'POST', path: '/files', limited: true, answer: { tus: tusPost, draft: draftPost, none: tusPost } },
    { method: 'PUT', path: '/files', limited: true, answer: draftPost },
    {
      // A route for GET also answers HEAD, unless a route for HEAD precedes it.
      method: 'HEAD',
      path: '/files/:id',
      answer: {
        tus: { needs: ['write', 'read'], run: (ctx, desk, id) => tus.head(ctx, desk, id) },
        // It interrupts a running append.
        draft: { needs: ['write'], run: (ctx, desk, id) => draft.head(ctx, desk, id) },
        none: { needs: ['write', 'read'], run: (ctx, desk, id) => downloads.head(ctx, desk, id) },
      },
    },
    { method: 'OPTIONS', path: '/files/:id', answer: describe },
    {
      method: 'GET',
      path: '/files/:id',
      answer: {
        tus: download,
        draft: { needs: ['write'], run: (ctx, desk, id) => draft.get(ctx, desk, id) },
        none: download,
      },
    },
    {
      method: 'PATCH',
      path: '/files/:id',
      limited: true,
      answer: {
        tus: tusPatch,
        draft: { needs: ['write'], run: (ctx, desk, id) => draft.patch(ctx, desk, id) },
        none: tusPatch,
      },
    },
    ...(termination === 'off' ? [] : [deletion]),
    {
      method: 'GET',
      path: '/files/:id/digest',
      answer: { needs: ['write', 'read'], run: rangeDigests(handlers.downloads) },
    },
    {
      method: 'POST',
      path: '/files/:id/link',
      answer: { needs: ['read'], run: createLink(handlers.links, handlers.downloads, handlers.urlOf) },
    },
  ]
}

/** The calls of legacy WebUploader pages. @param hasPage whether the service has such a page. */
function legacyRoutes(legacy: LegacyAdapter, hasPage: boolean): readonly Route[] {
  const complete: Endpoint = { needs: ['ask'], from: 'fields', run: (ctx, admit) => legacy.complete(ctx, admit) }
  return [
    {
      method: 'GET',
      path: '/upload/accept',
      answer: open((ctx) => (hasPage && !asksForDescription(ctx) ? toLegacy(ctx) : legacy.describe(ctx))),
    },
    {
      method: 'POST',
      path: '/upload/accept',
      limited: true,
      answer: { needs: ['write'], from: 'fields', run: (ctx, admit) => legacy.accept(ctx, admit) },
    },
    { method: 'GET', path: '/upload/complete', answer: complete },
    { method: 'POST', path: '/upload/complete', answer: complete },
    {
      method: 'POST',
      path: '/check',
      answer: { needs: ['ask'], from: 'fields', run: (ctx, admit) => legacy.check(ctx, admit) },
    },
  ]
}

/** Uploads of files that are stored already. */
function instantRoutes(instant: InstantEndpoints): readonly Route[] {
  const ask: GuardedEndpoint = { needs: ['create'], run: (ctx, desk) => instant.ask(ctx, desk) }
  const finish: GuardedEndpoint = { needs: ['create'], run: (ctx, desk) => instant.finish(ctx, desk) }
  return [
    { method: 'POST', path: '/instant', limited: true, answer: ask },
    { method: 'POST', path: '/instant/proof', limited: true, answer: finish },
  ]
}

/** Tokens for others. */
function tokenRoutes({ createToken }: Handlers): readonly Route[] {
  return createToken === undefined ? [] : [{ method: 'POST', path: '/tokens', answer: open(createToken) }]
}

/** The two pages, who the caller is, and the health checks. */
function pageRoutes(pages: Pages, { legacy, session, readiness }: Handlers): readonly Route[] {
  const health = open((ctx) => respond(ctx, 200, 'ok\n'))
  const ready = open((ctx) => respond(ctx, readiness.obstacle === undefined ? 200 : 503, readiness.text))
  return [
    { method: 'GET', path: '/session', answer: open(session) },
    { method: 'GET', path: '/', answer: open((ctx) => pages.show(ctx, 'index.html')) },
    ...(legacy === undefined ? [] : [{ method: 'GET', path: '/legacy', answer: legacyPage(pages, legacy) } as const]),
    { method: 'GET', path: '/healthz', answer: health },
    { method: 'GET', path: '/livez', answer: health },
    { method: 'GET', path: '/readyz', answer: ready },
  ]
}

function legacyPage(pages: Pages, legacy: LegacyAdapter): Endpoint {
  return open((ctx) => {
    // The page has relative links, so it works under any prefix: after a slash they would be wrong.
    if (ctx.path.endsWith('/')) return toLegacy(ctx)
    pages.show(ctx, 'legacy.html')
    legacy.introduce(ctx)
  })
}

function open(run: (ctx: Context) => unknown): Endpoint {
  return { needs: 'open', run }
}

/** Redirects to the legacy page, relative to the path of the request. */
function toLegacy(ctx: Context): void {
  ctx.redirect(`${'../'.repeat(ctx.path.split('/').length - 2)}legacy`)
}

function respond(ctx: Context, status: number, text: string): void {
  ctx.status = status
  ctx.body = text
}
