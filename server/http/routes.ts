import type { Context, Middleware } from 'koa'
import { UploadError } from '../core/errors.ts'

/** @param id what stands for `:id` in the path, decoded; empty where the route has none. */
export type Handler = (ctx: Context, id: string) => unknown

/** The handlers of one path by their methods; GET answers HEAD, too, where that has none of its own. */
export type Methods = Readonly<Partial<Record<string, Handler>>>

/**
 * Answers each request by its path and method. A slash at the end of a path makes no difference.
 *
 * @param table by path; `:id` can be its second part.
 * @throws UploadError `not_found`, `unsupported_method` (with `Allow`, RFC 9110 §15.5.6), and what the handlers throw.
 */
export function routes(table: Readonly<Record<string, Methods>>): Middleware {
  const byPath = new Map(Object.entries(table))
  return (ctx) => {
    const { path } = ctx
    const asked = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
    const exact = byPath.get(asked)
    const [first, second, rest] = exact === undefined ? split(asked) : [asked, '', '']
    const methods = exact ?? byPath.get(`${first}:id${rest}`)
    const id = decoded(second)
    if (methods === undefined || id === undefined) throw new UploadError('not_found', 'There is nothing here.')
    const handler = methods[ctx.method] ?? (ctx.method === 'HEAD' ? methods['GET'] : undefined)
    if (handler === undefined || ctx.method === 'OPTIONS') {
      const known = methods['GET'] === undefined ? methods : { HEAD: methods['GET'], ...methods }
      ctx.set('Allow', Object.keys(known).join(', '))
    }
    if (handler === undefined) {
      throw new UploadError('unsupported_method', `${ctx.method} is not supported here.`)
    }
    return handler(ctx, id)
  }
}

/** Splits `/files/id/rest` into `/files/`, `id`, and `/rest`. */
function split(path: string): readonly [string, string, string] {
  const start = path.indexOf('/', 1) + 1
  const slash = path.indexOf('/', start)
  const end = slash < start ? path.length : slash
  return [path.slice(0, start), path.slice(start, end), path.slice(end)]
}

/** `undefined` for what is not the encoding of a text. */
function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}
