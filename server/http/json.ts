import type { Context } from 'koa'

/** Responds with JSON. Given an object, Koa would load all of `fetch` to check for its `Response`. */
export function answerJson(ctx: Context, value: unknown, type = 'json'): void {
  ctx.type = type
  ctx.body = JSON.stringify(value)
}
