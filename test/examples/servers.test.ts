import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { expectFiles, upload, urlOf } from '../support/embedded-service.ts'
import { type Example, startExample } from '../support/example.ts'

const ALICE = { Authorization: 'Bearer token-of-alice' }
const MALLORY = { Authorization: 'Bearer token-of-mallory' }

/** How an example is called, and the exit code with which it ends. */
interface Case {
  readonly name: string
  readonly headers?: Readonly<Record<string, string>>
  readonly code?: number | null
}

const CASES: readonly Case[] = [
  { name: 'http' },
  { name: 'express-4' },
  { name: 'express-5', headers: ALICE },
  { name: 'fastify' },
  { name: 'koa' },
  { name: 'hono' },
  // After closing, it ends itself by the same signal.
  { name: 'nest', code: null },
]

/** What single examples show, with the same program. */
const MORE: Readonly<
  Record<string, readonly (readonly [title: string, check: (example: Example) => Promise<void>])[]>
> = {
  http: [['prints the path of each file', expectPrintedPath]],
  'express-5': [['receives files of its users only', expectUsersOnly]],
  koa: [['rejects Windows programs', expectRejected]],
}

describe.each(CASES)('The example $name', ({ name, headers = {}, code = 0 }) => {
  let example: Example
  beforeAll(async () => {
    example = await startExample(name)
  })
  afterAll(() => example.dispose())

  for (const [title, check] of MORE[name] ?? []) it(title, () => check(example))

  it('receives files next to the application, and ends', async () => {
    await expectFiles(example.url, '/uploads/files', headers)
    expect(await (await fetch(`${example.url}/`)).text()).toBe('Hello from the application.\n')
    expect(await example.program.end('SIGTERM')).toBe(code)
    expect(await readdir(example.dataDir)).not.toContain('owner.sock')
    expect(example.program.errors()).not.toContain('requestTimeout')
  })
})

async function expectPrintedPath({ url, dataDir, program }: Example): Promise<void> {
  const { stdout } = program.process
  if (stdout === null) throw new Error('The program has no output.')
  const printed = once(stdout, 'data')
  const { pathname } = urlOf(await upload(`${url}/uploads/files`, 'hello'))
  const file = path.join(dataDir, 'files', path.basename(pathname), 'file')
  expect(String(await printed)).toBe(`Received 5 bytes: ${file}\n`)
}

async function expectUsersOnly(example: Example): Promise<void> {
  const endpoint = `${example.url}/uploads/files`
  expect((await upload(endpoint, 'hello')).status).toBe(401)
  expect((await upload(endpoint, 'hello', MALLORY)).status).toBe(401)
  const url = urlOf(await upload(endpoint, 'hello', ALICE))
  expect((await fetch(url)).status).toBe(401)
  expect(await (await fetch(url, { headers: ALICE })).text()).toBe('hello')
}

async function expectRejected(example: Example): Promise<void> {
  const endpoint = `${example.url}/uploads/files`
  const rejected = await upload(endpoint, 'MZ and more')
  expect([rejected.status, await rejected.text()]).toEqual([422, expect.stringContaining('Windows programs')])
  expect((await upload(endpoint, 'hello')).status).toBe(201)
  expect((await upload(endpoint, '')).status).toBe(201)
}
