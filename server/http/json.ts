import type { Context } from 'koa'

/** Answers with JSON. Given an object, Koa would load all that `fetch` is made of, to see whether it is an answer of that. */
export function answerJson(ctx: Context, value: unknown, type = 'json'): void {
  ctx.type = type
  ctx.body = JSON.stringify(value)
}
