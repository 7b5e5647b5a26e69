import type { LegacyOptions } from '../options.ts'
import type { Tools } from '../tools.ts'
import type { References } from './reference.ts'
import type { Dialect } from './schema.ts'

/** A dialect at its path, with what its requests need. */
export interface OpenDialect {
  readonly dialect: Dialect
  /** Those of the adapter, with the identity of the dialect. */
  readonly tools: Tools
  /** The names of all fields that are read. */
  readonly read: readonly string[]
}

/** Prepares a dialect for requests. */
export function openDialect(dialect: Dialect, tools: Tools): OpenDialect {
  const { fields } = dialect
  const options: LegacyOptions = {
    ...tools.options,
    rules: {
      secret: tools.options.rules.secret,
      node: tools.options.rules.node,
      names: [
        ...['task_id', 'id', 'name', 'size', 'lastModifiedDate', 'chunks', 'dialect'],
        ...fields.identity.map((_, index) => identityField(index)),
        ...(fields.content === undefined ? [] : ['content']),
      ],
      guessable: fields.guessable,
    },
  }
  return { dialect, tools: { ...tools, options }, read: [...new Set(fieldsOf(dialect))] }
}

/** The name under which the adapter knows an identity value of a dialect. */
export function identityField(index: number): string {
  return `identity.${index}`
}

/** The fields that a dialect names anywhere. */
function fieldsOf(value: unknown): string[] {
  if (isReferences(value)) {
    return value.filter(({ source }) => FIELDS.has(source)).map(({ name }) => name)
  }
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(fieldsOf) : []
}

const FIELDS: ReadonlySet<string> = new Set(['field', 'form', 'query'])

function isReferences(value: unknown): value is References {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((entry) => typeof entry === 'object' && entry !== null && 'source' in entry && 'name' in entry)
  )
}
