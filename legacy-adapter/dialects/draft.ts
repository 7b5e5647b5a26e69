/** Proposes a dialect for the recorded requests of a page. Pure functions. */
import { z } from 'zod'

/** A recorded request with a body, or a question of the page. */
export interface RecordedRequest {
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly query: ReadonlyMap<string, string>
  /** The fields of its form, or the members of its JSON object. */
  readonly form: ReadonlyMap<string, string>
  /** Whether fields follow the file. */
  readonly isFileFirst?: boolean
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>
  /** The file part, or the bare bytes; `undefined` for a call without a file. */
  readonly file: { readonly name: string | undefined; readonly length: number } | undefined
}

/** A proposal, and what it could not find out. */
export interface Draft {
  readonly dialect: Readonly<Record<string, unknown>>
  readonly doubts: readonly string[]
}

type Sent = RecordedRequest & { readonly file: NonNullable<RecordedRequest['file']> }
type Values = ReadonlyMap<string, string>

/** A name that libraries give to a part that is a slice of a file. */
const SLICE = 'blob'

/** The dialect that the chunks of one file suggest; `undefined` without any. */
export function draftOf(requests: readonly RecordedRequest[]): Draft | undefined {
  const sent = requests.filter((request): request is Sent => request.file !== undefined)
  const [first] = sent
  if (first === undefined) return undefined
  const chunks = sent.filter(({ method, path }) => method === first.method && path === first.path)
  const doubts: string[] = []
  const parts = new Map<string, Part>()
  const all = withParts(chunks.map(valuesOf), parts)
  const names = [...(all[0]?.keys() ?? [])].filter((name) => all.every((values) => values.has(name)))
  const valuesNamed = (name: string): readonly string[] => all.map((values) => values.get(name) ?? '')
  const lengths = chunks.map(({ file }) => file.length)
  const place = placeOf(names, valuesNamed, chunks, lengths, doubts)
  const used = new Set(place.used)
  const constant = names.filter((name) => !used.has(name) && new Set(valuesNamed(name)).size === 1)
  const name = nameField(constant, valuesNamed, chunks)
  if (name === undefined) doubts.push('No value is the name of the file: fields.name is missing.')
  const task = constant.find((field) => field !== name && isRandom(valuesNamed(field)[0] ?? ''))
  const isDigest = task !== undefined && DIGEST.test(valuesNamed(task)[0] ?? '')
  const rest = constant.filter((field) => field !== name && field !== task && !field.startsWith('header:'))
  if (task === undefined)
    doubts.push('No value looks like a random id of the file: visitors are told apart, but equal names are not.')
  if (isDigest) doubts.push(`${task} looks like a digest. Remove fields.content unless it is one of the whole file.`)
  if (chunks.length < 2) doubts.push('Only one chunk was recorded: upload a file of at least three chunks.')
  const known: Known = { task: all[0]?.get(task ?? ''), name: all[0]?.get(name ?? '') }
  const { base, calls } = callsOf(requests, first, known, doubts)
  const isFirst = chunks.some(({ isFileFirst }) => isFileFirst)
  const isPlain = base.length === first.path.length
  const dialect = {
    name: 'my-page',
    path: base,
    chunk: {
      method: first.method,
      ...(!isPlain && { path: first.path.slice(base.length) }),
      body: isForm(first) ? 'multipart' : 'raw',
      ...(isFirst && { file: 'first' }),
    },
    fields: {
      ...(task !== undefined && { task, ...(isDigest ? { content: task } : { guessable: false }) }),
      ...(task === undefined && rest.length > 0 && { identity: rest }),
      ...(name !== undefined && { name }),
      ...(place.size !== undefined && { size: place.size }),
    },
    place: place.place,
  }
  return { dialect: { ...z.record(z.string(), z.unknown()).parse(withReferences(dialect, parts)), ...calls }, doubts }
}

/** A part of a value, as a dialect refers to it. */
type Part = Readonly<Record<string, string>>

/** The values of all chunks, with the parts of those that may mean something by themselves. */
function withParts(all: readonly Values[], parts: Map<string, Part>): readonly Values[] {
  return all.map((values) => {
    const found = new Map(values)
    const add = (part: Part, value: string | undefined): void => {
      if (value === undefined) return
      const key = JSON.stringify(part)
      parts.set(key, part)
      found.set(key, value)
    }
    for (const [name, value] of values) {
      for (const [member, text] of membersOf(value)) add({ value: name, member }, text)
      if (new Set(all.map((each) => each.get(name))).size === 1) continue
      const [, head, separator = '', tail, ending] = /^(.+)([-_])(\d{1,9})(\.\w+)?$/.exec(value) ?? []
      add({ value: name, beforeLast: separator }, head)
      add({ value: name, afterLast: separator, ...(ending !== undefined && { before: '.' }) }, tail)
      const [, number, behind = '', rest] = /^(\d{1,9})([-_])(.+)$/.exec(value) ?? []
      add({ value: name, before: behind }, number)
      add({ value: name, after: behind }, rest)
    }
    return found
  })
}

const plain = z.union([z.string(), z.number(), z.boolean()])

/** The members of a JSON object that are texts, numbers, or booleans; none if it is something else. */
export function membersOf(text: string): readonly (readonly [name: string, value: string])[] {
  if (!text.startsWith('{')) return []
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return []
  }
  return Object.entries(z.record(z.string(), z.unknown()).safeParse(json).data ?? {}).flatMap(([name, member]) => {
    const { data } = plain.safeParse(member)
    return data === undefined ? [] : [[name, String(data)] as const]
  })
}

/** Replaces the names of parts by what a dialect has in their place. */
function withReferences(value: unknown, parts: ReadonlyMap<string, Part>): unknown {
  if (typeof value === 'string') return parts.get(value) ?? value
  if (Array.isArray(value)) return value.map((entry) => withReferences(entry, parts))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, withReferences(entry, parts)]))
}

interface FoundPlace {
  readonly place: Readonly<Record<string, unknown>>
  readonly size: string | undefined
  readonly used: readonly string[]
}

function placeOf(
  names: readonly string[],
  valuesNamed: (name: string) => readonly string[],
  chunks: readonly Sent[],
  lengths: readonly number[],
  doubts: string[],
): FoundPlace {
  if (chunks.every(({ headers }) => headers.has('content-range'))) {
    return { place: { by: 'content-range' }, size: undefined, used: [] }
  }
  const numbers = (name: string): readonly number[] =>
    valuesNamed(name).map((text) => (/^\d{1,15}$/.test(text) ? Number(text) : Number.NaN))
  const constantly = (wanted: number, besides: readonly (string | undefined)[]): string | undefined =>
    names.find((name) => !besides.includes(name) && numbers(name).every((number) => number === wanted))
  const rising = names.filter(
    (name) => new Set(numbers(name)).size === chunks.length && !numbers(name).includes(Number.NaN),
  )
  const usual = mode(lengths)
  const offset = rising.find(
    (name) => numbers(name).every((number) => number % usual === 0) && numbers(name).includes(usual),
  )
  const index = rising.find((name) => {
    const sorted = numbers(name).toSorted((a, b) => a - b)
    return (sorted[0] ?? 2) <= 1 && sorted.every((number, at) => number === (sorted[0] ?? 0) + at)
  })
  const length = names.find(
    (name) => numbers(name).every((number, at) => number === lengths[at]) && new Set(lengths).size > 1,
  )
  const size = constantly(
    lengths.reduce((sum, each) => sum + each, 0),
    [],
  )
  const chunkSize = constantly(usual, [size])
  const count = constantly(chunks.length, [size, chunkSize])
  if (size === undefined)
    doubts.push('No value is the size of the file: chunkSize must be what the page cuts by, or add size to the page.')
  const used = [offset, index, length, size, chunkSize, count].filter((name) => name !== undefined)
  if (offset !== undefined && (length !== undefined || chunkSize !== undefined)) {
    const how = length !== undefined ? { length } : { chunkSize }
    return { place: { by: 'offset', offset, ...how, ...(count !== undefined && { count }) }, size, used }
  }
  if (index === undefined) {
    doubts.push('No value says where a chunk belongs: place must be written by hand.')
  }
  const isCutKnown = chunkSize !== undefined || (size !== undefined && count !== undefined)
  return {
    place: {
      by: 'index',
      index: index ?? '?',
      base: index === undefined ? 0 : Math.min(...numbers(index)),
      ...(count !== undefined && { count }),
      ...(isCutKnown ? chunkSize !== undefined && { chunkSize } : { chunkSize: usual }),
    },
    size,
    used,
  }
}

/** What the chunks say about their file. */
interface Known {
  readonly task: string | undefined
  readonly name: string | undefined
}

/**
 * Calls before the chunks, and after them: to the path of the chunks, below it, or next to it.
 *
 * @returns them, and the path of the dialect.
 */
function callsOf(
  requests: readonly RecordedRequest[],
  first: Sent,
  known: Known,
  doubts: string[],
): { readonly base: string; readonly calls: Readonly<Record<string, unknown>> } {
  const firstAt = requests.indexOf(first)
  const lastAt = requests.findLastIndex(({ file }) => file !== undefined)
  const isBelow = (path: string, base: string): boolean => path === base || path.startsWith(`${base}/`)
  const all = requests.map((request, at) => ({ request, at })).filter(({ request }) => request.file === undefined)
  const parent = first.path.slice(0, first.path.lastIndexOf('/'))
  const isNextTo =
    parent !== '' && all.some(({ request }) => isBelow(request.path, parent) && !isBelow(request.path, first.path))
  const base = isNextTo ? parent : first.path
  const calls = all.filter(({ request }) => isBelow(request.path, base))
  for (const { request } of all) {
    if (!isBelow(request.path, base))
      doubts.push(`${request.path} is not below ${base}: the page must call a path that is.`)
  }
  const test = calls.find(({ at, request }) => at < firstAt && request.method !== 'OPTIONS')?.request
  const finish = calls.find(({ at, request }) => at > lastAt && request.method !== 'OPTIONS')?.request
  const at = (request: RecordedRequest) => ({ method: request.method, path: request.path.slice(base.length) })
  const fieldOf = (request: RecordedRequest, value: string | undefined): string | undefined =>
    [...request.query, ...request.form].find(([, text]) => value !== undefined && text === value)?.[0]
  const named = (request: RecordedRequest) => {
    const [task, name] = [fieldOf(request, known.task), fieldOf(request, known.name)]
    return { ...(task !== undefined && { task }), ...(name !== undefined && { name }) }
  }
  if (test !== undefined)
    doubts.push('The answers of test must be what the page expects: need, with or without have, or list.')
  const isOfTask =
    test !== undefined && fieldOf(test, known.task) !== undefined && fieldOf(test, known.name) === undefined
  return {
    base,
    calls: {
      ...(test !== undefined && { test: { ...at(test), ...named(test), ...(isOfTask && { of: 'task' }), need: 204 } }),
      ...(finish !== undefined && { finish: { ...at(finish), ...named(finish) } }),
    },
  }
}

/** The values of a request, by the names that a dialect gives them. */
function valuesOf({ form, query, headers, file }: RecordedRequest): Values {
  const custom = [...headers].filter(([name]) => /^(?:x-|up|content-range$)/.test(name) && !USUAL.has(name))
  return new Map([
    ...custom.map(([name, value]) => [`header:${name}`, value] as const),
    ...[...query].map(([name, value]) => [form.has(name) ? `query:${name}` : name, value] as const),
    ...form,
    ...(file?.name === undefined || file.name === SLICE ? [] : [['part:filename', file.name] as const]),
  ])
}

const USUAL: ReadonlySet<string> = new Set(['x-requested-with', 'upgrade', 'upgrade-insecure-requests'])

function nameField(
  names: readonly string[],
  valuesNamed: (name: string) => readonly string[],
  chunks: readonly Sent[],
): string | undefined {
  const [sent] = chunks
  const partName = sent?.file.name === SLICE ? undefined : sent?.file.name
  const equal = names.find((name) => name !== 'part:filename' && valuesNamed(name)[0] === partName)
  const likely = names.find((name) => /\.[a-z0-9]{1,8}$/i.test(valuesNamed(name)[0] ?? ''))
  return equal ?? (names.includes('part:filename') ? 'part:filename' : likely)
}

/** An MD5, SHA-1, or SHA-256 in hexadecimal digits. */
const DIGEST = /^(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})$/i

/** Whether a text looks like a random id: a UUID, or at least 16 letters and digits of both kinds. */
function isRandom(text: string): boolean {
  if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return true
  return /^[\w-]{16,128}$/.test(text) && /\d/.test(text) && /[a-z]/i.test(text)
}

function isForm({ headers }: RecordedRequest): boolean {
  return headers.get('content-type')?.startsWith('multipart/form-data') ?? false
}

/** The most frequent number. */
function mode(numbers: readonly number[]): number {
  const counts = new Map<number, number>()
  for (const number of numbers) counts.set(number, (counts.get(number) ?? 0) + 1)
  return [...counts].sort((a, b) => b[1] - a[1] || b[0] - a[0])[0]?.[0] ?? 0
}
