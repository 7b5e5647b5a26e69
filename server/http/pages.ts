import type { Context, Middleware } from 'koa'
import { type BuiltFile, FOREVER, readBuiltFiles, sendBuiltFile } from './built-files.ts'
import { MODULE_PATH } from './paths.ts'

/** Scripts and styles come from the service only, and inline ones do not apply; `<base>` and forms have no effect. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'self'",
].join('; ')
/** The parts of the pages, and the scripts for pages of others. */
const EMBEDDED = /^\/(?:(?:assets|static)\/|landfall-[a-z]+\.js$)/
/** What a page has in addition to the headers of every response. */
const PAGE_HEADERS = { 'Content-Security-Policy': POLICY, 'Cross-Origin-Opener-Policy': 'same-origin' } as const

/** The two pages and their files. */
export interface Pages {
  /** Responds with a page. */
  readonly show: (ctx: Context, page: 'index.html' | 'legacy.html') => void
  /** Serves `/assets/…`, `/static/…`, and `/landfall-….js`. */
  readonly files: Middleware
  /** Whether `files` serves a path. */
  readonly owns: (path: string) => boolean
}

/**
 * Reads the built pages, a few MiB, into memory: later changes of the directory do not affect the service.
 *
 * @param folder `dist/client`.
 * @throws Error if the pages are not built.
 */
export async function loadPages(folder: string): Promise<Pages> {
  const files = await readBuiltFiles(folder, isPublic)
  if (!files.has('/index.html')) throw new Error(`No built pages in ${folder}. Run: npm run build`)
  const fileAt = (url: string): BuiltFile | undefined =>
    EMBEDDED.test(url) || MODULE_PATH.test(url) ? files.get(url) : undefined
  return {
    owns: (path) => fileAt(path) !== undefined,
    show: (ctx, page) => {
      const file = files.get(`/${page}`)
      if (file === undefined) return
      ctx.set(PAGE_HEADERS)
      sendBuiltFile(ctx, file, page, 'no-cache')
    },
    files: (ctx, next) => {
      const file = fileAt(ctx.path)
      if (file === undefined || !['GET', 'HEAD'].includes(ctx.method)) return next()
      // Names under `assets` change with their content, all others do not.
      return sendBuiltFile(ctx, file, ctx.path, ctx.path.startsWith('/assets/') ? FOREVER : 'no-cache')
    },
  }
}

/** The page of administrators is in the same directory, but only its own listener serves it. */
function isPublic(url: string): boolean {
  return !url.startsWith('/admin/')
}
