import type { Context } from 'koa'
import { z } from 'zod'
import { type ErrorCode, UploadError } from '../core/errors.ts'
import type { Administrator } from './access.ts'

/** What an operation answers: JSON of a schema, or a stream that the handler writes itself. */
export type AnswerKind = z.ZodType | { readonly stream: string; readonly of?: z.ZodType } | undefined

/** A request of an administrator, before its parts are checked. */
export interface OperationRequest {
  readonly ctx: Context
  readonly by: Administrator
  readonly params: unknown
  readonly query: unknown
  readonly body: unknown
}

interface Facts {
  /** The `operationId` of OpenAPI. */
  readonly id: string
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Below `/admin/v1`, with parameters like `:id`. */
  readonly path: string
  readonly summary: string
  /** How the audit log names it; `undefined` for what only reads. */
  readonly act?: string
  readonly status: 200 | 201 | 204
  /** The errors besides those of every operation. */
  readonly errors?: readonly ErrorCode[]
}

/** One operation of the admin API: from it, both the route and its documentation are made. */
export interface Operation extends Facts {
  readonly params: z.ZodType
  readonly query: z.ZodType
  readonly body: z.ZodType | undefined
  readonly answer: AnswerKind
  /** @throws UploadError `bad_request` for wrong parts of the request, and what the operation throws. */
  readonly run: (request: OperationRequest) => Promise<unknown>
}

interface Parsed<P, Q, B> {
  readonly ctx: Context
  readonly by: Administrator
  readonly params: P
  readonly query: Q
  readonly body: B
}

const nothing = z.strictObject({})
type Nothing = typeof nothing

interface Definition<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, A> extends Facts {
  readonly params?: P
  readonly query?: Q
  readonly body?: B
  readonly answer?: A
  readonly run: (
    request: Parsed<z.output<P>, z.output<Q>, z.output<B>>,
  ) => Promise<A extends z.ZodType ? z.input<A> : void>
}

/** Declares an operation, whose handler receives checked parts. */
export function operation<
  A extends AnswerKind = undefined,
  P extends z.ZodType = Nothing,
  Q extends z.ZodType = Nothing,
  B extends z.ZodType = z.ZodUndefined,
>({ params, query, body, answer, run, ...facts }: Definition<P, Q, B, A>): Operation {
  return {
    ...facts,
    params: params ?? nothing,
    query: query ?? nothing,
    body,
    answer,
    run: async ({ ctx, by, ...parts }) =>
      run({
        ctx,
        by,
        params: parse(params ?? nothing, parts.params, 'The path') as z.output<P>,
        query: parse(query ?? nothing, parts.query, 'The query') as z.output<Q>,
        body: (body === undefined ? undefined : parse(body, parts.body, 'The body')) as z.output<B>,
      }),
  }
}

/** @throws UploadError `bad_request`. */
function parse(schema: z.ZodType, value: unknown, part: string): unknown {
  const { success, data, error } = schema.safeParse(value)
  if (success) return data
  const [issue] = error.issues
  const name = issue === undefined || issue.path.length === 0 ? part : `The field ${issue.path.map(String).join('.')}`
  throw new UploadError('bad_request', `${name} is not valid: ${issue?.message}.`)
}
