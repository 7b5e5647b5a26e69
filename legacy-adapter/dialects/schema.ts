import { z } from 'zod'
import { type Reference, type References, references, referencesOrNumber } from './reference.ts'
import { template } from './template.ts'

/** The members of a dialect's error answers, which pages may show. */
const ERROR = { success: false, error: '$message', code: '$code' }
/** The answer to a stored chunk that satisfies every known library. */
const STORED = {
  success: true,
  id: '$id',
  url: '$url',
  size: '$size',
  received: '$received',
  finished: '$finished',
  result: '$result',
}

const SEGMENTS = /^(?:\/(?:[A-Za-z0-9._~-]+|:[a-z]+))+$/

const basePath = z
  .string()
  .regex(SEGMENTS, 'must be a path like /upload/photos, of letters, digits, and ._~-, without a slash at its end')
const rolePath = z
  .string()
  .refine(
    (text) => text === '' || SEGMENTS.test(text),
    'must be empty, or continue the path of the dialect, like /done',
  )
  .prefault('')

const method = (...usual: readonly ('GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE')[]) =>
  z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).prefault(usual[0] ?? 'POST')

/** Values that a request must have for this role, where several roles share a method and a path. */
const when = z
  .record(z.string(), z.string())
  .transform((conditions, context) =>
    Object.entries(conditions).map(([text, value]) => {
      const { success, data } = references.safeParse(text)
      if (success) return { references: data, value }
      context.addIssue(`names ${text}, which is no value of a request`)
      return z.NEVER
    }),
  )
  .prefault({})

/** Whose members say in which place a role has what the chunks have elsewhere. */
const named = {
  path: rolePath,
  when,
  task: references.optional(),
  name: references.optional(),
}

/** How a list names a chunk. */
const listEntry = z
  .string()
  .refine(
    (text) => text === 'number' || text === 'string' || text.split('{chunk}').length === 2,
    'must be "number", "string", or a text with {chunk} in it, such as "{task}-{chunk}"',
  )

const test = z.strictObject({
  ...named,
  method: method('GET'),
  /** `file`: the request names its file as a chunk does. `task`: only its task, of which one file may be unfinished. */
  of: z.enum(['file', 'task']).prefault('file'),
  index: references.optional(),
  length: references.optional(),
  have: template(200).optional(),
  need: template(200).optional(),
  /** Answers all chunks at once: `$have` is their list. */
  list: z.strictObject({ as: listEntry.prefault('number'), answer: template(200) }).optional(),
})

const finish = z.strictObject({
  ...named,
  method: method('POST'),
  ext: references.optional(),
  /** Bytes, and chunks, of a file of which the chunks say neither. */
  size: references.optional(),
  count: references.optional(),
  done: template(200).prefault({ json: STORED }),
  missing: template(503).prefault({ json: { ...ERROR, missing: '$missing' } }),
})

const remove = z.strictObject({
  ...named,
  method: method('DELETE'),
  done: template(200).prefault({ json: { success: true } }),
})

/** Issues a task before the first chunk. */
const create = z.strictObject({
  path: rolePath,
  when,
  method: method('POST'),
  /** What the chunks do not say again: `kept:` and the name refers to it. */
  keep: z
    .record(z.string().regex(/^[A-Za-z][A-Za-z0-9]{0,31}$/, 'must be a name of letters and digits'), references)
    .prefault({}),
  done: template(200),
})

const place = z.discriminatedUnion(
  'by',
  [
    z.strictObject({
      by: z.literal('index'),
      index: references,
      base: z.number().int().min(0).max(1).prefault(0),
      /** Without it, it follows from the size of the file and the chunk size. */
      count: references.optional(),
      /** Without it, the chunk size follows from the length of the first chunk that has arrived. */
      chunkSize: referencesOrNumber.optional(),
      length: references.optional(),
      /** Chunks come one after the other, and only the last one reveals the size of the file. */
      sequential: z.boolean().prefault(false),
    }),
    z.strictObject({
      by: z.literal('offset'),
      offset: references,
      chunkSize: referencesOrNumber.optional(),
      length: references.optional(),
      count: references.optional(),
    }),
    z.strictObject({ by: z.literal('content-range') }),
  ],
  'must have "by": "index", "offset", or "content-range"',
)

const listOf = <T extends z.ZodType>(schema: T) =>
  z.preprocess((input) => (input === undefined || Array.isArray(input) ? input : [input]), z.array(schema).prefault([]))

const shape = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'must be of lower-case letters, digits, and dashes'),
  path: basePath,
  chunk: z
    .strictObject({
      method: method('POST'),
      path: rolePath,
      body: z.enum(['multipart', 'raw', 'any']).prefault('any'),
      /** `first`: fields may follow the file, which is stored twice for that. */
      file: z.enum(['last', 'first']).prefault('last'),
    })
    .prefault({}),
  fields: z.strictObject({
    /** One text for a file, or for a page. */
    task: references.optional(),
    /** Whether others may guess the task. */
    guessable: z.boolean().prefault(true),
    /** Values that tell files of one task and name apart. */
    identity: z.array(references).prefault([]),
    /** Values that change when the file is selected again. */
    sender: z.array(references).prefault([]),
    name: references.optional(),
    relativePath: references.optional(),
    type: references.optional(),
    size: references.optional(),
    modified: references.optional(),
    /** A value that identifies the content, such as a digest. */
    content: references.optional(),
    /** Present if the client sends only what is missing. Without `content`, it must begin again. */
    resumed: references.optional(),
    metadata: z
      .record(z.string().regex(/^[\w.-]{1,64}$/, 'must be a name of letters and digits'), references)
      .prefault({}),
  }),
  place: place.optional(),
  /** Whether a request without a place is a whole file. */
  whole: z.boolean().prefault(false),
  create: listOf(create),
  test: listOf(test),
  finish: listOf(finish),
  remove: listOf(remove),
  answer: z
    .strictObject({
      stored: template(200).prefault({ json: STORED }),
      transient: template(503).prefault({ json: ERROR }),
      refused: template(400).prefault({ json: ERROR }),
      lost: template(400).optional(),
    })
    .prefault({}),
  /** Code for what no member says. */
  code: z.enum(['filepond']).optional(),
})

const checked = shape.superRefine((value, context) => {
  const fault = (message: string, ...path: readonly string[]): void => {
    context.addIssue({ code: 'custom', message, path: [...path] })
  }
  const { fields, place: at, code } = value
  if (code !== undefined) return
  if (at === undefined && !value.whole) fault('must say where chunks go, unless "whole" is true', 'place')
  if (at !== undefined && fields.task === undefined && fields.name === undefined) {
    fault('must have task or name, which tell files apart', 'fields')
  }
  if (at?.by === 'offset' && at.chunkSize === undefined && at.length === undefined) {
    fault('must have chunkSize or length', 'place')
  }
  if (at?.by === 'index' && at.count === undefined && (at.chunkSize === undefined || at.sequential)) {
    fault('must be given, unless chunkSize is', 'place', 'count')
  }
  const isSizeKnown = fields.size !== undefined || at?.by === 'content-range' || (at?.by === 'index' && at.sequential)
  if (hasOpenEnd(value)) {
    const saysEnd = at?.by === 'index' && (at.count !== undefined || value.finish.length > 0)
    if (!saysEnd) fault('must be given, unless place has count, or finish is called', 'fields', 'size')
    if (fields.sender.length > 0) fault('must be absent, because chunks do not have size', 'fields', 'sender')
  } else if (at !== undefined && !isSizeKnown) {
    fault(
      'must be given, unless place says it (content-range), has chunkSize, or chunks come one after the other (sequential)',
      'fields',
      'size',
    )
  }
  if (value.chunk.file === 'first' && value.chunk.body === 'raw')
    fault('must be absent, because body is raw', 'chunk', 'file')
  const kept = new Set(value.create.flatMap(({ keep }) => Object.keys(keep)))
  for (const { name } of referencesIn(value).filter(({ source }) => source === 'kept')) {
    if (!kept.has(name)) fault(`has no ${name} in keep, which kept:${name} names`, 'create')
  }
  if (value.create.length > 0 && fields.task === undefined) {
    fault('must be given, because create issues it', 'fields', 'task')
  }
  for (const [index, { have, need, list, of, index: of_ }] of value.test.entries()) {
    const spot = ['test', String(index)]
    if (list === undefined ? need === undefined : have !== undefined || need !== undefined) {
      fault('must have need, with or without have, or else list', ...spot)
    }
    if (have !== undefined && of_ === undefined && at?.by !== 'index') fault('must have index', ...spot)
    if (of === 'task' && fields.task === undefined)
      fault('must have "of": "file", because chunks have no task', ...spot)
  }
  if (fields.task === undefined && value.finish.length + value.remove.length > 0) {
    fault('must be given, because finish and remove name it', 'fields', 'task')
  }
  const seen = new Set<string>()
  for (const { role, method, path, when } of rolesOf(value)) {
    const key = JSON.stringify([method, path, when])
    if (seen.has(key)) fault('has the method, the path, and the conditions of another role', ...role)
    seen.add(key)
  }
})

/** No client can guess a task that the service has issued. */
const dialect = checked.transform((value) =>
  value.create.length === 0 ? value : { ...value, fields: { ...value.fields, guessable: false } },
)

/** A dialect: what the requests of a library mean, and what it understands. */
export type Dialect = z.output<typeof dialect>
export type CreateRole = z.output<typeof create>
export type Place = z.output<typeof place>
export type TestRole = z.output<typeof test>
export type FinishRole = z.output<typeof finish>
export type RemoveRole = z.output<typeof remove>

/**
 * Whether only the chunk that is shorter than the others, or a call after all of them, reveals the size of a file whose
 * chunks come in any order.
 */
export function hasOpenEnd({ fields, place }: Pick<z.output<typeof shape>, 'fields' | 'place'>): boolean {
  return fields.size === undefined && place?.by === 'index' && !place.sequential && place.chunkSize !== undefined
}

/** All references of a dialect, or of a part of it. */
export function referencesIn(value: unknown): References {
  if (isReferences(value)) return value
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(referencesIn) : []
}

function isReferences(value: unknown): value is References {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((entry) => typeof entry === 'object' && entry !== null && 'source' in entry && 'name' in entry)
  )
}

/** A role of requests: their method, their path below that of the dialect, and their conditions. */
interface Role {
  readonly role: readonly string[]
  readonly method: string
  readonly path: string
  readonly when: readonly { readonly references: readonly Reference[]; readonly value: string }[]
}

function rolesOf({ chunk, create, test, finish, remove }: z.output<typeof shape>): readonly Role[] {
  const lists = Object.entries({ create, test, finish, remove })
  return [
    { role: ['chunk'], method: chunk.method, path: chunk.path, when: [] },
    ...lists.flatMap(([name, roles]) => roles.map((role, index) => ({ ...role, role: [name, String(index)] }))),
  ]
}

/**
 * Parses a dialect.
 *
 * @param source where it comes from, for errors.
 * @throws Error with a sentence for each fault, one a line.
 */
export function parseDialect(source: string, json: unknown): Dialect {
  const { success, data, error } = dialect.safeParse(json, { error: faultOf })
  if (success) return data
  const sentences = error.issues.map(({ path, message }) => `${source}: ${path.join('.') || 'The dialect'} ${message}.`)
  throw new Error([...new Set(sentences)].join('\n'))
}

/** Parses the text of a dialect. @throws Error like `parseDialect`. */
export function parseDialectText(source: string, text: string): Dialect {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new Error(`${source}: The dialect must be JSON (${error instanceof Error ? error.message : String(error)}).`)
  }
  return parseDialect(source, json)
}

function faultOf(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined
        ? 'is missing'
        : `must be ${NOUNS[issue.expected] ?? `of the type ${issue.expected}`}`
    case 'invalid_value':
      return `must be ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`
    case 'unrecognized_keys':
      return `has no member ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}`
    default:
      return 'has a value that is not allowed'
  }
}

const NOUNS: Readonly<Record<string, string>> = {
  object: 'an object',
  array: 'a list',
  string: 'a text',
  boolean: 'true or false',
  number: 'a number',
  record: 'an object',
}
