import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, expect, it } from '@jest/globals'
import { expectFiles, upload, urlOf } from '../support/embedded-service.ts'
import { type Example, startExample } from '../support/example.ts'

const ENDPOINT = '/api/uploads/files'

let example: Example | undefined
afterEach(async () => {
  await example?.dispose()
  example = undefined
})

it('The example next-app, in development, receives files next to the application', async () => {
  example = await startExample('next-app', { script: 'dev' })
  await expectFiles(example.url, ENDPOINT)
  expect(await (await fetch(`${example.url}/`)).text()).toContain('Hello from the application.')
  // Next.js compresses other responses.
  const text = await upload(example.url + ENDPOINT, 'text '.repeat(1_000), { 'Content-Type': 'text/plain' })
  const part = await fetch(urlOf(text), { headers: { Range: 'bytes=5-2004' } })
  expect([part.status, part.headers.get('Content-Encoding')]).toEqual([206, null])
  expect(await part.text()).toBe('text '.repeat(400))
  expect(example.program.errors()).not.toContain('AbortError')
  expect(await example.program.end('SIGTERM')).toBe(0)
  expect(example.program.errors()).not.toContain('requestTimeout')
}, 120_000)

it('The example next-pages, in development, receives files next to the application, also when its code has changed', async () => {
  example = await startExample('next-pages', { script: 'dev' })
  expect((await upload(example.url + ENDPOINT, 'hello')).status).toBe(201)
  await expectFiles(example.url, ENDPOINT)
  expect(await (await fetch(`${example.url}/`)).text()).toContain('Hello from the application.')

  for (const changed of ['lib/landfall.js', 'pages/index.js']) {
    const file = path.join(example.folder, changed)
    await writeFile(
      file,
      (await readFile(file, 'utf8')).replace('Hello from', 'Goodbye from').concat('\nexport const changed = 1\n'),
    )
  }
  let page = ''
  while (!page.includes('Goodbye')) page = await (await fetch(`${example.url}/`)).text()
  expect((await upload(example.url + ENDPOINT, 'hello')).status).toBe(201)
  expect(await example.program.end('SIGTERM')).toBe(0)
  expect(example.program.errors()).not.toContain('requestTimeout')
}, 120_000)
