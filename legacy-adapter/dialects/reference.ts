import { z } from 'zod'

/**
 * Where a value of a request is: in a field of the form or else of the query, or only in the named place. `kept` is what
 * the call that issued the task has said, and `constant` a number that no request has.
 */
export interface Reference {
  readonly source: 'field' | 'form' | 'query' | 'header' | 'part' | 'path' | 'kept' | 'constant'
  readonly name: string
  /** The value is this member of a JSON object. */
  readonly member?: string | undefined
  /** The value is what follows the first or the last occurrence of a text. */
  readonly after?: string | undefined
  readonly afterLast?: string | undefined
  /** The value is what then precedes the first or the last occurrence of a text. */
  readonly before?: string | undefined
  readonly beforeLast?: string | undefined
}

/** References to one value; the first one that a request has counts. */
export type References = readonly Reference[]

const PREFIXED = /^(form|query|header|part|path|kept):(.+)$/s
const WRONG =
  'must be the name of a field, or one after form:, query:, header:, path:, or kept:, or part:filename, or part:type'
const WRONG_OBJECT = `${WRONG}, or have that as "value", with member, after, afterLast, before, or beforeLast`

const text = z.string().transform((text, context): Reference => {
  const [, source, name = ''] = PREFIXED.exec(text) ?? []
  switch (source) {
    case 'part':
      if (name === 'filename' || name === 'type') return { source, name }
      break
    case 'form':
    case 'query':
    case 'path':
    case 'kept':
      return { source, name }
    case 'header':
      if (/^[\w-]+$/.test(name)) return { source, name: name.toLowerCase() }
      break
    default:
      if (text !== '') return { source: 'field', name: text }
  }
  context.addIssue(WRONG)
  return z.NEVER
})

const piece = z.string().min(1).optional()

/** A part of a value. */
const part = z
  .strictObject(
    { value: text, member: piece, after: piece, afterLast: piece, before: piece, beforeLast: piece },
    { error: WRONG_OBJECT },
  )
  .refine(({ value, ...rest }) => Object.values(rest).some((each) => each !== undefined), WRONG_OBJECT)
  .transform(({ value, ...rest }): Reference => ({ ...value, ...rest }))

const one = z.union([text, part], { error: (issue) => (typeof issue.input === 'object' ? WRONG_OBJECT : WRONG) })

/** One reference, or several in order. */
export const references = z
  .union([one.transform((reference) => [reference]), z.array(one).min(1)], {
    error: ({ input }) => (typeof input === 'object' && !Array.isArray(input) ? WRONG_OBJECT : WRONG),
  })
  .transform((list): References => list)

/** The same, or a number that is the value of every request. */
export const referencesOrNumber = z.union(
  [
    z
      .number()
      .int()
      .min(1)
      .transform((number): References => [{ source: 'constant', name: String(number) }]),
    references,
  ],
  'must be a number of bytes, or where one is',
)
