import { z } from 'zod'

/** The values that an answer can have. An absent one leaves its member out. */
export const VARIABLES = [
  'id',
  'url',
  'name',
  'size',
  'received',
  'finished',
  'result',
  'task',
  'chunk',
  'have',
  'missing',
  'code',
  'message',
] as const

export type Variables = Readonly<Partial<Record<(typeof VARIABLES)[number], unknown>>>

/** What an answer is made from. */
export interface Template {
  readonly status: number
  readonly json?: z.core.util.JSONType | undefined
  readonly text?: string | undefined
}

/** An answer to a request. */
export interface PageAnswer {
  readonly status: number
  /** Content-Type; `undefined` without a body. */
  readonly type: string | undefined
  readonly body: string
}

/** A text that is only a variable, such as `$id`, has its value. */
const VARIABLE = /^\$(\w*)$/

const status = z
  .number('must be a status from 200 to 599, and no redirect')
  .int()
  .refine((code) => (code >= 200 && code < 300) || (code >= 400 && code < 600), {
    error: 'must be a status from 200 to 599, and no redirect',
  })

const known = (value: unknown): string | undefined => {
  if (typeof value === 'string') {
    const name = VARIABLE.exec(value)?.[1]
    return name === undefined || VARIABLES.some((variable) => variable === name) ? undefined : value
  }
  if (typeof value !== 'object' || value === null) return undefined
  return Object.values(value)
    .map(known)
    .find((found) => found !== undefined)
}

const body = <T>(schema: z.ZodType<T>) =>
  schema.superRefine((value, context) => {
    const unknown = known(value)
    if (unknown === undefined) return
    context.addIssue(`has no variable ${unknown}; there are ${VARIABLES.map((name) => `$${name}`).join(', ')}`)
  })

/** A status alone, or a status with a JSON body or a text. @param usual the status if the dialect names none. */
export function template(usual: number) {
  const whole = z
    .strictObject({
      status: status.prefault(usual),
      json: body(z.json()).optional(),
      text: body(z.string()).optional(),
    })
    .refine(({ json, text }) => json === undefined || text === undefined, 'must have either json or text')
  return z.preprocess(
    (input) => (typeof input === 'number' ? { status: input } : input),
    whole.transform((answer): Template => answer),
  )
}

/** The answer with these values. */
export function fill({ status, json, text }: Template, variables: Variables): PageAnswer {
  if (json !== undefined) {
    return { status, type: 'application/json; charset=utf-8', body: JSON.stringify(filled(json, variables)) }
  }
  if (text === undefined) return { status, type: undefined, body: '' }
  return { status, type: 'text/plain; charset=utf-8', body: String(filled(text, variables) ?? '') }
}

function filled(value: unknown, variables: Variables): unknown {
  if (typeof value === 'string') {
    const name = VARIABLE.exec(value)?.[1]
    return name === undefined ? value : new Map<string, unknown>(Object.entries(variables)).get(name)
  }
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((entry) => filled(entry, variables))
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, filled(entry, variables)]))
}
