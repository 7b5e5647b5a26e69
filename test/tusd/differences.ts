import type { Call } from './recorder.ts'
import type { Outcome } from './servers.ts'

/** A difference between tusd and Landfall that is intended. */
export interface Allowed {
  /** Part of the names of the scenarios; all by default. */
  readonly scenario?: string
  /** Where in the outcome. */
  readonly at: RegExp
  /** The value of Landfall, if that must be a certain one. */
  readonly landfall?: unknown
  readonly because: string
}

/** Every difference that a receiver or a client can see. docs/hooks.md has those that matter to its readers. */
export const ALLOWED: readonly Allowed[] = [
  { at: /\.Storage\.InfoPath$/, because: 'Receivers delete that file of tusd, and records must stay.' },
  { at: /\.Storage\.Path$/, because: 'Files have names, and until they are finished another place.' },
  {
    scenario: 'concatenation',
    at: /^(?:pre|post)-finish of <id [12]> 1$/,
    landfall: 'absent',
    because: 'A part never becomes a file.',
  },
  {
    scenario: 'concatenation',
    at: /^post-receive of <id 3> 1$/,
    landfall: 'called',
    because: 'The bytes of a final upload are progress, too.',
  },
  {
    scenario: 'is stopped',
    at: /\.Header\.Transfer-Encoding\.0$/,
    landfall: 'chunked',
    because: 'Go hides this header from its programs.',
  },
  {
    scenario: 'is stopped',
    at: /^post-terminate of <id 1> 1\.Event\.Upload\.Offset$/,
    landfall: 5,
    because: 'tusd reports the offset at the begin of the request.',
  },
  {
    scenario: 'changed',
    at: /^post-receive of .*$/,
    because: 'tusd reports the id and the metadata of before the change, against its documentation.',
  },
  { at: /^POST \d\.body$/, landfall: 'Created', because: 'tusd has no body there.' },
  { at: /^POST \d\.headers\.upload-offset$/, because: 'tusd has this header only after a body.' },
  {
    scenario: 'is stopped',
    at: /^PATCH 1\.headers\.upload-offset$/,
    because: 'Every response to a PATCH has the offset.',
  },
  { at: /^(?:POST|DELETE|PATCH) 1\.body$/, landfall: /^The application /, because: 'Other words.' },
  {
    scenario: 'receiver that fails',
    at: /^POST 1\.status$/,
    landfall: 503,
    because: 'The request may be repeated.',
  },
]

export function isAllowed({ scenario = '', at, landfall }: Allowed, name: string, found: Difference): boolean {
  if (!name.includes(scenario) || !at.test(found.at)) return false
  return landfall instanceof RegExp
    ? landfall.test(String(found.landfall))
    : (landfall ?? found.landfall) === found.landfall
}

/** One value that is not the same. */
export interface Difference {
  readonly at: string
  readonly tusd: unknown
  readonly landfall: unknown
}

/**
 * The values that differ, by their place: `post-create 1.Event.Upload.Size`, `PATCH 2.status`. Only the name of a call
 * that just one of them made.
 */
export function differencesOf(tusd: Outcome, landfall: Outcome): readonly Difference[] {
  const [theirs, ours] = [named(tusd), named(landfall)]
  const names = [...new Set([...theirs.keys(), ...ours.keys()])]
  return names.flatMap((name) => {
    const [their, our] = [theirs.get(name), ours.get(name)]
    if (their !== undefined && our !== undefined) return differingLeaves(name, their, our)
    return [
      { at: name, tusd: their === undefined ? 'absent' : 'called', landfall: our === undefined ? 'absent' : 'called' },
    ]
  })
}

function differingLeaves(name: string, their: unknown, our: unknown): readonly Difference[] {
  const [theirs, ours] = [new Map(leaves(name, their)), new Map(leaves(name, our))]
  return [...new Set([...theirs.keys(), ...ours.keys()])]
    .map((at) => ({ at, tusd: theirs.get(at), landfall: ours.get(at) }))
    .filter(({ tusd, landfall }) => tusd !== landfall)
}

function named({ calls, responses }: Outcome): ReadonlyMap<string, unknown> {
  return new Map([...numbered(calls, nameOf), ...numbered(responses, ({ request }) => request)])
}

function nameOf({ Type, Event: { Upload } }: Call): string {
  return Upload['ID'] === '' ? Type : `${Type} of ${Upload['ID']}`
}

/** The values with their names, which a number makes unique. */
function numbered<T>(values: readonly T[], name: (value: T) => string): readonly [string, unknown][] {
  const counts = new Map<string, number>()
  return values.map((value) => {
    const usual = name(value)
    const count = (counts.get(usual) ?? 0) + 1
    counts.set(usual, count)
    return [`${usual} ${count}`, value]
  })
}

function leaves(at: string, value: unknown): readonly [string, unknown][] {
  if (typeof value !== 'object' || value === null) return [[at, value]]
  return Object.entries(value).flatMap(([name, inner]) => leaves(`${at}.${name}`, inner))
}
