import { DetailedError } from 'tus-js-client'
import type { Text, TextKey } from './i18n/texts.ts'

/** A server's answer that ends an attempt, kept as an error where tus-js-client would go on without looking at it. */
export class ServerAnswer extends Error {
  readonly status: number
  readonly body: string

  constructor(status: number, body: string) {
    super(`the server answered ${status}`)
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

/** Says in one sentence what went wrong with a request, or with reading `file`. */
export async function explain(error: unknown, file: Blob): Promise<Text> {
  const answer = answerOf(error)
  if (answer !== null) return answerText(answer)
  // The browser reports a file that changed under a request as a lost connection.
  return { key: (await readable(file)) ? 'problem.unreachable' : 'problem.file' }
}

/** Whether a retry can succeed: there was no response, or a temporary error. */
export function isTemporary(error: unknown): boolean {
  const status = statusOf(error)
  return status === 0 || status >= 500 || TEMPORARY.has(status)
}

/** The status of the answer behind an error, or 0 when there was no answer. */
export function statusOf(error: unknown): number {
  return answerOf(error)?.status ?? 0
}

function answerOf(error: unknown): ServerAnswer | null {
  if (error instanceof ServerAnswer) return error
  if (!(error instanceof DetailedError)) return null
  if (error.causingError instanceof ServerAnswer) return error.causingError
  const response = error.originalResponse
  return response === null ? null : new ServerAnswer(response.getStatus(), response.getBody())
}

function answerText({ status, body }: ServerAnswer): Text {
  const sentence = sentenceIn(body)
  if (sentence !== null) return { key: 'problem.said', values: { sentence } }
  return { key: BY_STATUS[status] ?? (status >= 500 ? 'problem.server' : 'problem.refused') }
}

/** The sentence in an answer: `error.message` of JSON, or a short plain text. A proxy's HTML page has none. */
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

/** Whether the browser can still read a chosen file: not after it was changed, moved or unplugged. */
export async function readable(file: Blob): Promise<boolean> {
  try {
    await file.slice(0, 1).arrayBuffer()
    return true
  } catch {
    return false
  }
}
