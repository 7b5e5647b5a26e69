/** Uploads to a service that is part of an application. */
import { expect } from '@jest/globals'
import { UPLOADED, uploadOverBrokenConnections } from './broken-upload.ts'

type Headers = Readonly<Record<string, string>>

/** Expects that it receives files over connections that break, and bodies that the application would have parsed. */
export async function expectFiles(server: string, endpoint: string, headers: Headers = {}): Promise<void> {
  const { path, resumed } = await uploadOverBrokenConnections(server, endpoint, headers)
  expect(resumed).toBeGreaterThan(0)
  const file = await fetch(server + path, { headers: { ...headers } })
  expect(UPLOADED.equals(Buffer.from(await file.arrayBuffer()))).toBe(true)

  const json = await upload(server + endpoint, '{"a": 1}', { ...headers, 'Content-Type': 'application/json' })
  expect(json.status).toBe(201)
  const parsed = await fetch(urlOf(json), { headers: { ...headers } })
  expect(await parsed.text()).toBe('{"a": 1}')
}

/** Uploads a file in one request of the IETF draft. */
export function upload(endpoint: string, body: string, headers: Headers = {}): Promise<Response> {
  return fetch(endpoint, { method: 'POST', headers: { 'Upload-Complete': '?1', ...headers }, body })
}

/** The absolute URL of the upload that a response names. */
export function urlOf(response: Response): URL {
  return new URL(response.headers.get('Location') ?? '', response.url)
}
