import { z } from 'zod'
import type { Answer } from './answers.ts'
import type { Message } from './message.ts'

const problem = z.object({
  type: z.union([z.literal('about:blank'), z.url({ protocol: /^https$/ })]),
  title: z.string().min(1),
  status: z.int(),
  detail: z.string().regex(/^[A-Z0-9].*\.$/s),
  code: z.string().min(1),
})
/** The headers that a 104 may have. */
const OF_104: ReadonlySet<string> = new Set([
  'upload-draft-interop-version',
  'location',
  'upload-limit',
  'upload-offset',
])

/**
 * The faults of the interim responses to a request.
 *
 * @param answers all responses to one request, including the final one.
 * @param sent the bytes of that request, or, if they are unknown, all sent bytes.
 */
export function interimFaultOf(answers: readonly Answer[], sent: string): string | undefined {
  const last = answers.find(({ status }) => status >= 200)
  const of104 = answers.filter(({ status }) => status === 104)
  for (const [i, { headers }] of of104.entries()) {
    const version = headers.get('upload-draft-interop-version') ?? ''
    if (!/^[568]$/.test(version)) return `A 104 is of version ${version}.`
    if (!new RegExp(`upload-draft-interop-version:[ \t]*0*${version}[ \t]*[;\r\n]`, 'i').test(sent)) {
      return `A 104 of version ${version} was not asked for.`
    }
    const other = [...headers.keys()].find((name) => !OF_104.has(name))
    if (other !== undefined) return `A 104 has ${other}.`
    const location = headers.get('location')
    if (location !== undefined && i > 0) return 'A later 104 has a Location.'
    if (location === undefined && !headers.has('upload-offset')) return 'A 104 tells nothing.'
    if (location !== undefined && location !== (last?.headers.get('location') ?? location)) {
      return `A 104 names ${location}, the last answer ${last?.headers.get('location')}.`
    }
  }
  const empty = answers.filter(({ status, headers }) => status === 100 && headers.size === 0)
  return empty.length + of104.length + (last === undefined ? 0 : 1) === answers.length && empty.length <= 1
    ? undefined
    : `The answers are ${answers.map(({ status }) => status).join(', ')}.`
}

/** Whether a request certainly is one of the draft only: digests and links of an upload are not part of it. */
export function speaksDraft({ target, headers }: Message): boolean {
  const names = headers.map(([name]) => name.toLowerCase())
  if (names.some((name) => /^(tus-resumable|origin|x-http-method-override|access-control-.*)$/.test(name))) return false
  return (
    /^\/files(\/[^/?]*)?\/?($|\?)/.test(target) &&
    names.some((name) => /^upload-(complete|draft-interop-version)$/.test(name))
  )
}

/** The faults of the final response to a complete request of the draft. */
export function draftFaultOf({ status, headers, body }: Answer, { method }: Message): string | undefined {
  const state = `${headers.get('upload-offset')} ${headers.get('upload-complete')}`
  if (status < 300) {
    if (method === 'OPTIONS' || method === 'DELETE') return undefined
    if (!/^\d+ \?[01]$/.test(state)) return `The state of the upload is ${state}.`
    if (method === 'PATCH') return (status === 201) === state.endsWith('?1') ? undefined : `${status} with ${state}.`
    return /^(POST|PUT)$/.test(method) && !headers.has('location') ? 'Where the upload is remains unsaid.' : undefined
  }
  if (method === 'HEAD') return body === '' ? undefined : 'The answer to a HEAD has a body.'
  if (headers.get('content-type')?.startsWith('application/problem+json'))
    return problemFaultOf({ status, headers, body })
  return `An error has the type ${headers.get('content-type')}.`
}

/** The faults of problem details (RFC 9457). */
export function problemFaultOf({ status, headers, body }: Answer): string | undefined {
  try {
    const { status: said, code } = problem.parse(JSON.parse(body))
    if (said === status && code === headers.get('upload-error')) return undefined
  } catch {
    // The following checks determine it.
  }
  return `These are no problem details of ${status}: ${body.slice(0, 300)}`
}
