import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { CliError, EXIT, usage } from './exit-codes.ts'

/** Where the admin API is, and what it wants. */
export interface ConnectionOptions {
  readonly url?: string | undefined
  readonly 'token-file'?: string | undefined
}

type Environment = Readonly<Partial<Record<string, string>>>

const problemSchema = z.looseObject({ detail: z.string(), code: z.string().optional() })

/** How long the service may take to answer, in milliseconds; a sweep takes longer. */
const MAX_WAIT = 60_000
const MAX_LONG_WAIT = 60 * 60_000

/** A connection to the admin API of a running service. */
export class AdminConnection {
  readonly #base: string
  readonly #token: string

  constructor(base: string, token: string) {
    this.#base = base
    this.#token = token
  }

  /** Where the API is. */
  get url(): string {
    return this.#base
  }

  /** Sends a request, and parses its answer. @throws CliError with what the service says. */
  async call<T>(answer: z.ZodType<T>, method: string, path: string, body?: unknown, isLong = false): Promise<T> {
    const response = await this.#fetch(method, path, body, AbortSignal.timeout(isLong ? MAX_LONG_WAIT : MAX_WAIT))
    const parsed = answer.safeParse(response.status === 204 ? undefined : await response.json())
    if (!parsed.success) throw new CliError('The service answers in another version of the admin API.', EXIT.failed)
    return parsed.data
  }

  /** Opens a stream. @throws CliError with what the service says. */
  async stream(path: string): Promise<ReadableStream<Uint8Array>> {
    const { body } = await this.#fetch('GET', path, undefined, undefined)
    if (body === null) throw new CliError('The service sends no events.', EXIT.failed)
    return body
  }

  async #fetch(method: string, path: string, body: unknown, signal: AbortSignal | undefined): Promise<Response> {
    let response: Response
    try {
      response = await fetch(`${this.#base}/admin/v1${path}`, {
        method,
        headers: {
          Authorization: `Bearer ${this.#token}`,
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      })
    } catch {
      throw new CliError(`The admin API at ${this.#base} cannot be reached.`, EXIT.unavailable)
    }
    if (response.ok) return response
    throw await errorOf(response)
  }
}

async function errorOf(response: Response): Promise<CliError> {
  const { status } = response
  const problem = problemSchema.safeParse(await response.json().catch(() => undefined)).data
  if (problem === undefined) return new CliError(`There is no admin API at this URL (status ${status}).`, EXIT.failed)
  const isMissing = status === 410 || (status === 404 && problem.detail !== 'Not found.')
  const code = isMissing ? EXIT.missing : status >= 500 || status === 423 ? EXIT.unavailable : EXIT.failed
  const isAbsent = status === 404 && !isMissing
  return new CliError(isAbsent ? 'The service has no admin API; set ADMIN_TOKEN.' : problem.detail, code)
}

/**
 * The connections to the nodes that the options or the environment name: one, or several with folders of their own.
 *
 * @throws CliError when a URL or the token is missing or wrong.
 */
export function connectionsTo(environment: Environment, options: ConnectionOptions): readonly AdminConnection[] {
  const urls = urlsOf(environment, options.url)
  const token = tokenOf(environment, options['token-file'])
  return urls.map((url) => new AdminConnection(url, token))
}

/**
 * Does something on the node that has its upload or dead letter: on the first one that does not miss it.
 *
 * @throws CliError also if no node has it; if some cannot be reached, that of one of them.
 */
export async function onNodeThatHas<T>(
  nodes: readonly AdminConnection[],
  work: (node: AdminConnection) => Promise<T>,
): Promise<T> {
  let missing: CliError | undefined
  let unavailable: CliError | undefined
  for (const node of nodes) {
    try {
      return await work(node)
    } catch (error) {
      if (!(error instanceof CliError)) throw error
      if (error.exitCode === EXIT.missing) missing = error
      else if (error.exitCode === EXIT.unavailable) unavailable = error
      else throw error
    }
  }
  throw unavailable ?? missing ?? new CliError('There is no node.', EXIT.failed)
}

function urlsOf(
  { ADMIN_URL, ADMIN_HOST = '127.0.0.1', ADMIN_PORT }: Environment,
  option: string | undefined,
): readonly string[] {
  const text = option ?? ADMIN_URL ?? (ADMIN_PORT ? `http://${ADMIN_HOST}:${ADMIN_PORT}` : undefined)
  if (text === undefined) throw usage('Name the admin API by --url or ADMIN_URL, such as http://127.0.0.1:1081.')
  return text.split(',').map((each) => {
    const url = each.trim()
    if (!URL.canParse(url) || !/^https?:/.test(url)) throw usage('The URL of the admin API must begin with http.')
    return url.replace(/\/+$/, '')
  })
}

/** The token is never an argument, which other users of the host could see. */
function tokenOf({ ADMIN_TOKEN, ADMIN_TOKEN_FILE }: Environment, option: string | undefined): string {
  const file = option ?? (ADMIN_TOKEN ? undefined : ADMIN_TOKEN_FILE)
  if (file === undefined) {
    if (ADMIN_TOKEN) return ADMIN_TOKEN
    throw usage('Set ADMIN_TOKEN, or name a file that contains it in --token-file or ADMIN_TOKEN_FILE.')
  }
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    throw usage(`The file of the token cannot be read: ${file}.`)
  }
}
