import type { Context } from 'koa'
import { answerJson } from '../server/http/json.ts'
import type { LegacyOptions } from './options.ts'

/**
 * `GET /upload/accept?landfall`: the script for old pages asks whether the server of a page is this service. Its visitor
 * receives the cookie before the first chunk, so all chunks have one owner.
 */
export function describe(ctx: Context, { tokenField, visitors }: LegacyOptions): void {
  visitors.introduce(ctx)
  ctx.set('Cache-Control', 'no-store')
  answerJson(ctx, { landfall: 1, ...(tokenField !== undefined && { field: tokenField }) })
}

/** Whether a request asks for that. */
export function asksForDescription(ctx: Context): boolean {
  return ctx.query['landfall'] !== undefined
}
