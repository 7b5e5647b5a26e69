import type { Context } from 'koa'
import { trackResponse } from './unread-responses.ts'

/** Answers with JSON. Given an object, Koa would load all that `fetch` is made of, to see whether it is an answer of that. */
export function answerJson(ctx: Context, value: unknown, type = 'json'): void {
  ctx.type = type
  const text = JSON.stringify(value)
  ctx.body = text
  trackResponse(ctx, text)
}
