import type { DetailedError, HttpResponse } from 'tus-js-client'
import type { TextKey } from '../i18n/en.ts'
import type { Text } from '../i18n/text.ts'

/** An error response. */
export class ServerError extends Error {
  readonly status: number
  readonly body: string
  /** The code of the error, if the service sent one. */
  readonly code: string
  /** When a retry makes sense, in milliseconds from now; 0 if the response does not say. */
  readonly retryAfter: number

  /** `header` returns a header of the response. */
  constructor(status: number, body: string, header: (name: string) => string | null | undefined) {
    super(`The server responded with ${status}.`)
    this.status = status
    this.body = body
    this.code = header('Upload-Error') ?? ''
    const seconds = Number(header('Retry-After') ?? 0)
    this.retryAfter = Number.isFinite(seconds) ? seconds * 1000 : 0
  }
}

/** The error in a response to tus-js-client, which would ignore or misread it. */
export function errorIn(response: HttpResponse): ServerError {
  return new ServerError(response.getStatus(), response.getBody(), (name) => response.getHeader(name))
}

/** The error in a response to `fetch`, whose body need not be read. */
export function errorOf(response: Response, body = ''): ServerError {
  return new ServerError(response.status, body, (name) => response.headers.get(name))
}

/** Statuses below 500 of temporary errors. After 401, the visitor can sign in again. */
export const TEMPORARY: ReadonlySet<number> = new Set([401, 409, 423, 429])

/** Errors that clients meet, in the language of the visitor. */
const BY_CODE: Readonly<Record<string, TextKey>> = {
  unauthenticated: 'problem.signed-out',
  forbidden: 'problem.denied',
  cross_site: 'problem.cross-site',
  host_not_allowed: 'problem.cross-site',
  too_large: 'problem.too-large',
  quota_exceeded: 'problem.quota',
  metadata_too_large: 'problem.metadata',
  type_not_allowed: 'problem.type',
  rejected: 'problem.rejected',
  digest_mismatch: 'problem.digest',
  checksum_mismatch: 'problem.digest',
  too_many_requests: 'problem.too-many',
  auth_unavailable: 'problem.auth-unavailable',
  application_unavailable: 'problem.application-unavailable',
  no_space: 'problem.full',
  not_found: 'problem.gone',
  gone: 'problem.gone',
  busy: 'problem.busy',
  moved: 'problem.busy',
  superseded: 'problem.busy',
  offset_mismatch: 'problem.busy',
  content_differs: 'problem.busy',
  connection_closed: 'problem.unreachable',
  idle_timeout: 'problem.unreachable',
  storage_error: 'problem.server',
  sync_failed: 'problem.server',
  stopping: 'problem.server',
  internal: 'problem.server',
}

/** Errors whose sentence comes from the application of the operator, which knows its visitors. */
const BY_APPLICATION: ReadonlySet<string> = new Set(['refused', 'rejected'])

/** Sentences of the service itself under these codes. */
const OWN_SENTENCE = /^(This file did not pass the security scan|The application )/

/** Errors that the same file always meets. */
const FINAL: ReadonlySet<string> = new Set(['too_large', 'metadata_too_large', 'type_not_allowed', 'rejected'])

const BY_STATUS: Readonly<Record<number, TextKey>> = {
  401: 'problem.signed-out',
  403: 'problem.denied',
  409: 'problem.busy',
  404: 'problem.gone',
  410: 'problem.gone',
  413: 'problem.too-large',
  423: 'problem.busy',
  429: 'problem.too-many',
  503: 'problem.busy',
  507: 'problem.full',
}

/** Explains in one sentence why a request, or reading `file`, failed. */
export async function explain(error: unknown, file: Blob | null): Promise<Text> {
  const response = responseOf(error)
  if (response !== null) return responseText(response)
  // If a file changes during a request, the browser reports a lost connection.
  return { key: file === null || (await readable(file)) ? 'problem.unreachable' : 'problem.file' }
}

/** Whether a retry can succeed: there was no response, or a temporary error. */
export function isTemporary(error: unknown): boolean {
  // After a HEAD, the status 423 of a rejected file only keeps tus-js-client from sending it again.
  if (isFinal(error)) return false
  const status = statusOf(error)
  return status === 0 || status >= 500 || TEMPORARY.has(status)
}

/** Whether a proxy accepts no request of this size: the service itself says why it refuses a file. */
export function tooLargeForProxy(error: unknown): boolean {
  const response = responseOf(error)
  return response?.status === 413 && response.code === ''
}

/** Whether the file itself was refused, so that not even its user can retry. */
export function isFinal(error: unknown): boolean {
  return FINAL.has(responseOf(error)?.code ?? '')
}

/** The status of the error response, or 0 without a response. */
export function statusOf(error: unknown): number {
  return responseOf(error)?.status ?? 0
}

/** When the server expects a retry, in milliseconds from now; 0 if it does not say. */
export function retryAfter(error: unknown): number {
  return responseOf(error)?.retryAfter ?? 0
}

function responseOf(error: unknown): ServerError | null {
  if (error instanceof ServerError) return error
  if (!isDetailed(error)) return null
  if (error.causingError instanceof ServerError) return error.causingError
  return error.originalResponse === null ? null : errorIn(error.originalResponse)
}

/** By its shape: tus-js-client is loaded later. */
function isDetailed(error: unknown): error is DetailedError {
  return error instanceof Error && 'originalResponse' in error
}

function responseText({ status, body, code }: ServerError): Text {
  const sentence = BY_APPLICATION.has(code) ? sentenceIn(body) : null
  if (sentence !== null && !OWN_SENTENCE.test(sentence)) return { key: 'problem.said', values: { sentence } }
  const known = BY_CODE[code] ?? BY_STATUS[status]
  if (known !== undefined) return { key: known }
  if (status >= 500) return { key: 'problem.server' }
  return code === '' ? { key: 'problem.refused' } : { key: 'problem.refused-code', values: { code } }
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
