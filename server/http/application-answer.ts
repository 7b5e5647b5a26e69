import type { Context } from 'koa'
import { type Answer, asciiJson } from '../core/answer.ts'

/** Headers that frame the message, or that only the service can know. */
const RESERVED: ReadonlySet<string> = new Set([
  'cache-control',
  'connection',
  'content-encoding',
  'content-length',
  'date',
  'keep-alive',
  'location',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'vary',
])

/** Fields of the upload protocols, which clients rely on. */
const PROTOCOL_FIELD = /^(?:upload|tus|access-control)-/

/** The headers of an answer that a response may have. */
export function answerHeaders({ headers = {} }: Answer): Readonly<Record<string, string>> {
  const allowed = Object.entries(headers).filter(([name]) => {
    const lower = name.toLowerCase()
    return !RESERVED.has(lower) && !PROTOCOL_FIELD.test(lower)
  })
  return Object.fromEntries(allowed)
}

/** Adds the answer of an application to a successful response. A status that would make it an error is not taken. */
export function setAnswer(ctx: Context, answer: Answer | undefined): void {
  if (answer === undefined) return
  const { status, body, result } = answer
  ctx.set(answerHeaders(answer))
  if (result !== undefined) ctx.set('Upload-Result', asciiJson(result))
  if (ctx.method === 'HEAD') return
  if (status !== undefined && status >= 200 && status < 300) ctx.status = status
  if (body === undefined || body === '') return
  if (ctx.status === 204) ctx.status = 200
  // Koa would take a body with a tag for a page.
  if (!ctx.res.hasHeader('Content-Type')) ctx.type = 'text/plain; charset=utf-8'
  ctx.body = body
}
