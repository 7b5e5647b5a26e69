import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Context, Middleware } from 'koa'

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
/** What a page has in addition to the headers of every response. */
const PAGE_HEADERS = { 'Content-Security-Policy': POLICY, 'Cross-Origin-Opener-Policy': 'same-origin' } as const
/** Names under `assets` change with their content, those under `static` do not. */
const FOREVER = 'public, max-age=31536000, immutable'

/** The two pages and their files. */
export interface Pages {
  /** Responds with a page. */
  readonly show: (ctx: Context, page: 'index.html' | 'legacy.html') => void
  /** Serves `/assets/…` and `/static/…`. */
  readonly files: Middleware
  /** Whether `files` serves a path. */
  readonly owns: (path: string) => boolean
}

interface BuiltFile {
  readonly content: Buffer
  readonly etag: string
}

/**
 * Reads the built pages, a few MiB, into memory: later changes of the directory do not affect the service.
 *
 * @param folder `dist/client`.
 * @throws Error if the pages are not built.
 */
export async function loadPages(folder: string): Promise<Pages> {
  const files = await readAll(folder)
  if (!files.has('/index.html')) throw new Error(`No built pages in ${folder}. Run: npm run build`)
  const answer = (ctx: Context, file: BuiltFile, name: string, caching: string): void => {
    ctx.set({ 'Cache-Control': caching, ETag: file.etag })
    ctx.status = 200
    if (ctx.fresh) {
      ctx.status = 304
      return
    }
    ctx.type = path.extname(name)
    ctx.body = file.content
  }
  const fileAt = (url: string): BuiltFile | undefined => (/^\/(assets|static)\//.test(url) ? files.get(url) : undefined)
  return {
    owns: (path) => fileAt(path) !== undefined,
    show: (ctx, page) => {
      const file = files.get(`/${page}`)
      if (file === undefined) return
      ctx.set(PAGE_HEADERS)
      answer(ctx, file, page, 'no-cache')
    },
    files: (ctx, next) => {
      const file = fileAt(ctx.path)
      if (file === undefined || !['GET', 'HEAD'].includes(ctx.method)) return next()
      return answer(ctx, file, ctx.path, ctx.path.startsWith('/assets/') ? FOREVER : 'no-cache')
    },
  }
}

async function readAll(folder: string): Promise<ReadonlyMap<string, BuiltFile>> {
  const files = new Map<string, BuiltFile>()
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  for (const entry of entries.filter((found) => found.isFile())) {
    const full = path.join(entry.parentPath, entry.name)
    const content = await readFile(full)
    const etag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`
    files.set(`/${path.relative(folder, full).split(path.sep).join('/')}`, { content, etag })
  }
  return files
}
