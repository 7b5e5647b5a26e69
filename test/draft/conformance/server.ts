/**
 * The server under test: the one whose upload creation URL `DRAFT_URL` names (http only), or else ours. The cases
 * require only the text of draft-ietf-httpbis-resumable-upload, so they are fair to every server.
 */
import { createHash } from 'node:crypto'
import { afterAll, expect } from '@jest/globals'
import { startService } from '../../support/service.ts'
import { type Answer, connect, requestHead, type Wire } from '../../support/wire.ts'

const { DRAFT_URL } = process.env
const own = DRAFT_URL === undefined ? await startService({ MAX_SIZE: '100000000' }) : undefined
afterAll(() => own?.close())

/** Where uploads are created. */
export const endpoint = DRAFT_URL ?? `${own?.url}/files`

export type Headers = Readonly<Record<string, string>>

/** "The current interop version is 8." */
export const INTEROP = '8'
export const DRAFT: Headers = { 'Upload-Draft-Interop-Version': INTEROP }
export const PARTIAL = 'application/partial-upload'
export const HELLO = Buffer.from('hello world')
export const PROBLEM = 'https://iana.org/assignments/http-problem-types#'

type Body = Buffer<ArrayBuffer>

export function request(method: string, url: string, headers: Headers = {}, body?: Body): Promise<Response> {
  return fetch(url, {
    method,
    headers: { ...DRAFT, ...headers },
    ...(body === undefined ? {} : { body }),
    redirect: 'manual',
  })
}

/** POST to the creation URL. */
export function post(complete: boolean, body?: Body, headers: Headers = {}): Promise<Response> {
  return request('POST', endpoint, { 'Upload-Complete': complete ? '?1' : '?0', ...headers }, body)
}

/** @returns the URL of a new upload that is not complete. @throws Error when the server does not create it. */
export async function create(body?: Body, headers: Headers = {}): Promise<string> {
  const response = await post(false, body, headers)
  if (response.status !== 201) throw new Error(`POST: ${response.status} ${await response.text()}`)
  return locationOf(response)
}

export function locationOf({ headers }: Pick<Response, 'headers'>): string {
  return new URL(headers.get('Location') ?? '', endpoint).href
}

export function append(
  url: string,
  offset: number,
  complete: boolean,
  body?: Body,
  headers: Headers = {},
): Promise<Response> {
  const fields = { 'Content-Type': PARTIAL, 'Upload-Offset': String(offset), 'Upload-Complete': complete ? '?1' : '?0' }
  return request('PATCH', url, { ...fields, ...headers }, body)
}

export function head(url: string): Promise<Response> {
  return request('HEAD', url)
}

/** The offset that the server returns, and whether it considers the upload complete. */
export async function stateOf(url: string): Promise<readonly [offset: string | null, complete: string | null]> {
  const { headers } = await head(url)
  return [headers.get('Upload-Offset'), headers.get('Upload-Complete')]
}

/** The headers of an append. @param length of its body, in bytes; `undefined` for a chunked one. */
export function appendHead(url: string, offset: number, complete: boolean, length?: number): string {
  return requestHead('PATCH', new URL(url).pathname, {
    ...DRAFT,
    'Content-Type': PARTIAL,
    'Upload-Offset': offset,
    'Upload-Complete': complete ? '?1' : '?0',
    ...(length === undefined ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': length }),
  })
}

/** The headers of a creation. */
export function creationHead(headers: Readonly<Record<string, string | number>>, method = 'POST'): string {
  return requestHead(method, new URL(endpoint).pathname, { Host: new URL(endpoint).host, ...headers })
}

/** Begins an append, sends the first bytes of its body, and waits until the server has read them. */
export async function beginAppend(url: string, offset: number, length: number, first: Uint8Array): Promise<Wire> {
  const wire = await connect(url)
  const lines = appendHead(url, offset, false, length)
  await wire.send(lines.replace('\r\n\r\n', '\r\nExpect: 100-continue\r\n\r\n'))
  expect((await wire.next()).status).toBe(100)
  await wire.send(first)
  return wire
}

/** All responses to one request, the interim ones first. */
export async function allAnswers(wire: Wire): Promise<{ readonly interim: readonly Answer[]; readonly final: Answer }> {
  const interim: Answer[] = []
  for (;;) {
    const answer = await wire.next()
    if (answer.status >= 200) return { interim, final: answer }
    interim.push(answer)
  }
}

/** A field with one digest of RFC 9530. */
export function digestOf(name: 'sha-256' | 'sha-512', bytes: Uint8Array): string {
  return `${name}=:${createHash(name.replace('-', '')).update(bytes).digest('base64')}:`
}

export function expectClientError({ status }: Pick<Response, 'status'>) {
  expect(status).toBeGreaterThanOrEqual(400)
  expect(status).toBeLessThan(500)
}
