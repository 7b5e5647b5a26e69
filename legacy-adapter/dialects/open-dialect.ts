import type { LegacyOptions } from '../options.ts'
import type { Tools } from '../tools.ts'
import { IssuedTasks } from './issued-tasks.ts'
import type { TaskRules } from './request-values.ts'
import { type Dialect, referencesIn } from './schema.ts'
import type { Scratch } from './scratch.ts'

/** A dialect at its path, with what its requests need. */
export interface OpenDialect {
  readonly dialect: Dialect
  /** Those of the adapter, with the identity of the dialect. */
  readonly tools: Tools
  /** The names of all fields that are read. */
  readonly read: readonly string[]
  readonly tasks: TaskRules
  /** Holds files whose fields follow them. */
  readonly scratch: Scratch
}

/** Prepares a dialect for requests. */
export function openDialect(dialect: Dialect, tools: Tools, scratch: Scratch): OpenDialect {
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
  const issued = dialect.create.length === 0 ? undefined : new IssuedTasks(tools.options.rules.secret, dialect.name)
  return {
    dialect,
    tools: { ...tools, options },
    read: [...new Set(fieldsOf(dialect))],
    tasks: { task: fields.task, issued },
    scratch,
  }
}

/** The name under which the adapter knows an identity value of a dialect. */
export function identityField(index: number): string {
  return `identity.${index}`
}

/** The fields that a dialect names anywhere. */
function fieldsOf(dialect: Dialect): readonly string[] {
  return referencesIn(dialect)
    .filter(({ source }) => FIELDS.has(source))
    .map(({ name }) => name)
}

const FIELDS: ReadonlySet<string> = new Set(['field', 'form', 'query'])
