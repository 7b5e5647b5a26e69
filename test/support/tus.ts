/** Requests of tus 1.0.0, as plain as they go over the wire. */

export const TUS = { 'Tus-Resumable': '1.0.0' } as const

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

/** What HEAD tells. */
export function head(url: string): Promise<Response> {
  return fetch(url, { method: 'HEAD', headers: TUS })
}
