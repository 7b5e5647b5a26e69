import { z } from 'zod'
import type { Answer } from '../core/answer.ts'
import { answerParts } from '../core/answer-parts.ts'
import type { CreationChanges } from '../core/decisions.ts'

/** Maximum bytes of a response. */
export const MAX_RESPONSE = 16 * 1024

/** What a receiver answers to a call. */
export interface HookResponse {
  readonly answer: Answer | undefined
  readonly rejectsUpload: boolean
  readonly rejectsTermination: boolean
  readonly stopsUpload: boolean
  readonly changes: CreationChanges | undefined
}

/**
 * Parses a response of tusd 2, with `Result` as our addition.
 *
 * @throws Error when it is none.
 */
export function parseHookResponse(text: string): HookResponse {
  const { success, data, error } = response.safeParse(parsed(text))
  if (!success) throw new Error(`The answer is not a response to a hook: ${z.prettifyError(error)}`)
  const { HTTPResponse: http, ChangeFileInfo: changed } = data
  return {
    answer: answerOf(http, data.Result),
    rejectsUpload: data.RejectUpload ?? false,
    rejectsTermination: data.RejectTermination ?? false,
    stopsUpload: data.StopUpload ?? false,
    changes: changed && {
      id: changed.ID || undefined,
      metadata: changed.MetaData,
      path: changed.Storage?.Path || undefined,
    },
  }
}

/** The response of a receiver that has nothing to say. */
export const NOTHING: HookResponse = {
  answer: undefined,
  rejectsUpload: false,
  rejectsTermination: false,
  stopsUpload: false,
  changes: undefined,
}

/** An object whose names Go decodes without regard to case, and whose `null`s mean nothing. */
function struct<S extends z.ZodRawShape>(shape: S) {
  const names = new Map(Object.keys(shape).map((name) => [name.toLowerCase(), name]))
  const named = (input: unknown): unknown => {
    if (typeof input !== 'object' || input === null || Array.isArray(input)) return input
    const known = Object.entries(input).flatMap(([name, value]) => {
      const meant = names.get(name.toLowerCase())
      return meant === undefined || value === null ? [] : [[meant, value] as const]
    })
    return Object.fromEntries(known)
  }
  return z.preprocess(named, z.object(shape))
}

const response = struct({
  HTTPResponse: struct({
    StatusCode: z.int().optional(),
    Body: z.string().optional(),
    Header: answerParts.headers.optional(),
  }).optional(),
  RejectUpload: z.boolean().optional(),
  RejectTermination: z.boolean().optional(),
  ChangeFileInfo: struct({
    ID: z.string().optional(),
    MetaData: answerParts.metadata.optional(),
    Storage: struct({ Path: z.string().optional() }).optional(),
  }).optional(),
  StopUpload: z.boolean().optional(),
  Result: answerParts.result.optional(),
})

type HttpResponse = NonNullable<z.output<typeof response>['HTTPResponse']>

/** Go's zero values mean that nothing changes. */
function answerOf(http: HttpResponse = {}, result: unknown): Answer | undefined {
  const answer = {
    ...(http.StatusCode && { status: http.StatusCode }),
    ...(http.Body && { body: http.Body }),
    ...(http.Header !== undefined && Object.keys(http.Header).length > 0 && { headers: http.Header }),
    ...(result !== undefined && { result }),
  }
  return Object.keys(answer).length === 0 ? undefined : answer
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('The answer is not JSON.')
  }
}
