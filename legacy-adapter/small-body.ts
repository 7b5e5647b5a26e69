import type { Context } from 'koa'
import { z } from 'zod'
import { UploadError } from '../server/core/errors.ts'
import type { Source } from '../server/core/source.ts'
import { clientOf } from '../server/http/address-limits.ts'
import { turnOf } from '../server/http/loop-turns.ts'
import { withBody } from '../server/http/request-body.ts'
import { collectFields, type Fields } from './fields.ts'

/** The longest body of a call that carries no file, in bytes. */
const LONGEST = 64 * 1024

const object = z.record(z.string(), z.unknown())
const plain = z.union([z.string(), z.number(), z.boolean()])

/**
 * The fields of a call without a file: from the query, and from a body that is a form or a JSON object. Returns in the turn of the
 * client, since the answer may name thousands of chunks.
 *
 * @throws UploadError `bad_request`, `too_large`, `too_many_fields`, `field_too_large`, and what the connection does.
 */
export async function readFields(ctx: Context, idleTimeout: number): Promise<Fields> {
  const query = [...new URLSearchParams(ctx.querystring)]
  const text = ctx.method === 'GET' ? '' : await withBody(ctx, idleTimeout, readText)
  await turnOf(clientOf(ctx.ip))
  return collectFields([...query, ...parse(text)])
}

async function readText(body: Source): Promise<string> {
  const pieces: Buffer[] = []
  let length = 0
  for (let batch = await body.read(); batch !== null; batch = await body.read()) {
    pieces.push(Buffer.concat(batch))
    length += batch.reduce((sum, piece) => sum + piece.length, 0)
    if (length > LONGEST) throw new UploadError('too_large', 'The body is too long.')
  }
  return Buffer.concat(pieces).toString('utf8')
}

function parse(text: string): [string, string][] {
  if (!text.trimStart().startsWith('{')) return [...new URLSearchParams(text)]
  try {
    const members = Object.entries(object.safeParse(JSON.parse(text)).data ?? {})
    // What the page adds for itself may have any form, and what is null was not said.
    return members.flatMap(([name, member]) => {
      const value = plain.safeParse(member).data
      return value === undefined ? [] : [[name, String(value)]]
    })
  } catch (error) {
    throw new UploadError('bad_request', 'The body is not valid JSON.', { cause: error })
  }
}
