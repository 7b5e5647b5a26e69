import type { Context } from 'koa'
import type { z } from 'zod'
import { UploadError } from '../core/errors.ts'
import { withBody } from './request-body.ts'

/** Maximum body, in bytes. */
const MAX_BODY = 16 * 1024

/**
 * Reads the JSON body of a request.
 *
 * @param idleTimeout when a body without data is aborted, in milliseconds.
 * @throws UploadError `bad_request`, `too_large`, and those of a broken body.
 */
export async function jsonBody<T>(ctx: Context, schema: z.ZodType<T>, idleTimeout: number): Promise<T> {
  const request = schema.safeParse(await readJson(ctx, idleTimeout))
  if (request.success) return request.data
  const [issue] = request.error.issues
  const name = issue?.path.length === 0 ? 'The body' : `The field ${String(issue?.path[0])}`
  throw new UploadError('bad_request', `${name} is not valid: ${issue?.message}.`)
}

async function readJson(ctx: Context, idleTimeout: number): Promise<unknown> {
  const text = await withBody(ctx, idleTimeout, async (body) => {
    const pieces: Buffer[] = []
    let size = 0
    for (let batch = await body.read(); batch !== null; batch = await body.read()) {
      for (const piece of batch) {
        size += piece.length
        if (size > MAX_BODY) throw new UploadError('too_large', `The body may have at most ${MAX_BODY} bytes.`)
        pieces.push(Buffer.from(piece))
      }
    }
    return Buffer.concat(pieces).toString()
  })
  try {
    return JSON.parse(text)
  } catch {
    throw new UploadError('bad_request', 'The body must be a JSON object.')
  }
}
