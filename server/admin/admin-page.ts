import path from 'node:path'
import type Router from '@koa/router'
import { UploadError } from '../core/errors.ts'
import { FOREVER, readBuiltFiles, sendBuiltFile } from '../http/built-files.ts'

/**
 * Scripts and styles come from this listener only, inline ones do not apply, and no page frames this one. Strings
 * become neither markup nor scripts.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ')

/** What the page has in addition to the headers of every response. */
const PAGE_HEADERS = {
  'Content-Security-Policy': POLICY,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'X-Frame-Options': 'DENY',
} as const

/** Adds the page and its files to a router. They hold no secret: the page asks for the token itself. */
export type AdminPage = (router: Router) => void

/**
 * Reads the page of administrators, some 100 KiB, into memory.
 *
 * @param pagesFolder `dist/client`.
 * @returns nothing if it has no such page, as in tests of requests.
 */
export async function loadAdminPage(pagesFolder: string): Promise<AdminPage | undefined> {
  const files = await readBuiltFiles(path.join(pagesFolder, 'admin'))
  const page = files.get('/index.html')
  if (page === undefined) return undefined
  return (router) => {
    router.get('/', (ctx) => ctx.redirect('admin'))
    router.get('/admin', (ctx) => {
      // The links of the page are relative, so it works below any path of a proxy.
      if (ctx.path.endsWith('/')) return ctx.redirect('../admin')
      ctx.set(PAGE_HEADERS)
      sendBuiltFile(ctx, page, 'index.html', 'no-cache')
    })
    router.get('/admin/assets/:name', (ctx) => {
      const file = files.get(ctx.path)
      if (file === undefined) throw new UploadError('not_found', 'Not found.')
      sendBuiltFile(ctx, file, ctx.path, FOREVER)
    })
  }
}
