import type { ZodMiniType } from 'zod/mini'
import { problemShape } from './answers.ts'
import { eventsIn, type StreamEvent } from './event-stream.ts'

/** Where the API is; relative, so the page works below any path of a proxy. */
const BASE = new URL('admin/v1/', location.href)

/** An answer of the service that is no success. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  /** As in `Upload-Error`; empty if something else answered. */
  readonly code: string
  /** How much of the index has been built, from 0 to 1. */
  readonly progress: number | null

  constructor(status: number, code: string, message: string, progress: number | null) {
    super(message)
    this.status = status
    this.code = code
    this.progress = progress
  }

  /** Whether the token is not one of an administrator. */
  get isRefusal(): boolean {
    return this.status === 401 || this.code === 'forbidden'
  }
}

/** A value for a query; nothing if it is empty. */
export type Query = Readonly<Record<string, string | number | undefined>>

/**
 * Requests to the admin API. Each throws `ApiError`, `TypeError` as `fetch` does when the service is away, and an error
 * of zod for an answer that the page does not understand.
 */
export class Api {
  readonly #token: string
  readonly #refused: () => void

  /** @param refused is called when the service does not accept the token. */
  constructor(token: string, refused: () => void) {
    this.#token = token
    this.#refused = refused
  }

  async get<T>(path: string, shape: ZodMiniType<T>, query: Query = {}, signal?: AbortSignal): Promise<T> {
    const response = await this.#send('GET', path, { query, signal })
    return shape.parse(await response.json())
  }

  async post<T>(path: string, shape: ZodMiniType<T>, body?: unknown): Promise<T> {
    const response = await this.#send('POST', path, { body })
    return shape.parse(await response.json())
  }

  /** A POST whose answer has no content. */
  async command(path: string): Promise<void> {
    await this.#send('POST', path, {})
  }

  async delete(path: string): Promise<void> {
    await this.#send('DELETE', path, {})
  }

  /** The content of an answer. Browsers keep what is large on disk. */
  async download(path: string): Promise<Blob> {
    return (await this.#send('GET', path, {})).blob()
  }

  /** The events of the service, until the connection breaks or `signal` ends it. */
  async *events(signal: AbortSignal): AsyncGenerator<StreamEvent> {
    const { body } = await this.#send('GET', 'events', { signal })
    if (body !== null) yield* eventsIn(body)
  }

  async #send(
    method: string,
    path: string,
    { query = {}, body, signal }: { query?: Query; body?: unknown; signal?: AbortSignal | undefined },
  ): Promise<Response> {
    const url = new URL(path, BASE)
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined && value !== '') url.searchParams.set(name, String(value))
    }
    const response = await fetch(url, {
      method,
      headers: {
        Authorization: `Bearer ${this.#token}`,
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal !== undefined && { signal }),
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
    })
    if (response.ok) return response
    const error = await errorOf(response)
    if (error.isRefusal) this.#refused()
    throw error
  }
}

async function errorOf(response: Response): Promise<ApiError> {
  const found = problemShape.safeParse(await response.json().catch(() => null))
  if (!found.success) return new ApiError(response.status, '', '', null)
  const { code, detail, progress = null } = found.data
  return new ApiError(response.status, code, detail, progress)
}
