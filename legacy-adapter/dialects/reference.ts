import { z } from 'zod'

/** Where a value of a request is: in a field of the form or else of the query, or only in the named place. */
export interface Reference {
  readonly source: 'field' | 'form' | 'query' | 'header' | 'part' | 'path'
  readonly name: string
}

/** References to one value; the first one that a request has counts. */
export type References = readonly Reference[]

const PREFIXED = /^(form|query|header|part|path):(.+)$/s
const WRONG =
  'must be the name of a field, or one after form:, query:, header:, or path:, or part:filename, or part:type'

const one = z.string().transform((text, context): Reference => {
  const [, source, name = ''] = PREFIXED.exec(text) ?? []
  switch (source) {
    case 'part':
      if (name === 'filename' || name === 'type') return { source, name }
      break
    case 'form':
    case 'query':
    case 'path':
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

/** One reference, or several in order. */
export const references = z
  .union([one.transform((reference) => [reference]), z.array(one).min(1)], { error: WRONG })
  .transform((list): References => list)
