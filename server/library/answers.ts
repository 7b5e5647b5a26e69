import { z } from 'zod'
import { answerParts } from '../core/answer-parts.ts'

const metadata = answerParts.metadata.optional()
const { body, headers, result } = answerParts
const said = { body: body.optional(), headers: headers.optional(), result: result.optional() }

/** What `beforeCreate` may return. */
export const creationAnswer = z.object({
  ...said,
  metadata,
  id: z.string().optional(),
  folder: z.string().optional(),
  path: z.string().optional(),
})

/** What `beforeFinish` and `beforeDelete` may return, and the answer of a `Refusal`. */
export const answer = z.object({ ...said, status: z.int().optional() })
