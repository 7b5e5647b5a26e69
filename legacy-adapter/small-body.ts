import { parse } from 'content-type'
import type { Context } from 'koa'
import { z } from 'zod'
import { UploadError } from '../server/core/errors.ts'
import { bytesIn } from '../server/core/reader.ts'
import type { Source } from '../server/core/source.ts'
import { clientOf } from '../server/http/address-limits.ts'
import { withBody } from '../server/protocol/request-body.ts'
import { decodeText, markedCharset } from './decode-text.ts'
import { FieldList, type RequestFields } from './fields.ts'
import { readForm } from './multipart.ts'
import type { Tools } from './tools.ts'
import { addUrlencoded } from './urlencoded.ts'

/** Maximum body of a call without a file, in bytes: it is buffered. */
const LONGEST_BODY = 64 * 1024
/** The same for multipart/form-data, of which only fields are kept. */
const LONGEST_FORM = 1024 * 1024

/** The byte order mark of UTF-8, one character per byte. */
const UTF8_MARK = /^\xef\xbb\xbf/

const object = z.record(z.string(), z.unknown())
const plain = z.union([z.string(), z.number(), z.boolean()])

/**
 * The fields of a call without a file: from the query, and from a body that is a form of either kind or a JSON object.
 * The bytes decide which, because pages mislabel both. Returns in the turn of the client, since the response may name
 * thousands of chunks.
 *
 * @throws UploadError `bad_request`, `too_large`, `malformed_body`, `too_many_fields`, `field_too_large`, and
 * connection errors.
 */
export async function readFields(ctx: Context, tools: Tools): Promise<RequestFields> {
  const { rules, tokenField } = tools.options
  const fields = new FieldList(rules.names, tokenField)
  addUrlencoded(fields, ctx.querystring)
  return readBodyFields(ctx, fields, tools)
}

/** Like `readFields`, without those of the query. @param fields receives them. */
export async function readBodyFields(
  ctx: Context,
  fields: FieldList,
  { options: { idleTimeout }, turns }: Tools,
): Promise<RequestFields> {
  if (ctx.method !== 'GET') await withBody(ctx, idleTimeout, (body) => addBody(fields, body, ctx.get('Content-Type')))
  await turns.take(clientOf(ctx.ip))
  return { fields: fields.fields, tokens: fields.tokens }
}

async function addBody(fields: FieldList, body: Source, contentType: string): Promise<void> {
  const { type, parameters } = parse(contentType)
  if (type === 'multipart/form-data') return readForm(bounded(body, LONGEST_FORM), contentType, fields)
  const bytes = await readAll(bounded(body, LONGEST_BODY))
  const wide = wideCharset(bytes)
  const charset = wide ?? parameters['charset']
  const text = decodeText(bytes, charset)
  if (text.trimStart().startsWith('{')) addJson(fields, text)
  else if (wide !== undefined) addUrlencoded(fields, Buffer.from(text).toString('latin1'))
  else addUrlencoded(fields, bytes.toString('latin1').replace(UTF8_MARK, ''), charset)
}

function bounded(body: Source, most: number): Pick<Source, 'read'> {
  let left = most
  const read = async (): Promise<readonly Buffer[] | null> => {
    const batch = await body.read()
    left -= bytesIn(batch ?? [])
    if (left < 0) throw new UploadError('too_large', 'The body is too long.')
    return batch
  }
  return { read }
}

async function readAll(body: Pick<Source, 'read'>): Promise<Buffer> {
  const pieces: Buffer[] = []
  for (let batch = await body.read(); batch !== null; batch = await body.read()) pieces.push(Buffer.concat(batch))
  return Buffer.concat(pieces)
}

/** The UTF-16 variant of a text, by its byte order mark or by the zero byte of its first ASCII character. */
function wideCharset(bytes: Buffer): 'utf-16le' | 'utf-16be' | undefined {
  const [first, second] = bytes
  if (first === 0 && second !== 0 && second !== undefined) return 'utf-16be'
  if (second === 0 && first !== 0) return 'utf-16le'
  return markedCharset(bytes)
}

function addJson(fields: FieldList, text: string): void {
  for (const [name, member] of Object.entries(object.safeParse(parsed(text)).data ?? {})) {
    // Custom members may have any type; null counts as absent.
    const value = plain.safeParse(member).data
    if (value !== undefined && fields.isRead(name)) fields.add(name, Buffer.from(String(value)))
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new UploadError('bad_request', 'The body is not valid JSON.', { cause: error })
  }
}
