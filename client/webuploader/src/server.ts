import { sha256 } from './sha256.ts'

/** Milliseconds. */
const TIMEOUT = 30_000
/** Statuses of a service that is busy. */
const BUSY = [423, 429]
const BETWEEN_TRIES = 3_000
const MAX_TRIES = 10
/** Bytes per comparison. The service accepts up to 16 MiB. */
const COMPARED = 8 * 1024 * 1024

export type Fields = Readonly<Record<string, unknown>>

/** What a page sends with its chunks, and so with its other requests. */
export interface Sent {
  readonly fields: Fields
  readonly headers: Readonly<Record<string, string>>
}

/** What the service answers. */
export interface Answer {
  readonly ok: boolean
  /** Whether the file is there; only for a chunk. */
  readonly finished: boolean
  /** The code and the sentence of a refusal. */
  readonly code: string | undefined
  readonly message: string | undefined
  /** The id of the upload, for the visitor who has sent it. */
  readonly id: string | undefined
  /** The missing chunks of an incomplete file. */
  readonly missing: unknown
  /** All of it, as the service sends it. */
  readonly body: Readonly<Record<string, unknown>>
}

export function answerOf(json: unknown): Answer {
  const body = objectOf(json)
  const { code, message } = objectOf(body['error'])
  return {
    ok: body['ok'] === true,
    finished: body['finished'] === true,
    code: textOf(code),
    message: textOf(message),
    id: textOf(body['id']),
    missing: body['missing'],
    body,
  }
}

export function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** The service behind an uploader. */
export class Server {
  /** Ends with a slash; `/check` and all other paths are below it. */
  readonly base: string
  readonly #credentials: RequestCredentials
  /** The field that may have a token. */
  readonly #tokenField: string | undefined

  constructor(base: string, credentials: RequestCredentials, tokenField: string | undefined) {
    this.base = base
    this.#credentials = credentials
    this.#tokenField = tokenField
  }

  /** The chunks that need not be sent again; never chunk 0. None if the service does not answer. */
  async list(sent: Sent): Promise<ReadonlySet<number>> {
    const { file_list: list } = await patiently(() => this.#ask('check', sent)).catch(() => objectOf(undefined))
    const task = String(sent.fields['task_id'] ?? '')
    const names: unknown[] = Array.isArray(list) ? list.flat() : []
    return new Set(names.map((name) => Number(String(name).slice(task.length))))
  }

  /** Asks whether a file is there. Rejects if the service does not answer. */
  async complete(sent: Sent): Promise<Answer> {
    return answerOf(await this.#ask('upload/complete', sent))
  }

  /** Whether the upload has these bytes of the file; false without an answer. */
  async hasBytes(id: string, file: Blob, start: number, end: number, sent: Sent): Promise<boolean> {
    try {
      for (let at = start; at < end; at += COMPARED) {
        const next = Math.min(end, at + COMPARED)
        const [answer, own] = await Promise.all([
          patiently(() => this.#fetch(`files/${id}/digest?start=${at}&end=${next}`, this.#authorized(sent))),
          sha256(file.slice(at, next)),
        ])
        if (answer['digest'] !== `sha-256=:${own}:`) return false
      }
      return true
    } catch {
      return false
    }
  }

  #ask(path: string, { fields, headers }: Sent): Promise<Readonly<Record<string, unknown>>> {
    const body = new URLSearchParams()
    for (const [name, value] of Object.entries(fields)) {
      if (['string', 'number', 'boolean'].includes(typeof value)) body.set(name, String(value))
    }
    return this.#fetch(path, { method: 'POST', headers, body })
  }

  /** Only chunks, and what belongs to them, may have a token in a field. */
  #authorized({ fields, headers }: Sent): RequestInit {
    const token = this.#tokenField === undefined ? undefined : fields[this.#tokenField]
    return { headers: token === undefined ? headers : { ...headers, Authorization: `Bearer ${token}` } }
  }

  async #fetch(path: string, init: RequestInit): Promise<Readonly<Record<string, unknown>>> {
    const response = await timed(TIMEOUT, this.base + path, { ...init, credentials: this.#credentials })
    if (response.status >= 500 || BUSY.includes(response.status)) throw new Error(String(response.status))
    return objectOf(await response.json())
  }
}

/** Asks again for half a minute. Rejects if there is no answer. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask()
    } catch (error) {
      if (tries === MAX_TRIES) throw error
      await new Promise((resolve) => setTimeout(resolve, BETWEEN_TRIES))
    }
  }
}

/** `fetch` with a timeout in milliseconds. */
export async function timed(ms: number, url: string, init: RequestInit): Promise<Response> {
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(), ms)
  try {
    return await fetch(url, { ...init, signal: abort.signal })
  } finally {
    clearTimeout(timer)
  }
}
