import type { Context } from 'koa'
import type { Endpoint } from '../../server/admission.ts'
import type { Route } from '../../server/route.ts'
import { DialectHandlers, type Roles, type Termination } from './handlers.ts'
import type { OpenDialect } from './open-dialect.ts'

type Method = Route['method']

/** The routes of a dialect: one for each method and path, whatever roles share it. */
export function dialectRoutes(open: OpenDialect, termination: Termination): readonly Route[] {
  const handlers = new DialectHandlers(open, termination)
  const { dialect } = open
  const { chunk, create, test, finish, remove } = dialect
  const places = new Map<string, { readonly method: Method; readonly path: string }>()
  for (const { method, path } of [chunk, ...create, ...test, ...finish, ...remove])
    places.set(`${method} ${path}`, { method, path })
  return [...places.values()].map(({ method, path }) => {
    const isHere = (role: { readonly method: string; readonly path: string }): boolean =>
      role.method === method && role.path === path
    const roles: Roles = {
      create: create.filter(isHere),
      test: test.filter(isHere),
      finish: finish.filter(isHere),
      remove: remove.filter(isHere),
    }
    const pattern = `${dialect.path}${path}`
    const endpoint = endpointOf(handlers, pattern, roles, isHere(chunk))
    return { method, path: pattern, answer: endpoint, ...(isHere(chunk) && { limited: true as const }) }
  })
}

function endpointOf(handlers: DialectHandlers, pattern: string, roles: Roles, hasChunks: boolean): Endpoint {
  const all = [...roles.create, ...roles.test, ...roles.finish, ...roles.remove]
  return {
    needs: hasChunks ? ['write'] : ['ask'],
    from: 'fields',
    run: (ctx, admit) => {
      const isCall = !hasChunks || (all.length > 0 && (!isForm(ctx) || handlers.isCall(ctx, pattern, roles)))
      return isCall ? handlers.call(ctx, pattern, roles, admit) : handlers.chunk(ctx, pattern, admit)
    },
  }
}

/** Where calls share the path of the chunks, only forms have files. */
function isForm(ctx: Context): boolean {
  return /^\s*multipart\/form-data\s*(;|$)/i.test(ctx.get('Content-Type'))
}
