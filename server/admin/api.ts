import Router, { type RouterContext } from '@koa/router'
import type { Context, DefaultState, Middleware } from 'koa'
import { UploadError } from '../core/errors.ts'
import { answerJson } from '../http/json.ts'
import { dispatch } from '../http/routing.ts'
import { traceOf } from '../http/trace.ts'
import type { AdminAccess, Administrator } from './access.ts'
import type { NoteAdminAct } from './audit.ts'
import { BASE } from './openapi.ts'
import type { Operation } from './operation.ts'

/** Maximum body, in bytes. */
const MAX_BODY = 16 * 1024

/** Runs the operation that a request names. */
export type AdminRoutes = Middleware<DefaultState, RouterContext>

/** The routes of the operations. */
export function adminApi(operations: readonly Operation[], access: AdminAccess, note: NoteAdminAct): AdminRoutes {
  const router = new Router({ sensitive: true })
  const administrators = new WeakMap<Context, Administrator>()
  for (const one of operations) {
    router.register(`${BASE}${one.path}`, [one.method], async (ctx) => {
      const by = administrators.get(ctx) ?? (await access.identify(ctx))
      const body = one.body === undefined ? undefined : await readJson(ctx)
      const { params } = ctx
      const answer = await one.run({ ctx, by, params, query: { ...ctx.query }, body })
      if (one.act !== undefined) {
        note({ act: one.act, upload: uploadIn(one, params), by, request: traceOf(ctx.req)?.id })
      }
      if (ctx.respond === false || ctx.headerSent) return
      if (one.answer !== undefined && 'stream' in one.answer) return
      ctx.status = one.status
      ctx.set('Cache-Control', 'no-store')
      if (one.answer === undefined) ctx.body = null
      else answerJson(ctx, answer)
      ctx.status = one.status
    })
  }
  const run = dispatch(router)
  return async (ctx, next) => {
    // Who is no administrator learns nothing, not even which paths there are.
    if (ctx.path.startsWith(`${BASE}/`)) administrators.set(ctx, await access.identify(ctx))
    return run(ctx, next)
  }
}

function uploadIn({ path }: Operation, params: Readonly<Record<string, string>>): string | undefined {
  return path.startsWith('/uploads/') ? params['id'] : undefined
}

/** An absent body is an empty object. @throws UploadError `bad_request`, `too_large`. */
async function readJson(ctx: Context): Promise<unknown> {
  const pieces: Buffer[] = []
  let size = 0
  // The response to a body that is too large needs the connection.
  for await (const piece of ctx.req.iterator({ destroyOnReturn: false })) {
    size += piece.length
    if (size > MAX_BODY) throw new UploadError('too_large', `The body may have at most ${MAX_BODY} bytes.`)
    pieces.push(piece)
  }
  if (size === 0) return {}
  try {
    return JSON.parse(Buffer.concat(pieces).toString())
  } catch {
    throw new UploadError('bad_request', 'The body must be a JSON object.')
  }
}
