import { validateHeaderName, validateHeaderValue } from 'node:http'
import { z } from 'zod'
import { asciiJson } from './answer.ts'

/** Maximum bytes of a result in a header. Proxies allow about 4 KiB for all headers. */
const MAX_RESULT = 2 * 1024

/** Maximum bytes of a body: the record of an upload keeps it. */
const MAX_BODY = 16 * 1024

const headers = z
  .record(z.string(), z.string())
  .refine((headers) => Object.entries(headers).every(isHeader), 'must have valid names and values')

function isHeader([name, value]: readonly [string, string]): boolean {
  try {
    validateHeaderName(name)
    validateHeaderValue(name, value)
    return true
  } catch {
    return false
  }
}

/** tus, creation extension: a key has no spaces, no commas, and only ASCII. */
const metadataKey = z.string().regex(/^(?!__proto__$)[!-+\--~]+$/, 'must be a key of Upload-Metadata')

const result = z
  .unknown()
  .refine((result) => result === undefined || isShortJson(result), `must be JSON of at most ${MAX_RESULT} bytes`)

function isShortJson(value: unknown): boolean {
  try {
    return asciiJson(value).length <= MAX_RESULT
  } catch {
    return false
  }
}

/** The parts of what an application answers: records keep them, and clients receive them. */
export const answerParts = {
  headers,
  result,
  body: z.string().refine((text) => Buffer.byteLength(text) <= MAX_BODY, `must have at most ${MAX_BODY} bytes`),
  metadata: z.record(metadataKey, z.string().nullable()),
}
