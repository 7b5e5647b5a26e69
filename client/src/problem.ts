import { DetailedError } from 'tus-js-client'
import type { Text, TextKey } from './i18n/texts.ts'

/** An error response that tus-js-client would ignore or misread. */
export class ServerError extends Error {
  readonly status: number
  readonly body: string

  constructor(status: number, body: string) {
    super(`The server responded with ${status}.`)
    this.status = status
    this.body = body
  }
}

/** Statuses below 500 of temporary errors. */
export const TEMPORARY: ReadonlySet<number> = new Set([409, 423, 429])

const BY_STATUS: Readonly<Record<number, TextKey>> = {
  401: 'problem.denied',
  403: 'problem.denied',
  409: 'problem.busy',
  413: 'problem.too-large',
  423: 'problem.busy',
  429: 'problem.busy',
  503: 'problem.busy',
  507: 'problem.full',
}

/** Explains in one sentence why a request, or reading `file`, failed. */
export async function explain(error: unknown, file: Blob): Promise<Text> {
  const response = responseOf(error)
  if (response !== null) return responseText(response)
  // If a file changes during a request, the browser reports a lost connection.
  return { key: (await readable(file)) ? 'problem.unreachable' : 'problem.file' }
}

/** Whether a retry can succeed: there was no response, or a temporary error. */
export function isTemporary(error: unknown): boolean {
  const status = statusOf(error)
  return status === 0 || status >= 500 || TEMPORARY.has(status)
}

/** The status of the error response, or 0 without a response. */
export function statusOf(error: unknown): number {
  return responseOf(error)?.status ?? 0
}

function responseOf(error: unknown): ServerError | null {
  if (error instanceof ServerError) return error
  if (!(error instanceof DetailedError)) return null
  if (error.causingError instanceof ServerError) return error.causingError
  const response = error.originalResponse
  return response === null ? null : new ServerError(response.getStatus(), response.getBody())
}

function responseText({ status, body }: ServerError): Text {
  const sentence = sentenceIn(body)
  if (sentence !== null) return { key: 'problem.said', values: { sentence } }
  return { key: BY_STATUS[status] ?? (status >= 500 ? 'problem.server' : 'problem.refused') }
}

/** The sentence in a response: `error.message` of JSON, or a short plain text. A proxy's HTML page has none. */
function sentenceIn(body: string): string | null {
  const text = body.trim()
  if (text.startsWith('{')) return messageIn(text)
  return text !== '' && text.length <= 300 && !text.startsWith('<') ? text : null
}

function messageIn(json: string): string | null {
  try {
    const parsed: { error?: { message?: unknown } } = JSON.parse(json)
    const message = parsed.error?.message
    return typeof message === 'string' && message !== '' ? message : null
  } catch {
    return null
  }
}

/** Whether the browser can still read a chosen file, which may have been changed, moved, or unplugged. */
export async function readable(file: Blob): Promise<boolean> {
  try {
    await file.slice(0, 1).arrayBuffer()
    return true
  } catch {
    return false
  }
}
