import { afterEach, expect, it } from '@jest/globals'
import { expectFiles, upload, urlOf } from '../../support/embedded-service.ts'
import { type Example, startExample } from '../../support/example.ts'

const ENDPOINT = '/api/uploads/files'

let example: Example | undefined
afterEach(async () => {
  await example?.dispose()
  example = undefined
})

it('The example next-app, built for production, receives files next to the application', async () => {
  example = await startExample('next-app')
  await expectFiles(example.url, ENDPOINT)
  expect(await (await fetch(`${example.url}/`)).text()).toContain('Hello from the application.')
  // Next.js compresses other responses.
  const text = await upload(example.url + ENDPOINT, 'text '.repeat(1_000), { 'Content-Type': 'text/plain' })
  const part = await fetch(urlOf(text), { headers: { Range: 'bytes=5-2004' } })
  expect([part.status, part.headers.get('Content-Encoding')]).toEqual([206, null])
  expect(await part.text()).toBe('text '.repeat(400))
  expect(example.program.errors()).not.toContain('AbortError')
  // After closing its server, Next.js exits with 128 + 15.
  expect(await example.program.end('SIGTERM')).toBe(143)
  expect(example.program.errors()).not.toContain('requestTimeout')
}, 300_000)
