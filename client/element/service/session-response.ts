export type Action = 'create' | 'write' | 'read' | 'delete' | 'ask'

/** What the service allows for new uploads; without a value, there is no limit. Sizes in bytes. */
export interface Limits {
  readonly maxSize?: number
  /** File types, as in the setting `ALLOWED_TYPES`. */
  readonly types?: readonly string[]
  readonly quota?: number
  /** Bytes of the quota in use. */
  readonly used?: number
  /** Bytes of the metadata of an upload. */
  readonly maxMetadata?: number
}

/** What the service says about the visitor, and about itself. */
export interface Session {
  readonly auth: 'none' | 'jwt' | 'forward'
  /** Whether requests are accepted; always, if the service asks for no credentials. */
  readonly signedIn: boolean
  /** A digest that identifies the visitor; null if anonymous. */
  readonly owner: string | null
  readonly may: ReadonlySet<Action>
  readonly limits: Limits
  /** How rows link a finished file: by a read-only link, by its own URL (of a service without sessions), or not. */
  readonly links: 'signed' | 'plain' | 'none'
  /** Which uploads the service deletes. */
  readonly deletes: 'all' | 'unfinished' | 'none'
  /** Whether a file that the service has already need not be sent. */
  readonly instant: boolean
}

const ACTIONS: readonly Action[] = ['create', 'write', 'read', 'delete', 'ask']

/** The session of a service that knows none. */
export const WITHOUT_SESSIONS: Session = {
  auth: 'none',
  signedIn: true,
  owner: null,
  may: new Set(ACTIONS),
  limits: {},
  links: 'plain',
  deletes: 'all',
  instant: false,
}

/** Reads the response of `GET /session`. Never throws. */
export function parseSession(json: string): Session {
  try {
    const found: Readonly<Record<string, unknown>> = JSON.parse(json)
    const { auth, signedIn, owner, limits, downloads, termination, instant } = found
    const mode = auth === 'jwt' || auth === 'forward' ? auth : 'none'
    const allowed = textsIn(found['may'])
    const may = new Set(ACTIONS.filter((action) => allowed.includes(action)))
    return {
      auth: mode,
      signedIn: mode === 'none' || signedIn === true,
      owner: typeof owner === 'string' ? owner : null,
      may,
      limits: limitsIn(limits),
      links: downloads === 'off' || !may.has('read') ? 'none' : 'signed',
      deletes: deletesBy(may.has('delete') ? termination : 'off'),
      instant: instant === true && may.has('create'),
    }
  } catch {
    return WITHOUT_SESSIONS
  }
}

function deletesBy(termination: unknown): Session['deletes'] {
  if (termination === 'off') return 'none'
  return termination === 'unfinished' ? 'unfinished' : 'all'
}

function limitsIn(found: unknown): Limits {
  if (typeof found !== 'object' || found === null) return {}
  const { maxSize, types, quota, used, maxMetadata }: { [Name in keyof Limits]?: unknown } = found
  const allowed = textsIn(types)
  return {
    ...(typeof maxSize === 'number' && { maxSize }),
    ...(typeof quota === 'number' && { quota }),
    ...(typeof used === 'number' && { used }),
    ...(typeof maxMetadata === 'number' && { maxMetadata }),
    ...(allowed.length > 0 && { types: allowed }),
  }
}

function textsIn(found: unknown): readonly string[] {
  return Array.isArray(found) ? found.filter((entry) => typeof entry === 'string') : []
}
