import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Context, Middleware } from 'koa'
import sirv from 'sirv'

const POLICY =
  "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; frame-ancestors 'self'"

/** The two pages and what they need, from the folder that the build wrote. */
export interface Pages {
  /** Answers with a page: `index.html` or `legacy.html`. */
  readonly show: (ctx: Context, page: 'index.html' | 'legacy.html') => Promise<void>
  /** Answers `/assets/…` and `/static/…`. */
  readonly files: Middleware
}

/** @param folder `dist/client`. */
export function pages(folder: string): Pages {
  const serve = sirv(folder, {
    etag: true,
    dotfiles: false,
    setHeaders: (res) => res.setHeader('X-Content-Type-Options', 'nosniff'),
  })
  return {
    show: async (ctx, page) => {
      ctx.set({ 'Content-Security-Policy': POLICY, 'Cache-Control': 'no-cache', 'X-Content-Type-Options': 'nosniff' })
      ctx.type = 'html'
      ctx.body = await readFile(path.join(folder, page))
    },
    files: async (ctx, next) => {
      if (!/^\/(assets|static)\//.test(ctx.path) || !['GET', 'HEAD'].includes(ctx.method)) return next()
      let missing = false
      await new Promise<void>((resolve) => {
        ctx.res.once('close', resolve)
        serve(ctx.req, ctx.res, () => {
          missing = true
          resolve()
        })
      })
      if (missing) return next()
      ctx.respond = false
    },
  }
}
