import { once } from 'node:events'
import path from 'node:path'
import { afterEach, expect, it } from '@jest/globals'
import { UPLOADED, uploadOverBrokenConnections } from '../support/broken-upload.ts'
import { type Example, startExample } from '../support/example.ts'

const ALICE = { Authorization: 'Bearer token-of-alice' }
const HELLO = 'Hello from the application.\n'

let example: Example | undefined
afterEach(async () => {
  await example?.dispose()
  example = undefined
})

it.each([
  ['http', {}],
  ['express-4', {}],
  ['express-5', ALICE],
  ['fastify', {}],
  ['koa', {}],
  ['hono', {}],
])('The example %s receives a file over connections that break, and a body of any type', async (name, headers) => {
  example = await startExample(name)
  const { url, program } = example
  const uploaded = await uploadOverBrokenConnections(url, '/uploads/files', headers)
  expect(uploaded.resumed).toBeGreaterThan(0)
  const file = await fetch(url + uploaded.path, { headers: { ...headers } })
  expect(UPLOADED.equals(Buffer.from(await file.arrayBuffer()))).toBe(true)

  const json = await upload(example, '{"a": 1}', { ...headers, 'Content-Type': 'application/json' })
  expect(json.status).toBe(201)
  const stored = await fetch(new URL(json.headers.get('Location') ?? '', url), { headers: { ...headers } })
  expect(await stored.text()).toBe('{"a": 1}')

  expect(await (await fetch(`${url}/`)).text()).toBe(HELLO)
  expect(await program.end('SIGTERM')).toBe(0)
  expect(program.errors()).not.toContain('requestTimeout')
})

it('The example http prints the path of each file', async () => {
  example = await startExample('http')
  const { stdout } = example.program.process
  if (stdout === null) throw new Error('The program has no output.')
  const printed = once(stdout, 'data')
  const url = new URL((await upload(example, 'hello')).headers.get('Location') ?? '', example.url)
  const id = url.pathname.split('/').at(-1) ?? ''
  expect(String(await printed)).toBe(`Received 5 bytes: ${path.join(example.dataDir, 'files', id, 'file')}\n`)
})

it('The example express-5 receives files of its users only', async () => {
  example = await startExample('express-5')
  expect((await upload(example, 'hello')).status).toBe(401)
  expect((await upload(example, 'hello', { Authorization: 'Bearer token-of-mallory' })).status).toBe(401)
  const made = await upload(example, 'hello', ALICE)
  expect(made.status).toBe(201)
  const url = new URL(made.headers.get('Location') ?? '', example.url)
  expect((await fetch(url)).status).toBe(401)
  expect((await fetch(url, { headers: ALICE })).status).toBe(200)
})

it('The example koa rejects Windows programs', async () => {
  example = await startExample('koa')
  const rejected = await upload(example, 'MZ and more')
  expect([rejected.status, await rejected.text()]).toEqual([422, expect.stringContaining('Windows programs')])
  expect((await upload(example, 'hello')).status).toBe(201)
  expect((await upload(example, '')).status).toBe(201)
})

/** Uploads a file in one request of the IETF draft. */
function upload({ url }: Example, body: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(`${url}/uploads/files`, { method: 'POST', headers: { 'Upload-Complete': '?1', ...headers }, body })
}
