/** Plain requests of tus 1.0.0. */

import { requestHead, until, type Wire } from './wire.ts'

export const TUS = { 'Tus-Resumable': '1.0.0' } as const
export const PATCH_HEADERS = { ...TUS, 'Content-Type': 'application/offset+octet-stream' } as const

type Body = string | Uint8Array<ArrayBuffer>

/** Creates an upload. @returns its absolute URL. */
export async function createUpload(
  base: string,
  length: number,
  metadata: Readonly<Record<string, string>> = {},
): Promise<string> {
  const pairs = Object.entries(metadata).map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
  const response = await fetch(`${base}/files`, {
    method: 'POST',
    headers: {
      ...TUS,
      'Upload-Length': String(length),
      ...(pairs.length > 0 ? { 'Upload-Metadata': pairs.join(',') } : {}),
    },
  })
  if (response.status !== 201) throw new Error(`POST /files: ${response.status} ${await response.text()}`)
  return new URL(response.headers.get('Location') ?? '', base).href
}

/** Sends bytes at an offset. */
export function patch(url: string, offset: number, body: Uint8Array<ArrayBuffer>): Promise<Response> {
  return fetch(url, {
    method: 'PATCH',
    headers: { ...TUS, 'Upload-Offset': String(offset), 'Content-Type': 'application/offset+octet-stream' },
    body,
  })
}

/** HEAD with the version of tus. */
export function head(url: string): Promise<Response> {
  return fetch(url, { method: 'HEAD', headers: TUS })
}

/** The id of the upload at this URL. */
export function idOf(url: string): string {
  return url.slice(url.lastIndexOf('/') + 1)
}

/** POST /files with these headers. */
export function create(base: string, headers: Readonly<Record<string, string>>, body?: Body): Promise<Response> {
  return fetch(`${base}/files`, {
    method: 'POST',
    headers: { ...TUS, ...headers },
    ...(body === undefined ? {} : { body }),
  })
}

/** The absolute URL that a response names. */
export function locationOf(response: Response, base: string): string {
  return new URL(response.headers.get('Location') ?? '', base).href
}

/** PATCH with any headers and any body. */
export function patchWith(url: string, headers: Readonly<Record<string, string>>, body?: Body): Promise<Response> {
  return fetch(url, { method: 'PATCH', headers, ...(body === undefined ? {} : { body }) })
}

/** The offset that HEAD returns. @throws Error when its status is not 200. */
export async function offsetOf(url: string): Promise<number> {
  const response = await head(url)
  if (response.status !== 200) throw new Error(`HEAD: ${response.status}`)
  return Number(response.headers.get('Upload-Offset'))
}

/** Begins a PATCH over a raw connection and sends the first bytes of its body. */
export async function beginPatch(wire: Wire, url: string, offset: number, announced: number, first: Uint8Array) {
  const { pathname } = new URL(url)
  await wire.send(
    requestHead('PATCH', pathname, { ...PATCH_HEADERS, 'Upload-Offset': offset, 'Content-Length': announced }),
    first,
  )
}

/** Waits until the service returns this offset. */
export function reached(url: string, offset: number): Promise<void> {
  return until(async () => (await offsetOf(url)) === offset)
}
