import { z } from 'zod'
import { MAX_HEADER_LINES } from '../../server/connections/request-head.ts'
import type { Auth } from './access.ts'
import type { Answer } from './answers.ts'

/** Every status that is documented for a healthy service, unless it is stopping. 500 is not among them. */
const DOCUMENTED: ReadonlySet<number> = new Set([
  ...[100, 104, 200, 201, 204, 206, 302, 304],
  ...[400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 414, 415, 416, 417, 421, 422, 423, 431, 460],
])
/** Every head of fewer bytes is read, unless it has too many lines: no value and no target can be too long. */
const MAX_SMALL_HEAD = 16 * 1024
/** Codes of server faults. */
const OWN_FAULTS: ReadonlySet<string> = new Set(['internal', 'storage_error', 'sync_failed', 'no_space', 'stopping'])
/** Internals: positions in code, names of modules, codes of OS errors. */
const INSIDE =
  /node_modules|node:internal|\bdist\/|\.(?:ts|js):\d+|\n\s+at |\b[A-Z][a-z]+Error\b|\bE(?:NOENT|ACCES|INVAL|EXIST|ISDIR|NOTDIR|NAMETOOLONG|FBIG|MFILE|PERM|BADF)\b|\[object /

/** Headers of the protocols. */
const SHAPES: Readonly<Record<string, RegExp>> = {
  'upload-offset': /^\d{1,16}$/,
  'upload-length': /^\d{1,16}$/,
  'upload-complete': /^\?[01]$/,
  'upload-limit': /^(max-size|min-size|max-age)=\d{1,16}(, max-age=\d{1,16})?$/,
  'repr-digest': /^(sha-256|sha-512|sha|md5)=:[A-Za-z0-9+/]+=*:$/,
}

const refusal = z.object({
  ok: z.literal(false),
  error: z.object({ code: z.string().min(1), message: z.string().regex(/^[A-Z0-9].*\.$/s) }),
})
const accepted = z.object({ ok: z.literal(true) })
const listed = z.object({ file_list: z.array(z.array(z.string())).length(1) })

/**
 * The faults of a response, whatever the request.
 *
 * @param secrets texts that no client may see, such as the path of the data directory.
 */
export function faultOf(answer: Answer, secrets: readonly string[]): string | undefined {
  const { status, headers, body } = answer
  if (!DOCUMENTED.has(status)) return `The status ${status} is not documented.`
  const code = headers.get('upload-error')
  if (code !== undefined && OWN_FAULTS.has(code)) return `The server is at fault: ${code}.`
  if (code !== undefined && status < 400) return `An error is answered with ${status}.`
  const misshapen = Object.entries(SHAPES).find(
    ([name, shape]) => !shape.test(headers.get(name) ?? '') && headers.has(name),
  )
  if (misshapen !== undefined) return `${misshapen[0]} is ${headers.get(misshapen[0])}.`
  // Uploaded content may contain anything.
  const reported = [...headers.values()].join('\n') + (headers.has('content-disposition') ? '' : body)
  const secret = secrets.find((text) => reported.includes(text))
  if (secret !== undefined) return `It tells ${secret}.`
  const inside = headers.get('content-type')?.startsWith('text/html') ? undefined : INSIDE.exec(reported)
  if (inside !== null && inside !== undefined) return `It tells of the inside: ${JSON.stringify(inside[0])}.`
  return undefined
}

/** The faults of a response that depend on the setting AUTH. */
export function statusFaultOf({ status, headers }: Answer, auth: Auth): string | undefined {
  if (status !== 401) return undefined
  if (auth === 'none') return 'A service for everyone asks for credentials.'
  return /^Bearer\b/.test(headers.get('www-authenticate') ?? '') ? undefined : 'A 401 names no scheme.'
}

/** @param texts what only other clients may see. */
export function privacyFaultOf({ headers, body }: Answer, texts: readonly string[]): string | undefined {
  const reported = [...headers.values(), body].join('\n')
  const found = texts.find((text) => reported.includes(text))
  return found === undefined ? undefined : `It reveals ${JSON.stringify(found)}.`
}

/** How the response for a hidden upload differs from the one for an unknown id. */
export function hidingFaultOf(hidden: Answer, unknown: Answer): string | undefined {
  const [a, b] = [hidden, unknown].map(({ status, headers, body }) => {
    const sorted = [...headers].filter(([name]) => name !== 'date' && name !== 'x-request-id').sort()
    return JSON.stringify({ status, headers: sorted, body })
  })
  return a === b ? undefined : `A hidden upload is answered with ${a}, an unknown one with ${b}.`
}

/** Whether the head of a request is too large for the service to read it, and the response says so. */
export function refusesHead({ status }: Answer, request: string): boolean {
  const head = request.slice(0, request.indexOf('\r\n\r\n'))
  const isLarge = head.length > MAX_SMALL_HEAD || head.split('\r\n').length > MAX_HEADER_LINES
  return isLarge && (status === 414 || status === 431)
}

/** The faults of the response to a complete request of a legacy page. */
export function legacyFaultOf(
  { status, body }: Answer,
  path: '/upload/accept' | '/upload/complete' | '/check',
): string | undefined {
  const json = parsed(body)
  if (json === undefined) return 'The body is not JSON.'
  const shape = path === '/check' ? listed : status === 200 ? accepted : refusal
  if (path === '/check' && status !== 200) return `A check was answered with ${status}.`
  return shape.safeParse(json).success ? undefined : `The body has another form: ${body.slice(0, 300)}`
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
