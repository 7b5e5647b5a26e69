/** Requests and expectations that the tests of the IETF draft share. */
import { expect } from '@jest/globals'
import { head } from './tus.ts'
import { connect, requestHead, until, type Wire } from './wire.ts'

export const DRAFT = { 'Upload-Draft-Interop-Version': '8' } as const
export const PARTIAL = 'application/partial-upload'

type Body = string | Uint8Array<ArrayBuffer>
export type Headers = Readonly<Record<string, string>>

const completeness = (complete: boolean): string => (complete ? '?1' : '?0')

export function ask(method: string, url: string, headers: Headers = DRAFT, body?: Body): Promise<Response> {
  return fetch(url, { method, headers, ...(body === undefined ? {} : { body }) })
}

/** POST /files. */
export function create(base: string, complete: boolean, body?: Body, headers: Headers = {}): Promise<Response> {
  return ask('POST', `${base}/files`, { ...DRAFT, 'Upload-Complete': completeness(complete), ...headers }, body)
}

/** @returns the absolute URL of a new upload whose end is awaited. */
export async function createUpload(base: string, body?: Body, headers: Headers = {}): Promise<string> {
  const response = await create(base, false, body, headers)
  if (response.status !== 201) throw new Error(`POST /files: ${response.status} ${await response.text()}`)
  return new URL(response.headers.get('Location') ?? '', base).href
}

export function append(
  url: string,
  offset: number,
  complete: boolean,
  body?: Body,
  headers: Headers = {},
): Promise<Response> {
  return ask('PATCH', url, { ...appendFields(offset, complete), ...headers }, body)
}

/** Begins an append over a raw connection and sends the first bytes of its body. */
export async function beginAppend(
  url: string,
  offset: number,
  complete: boolean,
  announced: number,
  first: Uint8Array,
  headers: Headers = {},
  wire?: Wire,
): Promise<Wire> {
  const used = wire ?? (await connect(url))
  const fields = { ...appendFields(offset, complete), 'Content-Length': announced, ...headers }
  await used.send(requestHead('PATCH', new URL(url).pathname, fields), first)
  return used
}

/** A connection that the service has accepted: it reads two of them in the order in which they send. */
export async function connectWell(base: string): Promise<Wire> {
  const wire = await connect(base)
  await wire.send(requestHead('OPTIONS', '/files', {}))
  await wire.answer()
  return wire
}

function appendFields(offset: number, complete: boolean): Headers {
  return {
    ...DRAFT,
    'Content-Type': PARTIAL,
    'Upload-Offset': String(offset),
    'Upload-Complete': completeness(complete),
  }
}

/**
 * Waits until the service has these bytes; unlike offset retrieval, this does not interrupt the request that sends
 * them.
 */
export function received(url: string, offset: number): Promise<void> {
  return until(async () => {
    const response = await fetch(url, { method: 'HEAD' })
    return response.headers.get('Upload-Offset') === String(offset)
  })
}

/** The result of offset retrieval. */
export async function stateOf(url: string): Promise<readonly [offset: string | null, complete: string | null]> {
  const { headers } = await ask('HEAD', url)
  return [headers.get('Upload-Offset'), headers.get('Upload-Complete')]
}

/** Expects a response that reports the upload as complete. */
export function expectComplete({ status, headers }: Pick<Response, 'status' | 'headers'>) {
  expect([status, headers.get('Upload-Complete')]).toEqual([201, '?1'])
}

/** The metadata that tus returns for the upload, by key. */
export async function metadataOf(url: string): Promise<Readonly<Record<string, string>>> {
  const pairs = ((await head(url)).headers.get('Upload-Metadata') ?? '').split(',').map((pair) => pair.split(' '))
  return Object.fromEntries(pairs.map(([key = '', value = '']) => [key, Buffer.from(value, 'base64').toString()]))
}
