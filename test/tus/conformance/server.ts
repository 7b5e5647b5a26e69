/**
 * The server under test: the one whose upload creation URL `TUS_URL` names, or else ours. The cases require only the
 * text of tus 1.0.0, so they are fair to every server.
 */
import { createHash } from 'node:crypto'
import { afterAll, describe } from '@jest/globals'
import { startService } from '../../support/service.ts'

const { TUS_URL } = process.env
const own = TUS_URL === undefined ? await startService() : undefined
afterAll(() => own?.close())

/** Where uploads are created. */
export const endpoint = TUS_URL ?? `${own?.url}/files`

const options = await fetch(endpoint, { method: 'OPTIONS' })
const extensions = new Set((options.headers.get('Tus-Extension') ?? '').split(',').map((name) => name.trim()))

/** The cases of an extension. If another server does not offer it, they are reported as skipped. */
export function extension(name: string, cases: () => void): void {
  if (extensions.has(name) || own !== undefined) describe(name, cases)
  else describe.skip(name, cases)
}

export type Headers = Readonly<Record<string, string>>

export const TUS: Headers = { 'Tus-Resumable': '1.0.0' }
export const PATCH_TYPE = 'application/offset+octet-stream'
export const HELLO = Buffer.from('hello world')

export function request(
  method: string,
  url: string,
  headers: Headers = {},
  body?: Buffer<ArrayBuffer>,
): Promise<Response> {
  return fetch(url, {
    method,
    headers: { ...TUS, ...headers },
    ...(body === undefined ? {} : { body }),
    redirect: 'manual',
  })
}

/** POST to the creation URL. */
export function post(headers: Headers, body?: Buffer<ArrayBuffer>): Promise<Response> {
  return request('POST', endpoint, headers, body)
}

/** @returns the URL of a new upload. @throws Error when the server does not create it. */
export async function create(headers: Headers): Promise<string> {
  const response = await post(headers)
  if (response.status !== 201) throw new Error(`POST: ${response.status} ${await response.text()}`)
  return locationOf(response)
}

export function locationOf(response: Response): string {
  return new URL(response.headers.get('Location') ?? '', endpoint).href
}

export function head(url: string): Promise<Response> {
  return request('HEAD', url)
}

export function patch(
  url: string,
  offset: number,
  body: Buffer<ArrayBuffer>,
  headers: Headers = {},
): Promise<Response> {
  return request('PATCH', url, { 'Content-Type': PATCH_TYPE, 'Upload-Offset': String(offset), ...headers }, body)
}

export async function offsetOf(url: string): Promise<string | null> {
  return (await head(url)).headers.get('Upload-Offset')
}

/** A value of Upload-Checksum. */
export function checksumOf(bytes: Uint8Array, algorithm = 'sha1'): string {
  return `${algorithm} ${createHash(algorithm).update(bytes).digest('base64')}`
}
