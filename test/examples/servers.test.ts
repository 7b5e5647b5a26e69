import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, expect, it } from '@jest/globals'
import { expectFiles, upload, urlOf } from '../support/embedded-service.ts'
import { type Example, startExample } from '../support/example.ts'

const ALICE = { Authorization: 'Bearer token-of-alice' }
const MALLORY = { Authorization: 'Bearer token-of-mallory' }

let example: Example | undefined
afterEach(async () => {
  await example?.dispose()
  example = undefined
})

it.each([
  { name: 'http' },
  { name: 'express-4' },
  { name: 'express-5', headers: ALICE },
  { name: 'fastify' },
  { name: 'koa' },
  { name: 'hono' },
  // After closing, it ends itself by the same signal.
  { name: 'nest', code: null },
])('The example $name receives files next to the application', async ({ name, headers = {}, code = 0 }) => {
  example = await startExample(name)
  await expectFiles(example.url, '/uploads/files', headers)
  expect(await (await fetch(`${example.url}/`)).text()).toBe('Hello from the application.\n')
  expect(await example.program.end('SIGTERM')).toBe(code)
  expect(await readdir(example.dataDir)).not.toContain('owner.sock')
  expect(example.program.errors()).not.toContain('requestTimeout')
})

it('The example http prints the path of each file', async () => {
  example = await startExample('http')
  const { stdout } = example.program.process
  if (stdout === null) throw new Error('The program has no output.')
  const printed = once(stdout, 'data')
  const { pathname } = urlOf(await upload(`${example.url}/uploads/files`, 'hello'))
  const file = path.join(example.dataDir, 'files', path.basename(pathname), 'file')
  expect(String(await printed)).toBe(`Received 5 bytes: ${file}\n`)
})

it('The example express-5 receives files of its users only', async () => {
  example = await startExample('express-5')
  const endpoint = `${example.url}/uploads/files`
  expect((await upload(endpoint, 'hello')).status).toBe(401)
  expect((await upload(endpoint, 'hello', MALLORY)).status).toBe(401)
  const url = urlOf(await upload(endpoint, 'hello', ALICE))
  expect((await fetch(url)).status).toBe(401)
  expect(await (await fetch(url, { headers: ALICE })).text()).toBe('hello')
})

it('The example koa rejects Windows programs', async () => {
  example = await startExample('koa')
  const endpoint = `${example.url}/uploads/files`
  const rejected = await upload(endpoint, 'MZ and more')
  expect([rejected.status, await rejected.text()]).toEqual([422, expect.stringContaining('Windows programs')])
  expect((await upload(endpoint, 'hello')).status).toBe(201)
  expect((await upload(endpoint, '')).status).toBe(201)
})
