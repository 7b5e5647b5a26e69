/** Proposes a dialect for the recorded requests of a page. Pure functions. */

/** A recorded request with a body, or a question of the page. */
export interface RecordedRequest {
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly query: ReadonlyMap<string, string>
  /** The fields of its form. */
  readonly form: ReadonlyMap<string, string>
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
  const all = chunks.map(valuesOf)
  const names = [...(all[0]?.keys() ?? [])].filter((name) => all.every((values) => values.has(name)))
  const valuesNamed = (name: string): readonly string[] => all.map((values) => values.get(name) ?? '')
  const lengths = chunks.map(({ file }) => file.length)
  const place = placeOf(names, valuesNamed, chunks, lengths, doubts)
  const used = new Set(place.used)
  const constant = names.filter((name) => !used.has(name) && new Set(valuesNamed(name)).size === 1)
  const name = nameField(constant, valuesNamed, chunks)
  if (name === undefined) doubts.push('No value is the name of the file: fields.name is missing.')
  const task = constant.find((field) => field !== name && isRandom(valuesNamed(field)[0] ?? ''))
  const rest = constant.filter((field) => field !== name && field !== task && !field.startsWith('header:'))
  if (task === undefined)
    doubts.push('No value looks like a random id of the file: visitors are told apart, but equal names are not.')
  if (chunks.length < 2) doubts.push('Only one chunk was recorded: upload a file of at least three chunks.')
  return {
    dialect: {
      name: 'my-page',
      path: first.path,
      chunk: { method: first.method, body: isForm(first) ? 'multipart' : 'raw' },
      fields: {
        ...(task !== undefined && { task, guessable: false }),
        ...(task === undefined && rest.length > 0 && { identity: rest }),
        ...(name !== undefined && { name }),
        ...(place.size !== undefined && { size: place.size }),
      },
      place: place.place,
      ...callsOf(requests, first),
    },
    doubts,
  }
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
    doubts.push('No value is the size of the file: add one to the page, or chunks must come in order ("sequential").')
  const used = [offset, index, length, size, chunkSize, count].filter((name) => name !== undefined)
  if (offset !== undefined && (length !== undefined || chunkSize !== undefined)) {
    const how = length !== undefined ? { length } : { chunkSize }
    return { place: { by: 'offset', offset, ...how, ...(count !== undefined && { count }) }, size, used }
  }
  if (index === undefined || count === undefined) {
    doubts.push('No values say where a chunk belongs, or how many there are: place must be written by hand.')
  }
  return {
    place: {
      by: 'index',
      index: index ?? '?',
      base: index === undefined ? 0 : Math.min(...numbers(index)),
      count: count ?? '?',
      ...(chunkSize !== undefined && { chunkSize }),
      ...(size === undefined && { sequential: true }),
    },
    size,
    used,
  }
}

/** Calls before the chunks, to the path of the chunks or below it, and after them. */
function callsOf(requests: readonly RecordedRequest[], first: Sent): Readonly<Record<string, unknown>> {
  const firstAt = requests.indexOf(first)
  const lastAt = requests.findLastIndex(({ file }) => file !== undefined)
  const below = ({ path }: RecordedRequest): boolean => path === first.path || path.startsWith(`${first.path}/`)
  const calls = requests
    .map((request, at) => ({ request, at }))
    .filter(({ request }) => request.file === undefined && below(request))
  const test = calls.find(({ at, request }) => at < firstAt && request.method !== 'OPTIONS')?.request
  const finish = calls.find(({ at, request }) => at > lastAt && request.method !== 'OPTIONS')?.request
  const at = ({ method, path }: RecordedRequest) => ({ method, path: path.slice(first.path.length) })
  return {
    ...(test !== undefined && { test: { ...at(test), need: 204 } }),
    ...(finish !== undefined && { finish: at(finish) }),
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
