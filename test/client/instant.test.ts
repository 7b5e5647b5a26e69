/** The client of instant uploads, against the service. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { instantUpload } from '../../client/element/queue/instant.ts'
import { contentOf, send } from '../support/instant.ts'
import { startService, type TestService } from '../support/service.ts'
import { bearer, JWT_SECRET, tokenFor } from '../support/tokens.ts'

const CONTENT = contentOf(4_500_000, 'of a page')

let service: TestService
let alice: Readonly<Record<string, string>>
beforeAll(async () => {
  service = await startService({ AUTH: 'jwt', JWT_SECRET, INSTANT: 'owner' })
  alice = bearer(await tokenFor('alice'))
})
afterAll(() => service.close())
afterEach(() => {
  Reflect.deleteProperty(globalThis, 'isSecureContext')
})

function upload(content: Buffer<ArrayBuffer>, headers = alice, base = `${service.url}/`) {
  const metadata = { filename: 'page.bin' }
  return instantUpload(new Blob([content]), { base, headers: () => headers, metadata })
}

describe('The client of instant uploads', () => {
  it.each([
    ['in a secure context', true],
    ['over plain HTTP', false],
  ])('returns the URL of a finished file %s', async (_, isSecureContext) => {
    Object.assign(globalThis, { isSecureContext })
    await send(service.url, CONTENT, alice)
    const found = await upload(CONTENT)
    expect(found?.finished).toBe(true)
    const response = await fetch(found?.url ?? '', { headers: alice })
    expect(Buffer.from(await response.arrayBuffer()).equals(CONTENT)).toBe(true)
    expect(response.headers.get('Content-Disposition')).toContain('page.bin')
  })

  it('returns nothing if the file has to be sent', async () => {
    Object.assign(globalThis, { isSecureContext: true })
    expect(await upload(contentOf(1_500_000, 'new'))).toBeUndefined()
    expect(await upload(contentOf(1_000, 'small'))).toBeUndefined()
    expect(await upload(CONTENT, {})).toBeUndefined()
    expect(await upload(CONTENT, alice, `${service.url}/not-here/`)).toBeUndefined()
    expect(await upload(CONTENT, alice, 'http://127.0.0.1:1/')).toBeUndefined()
  })

  it('ends with its signal', async () => {
    Object.assign(globalThis, { isSecureContext: true })
    const reason = new Error('Paused.')
    const options = { base: `${service.url}/`, headers: () => alice, metadata: {}, signal: AbortSignal.abort(reason) }
    await expect(instantUpload(new Blob([CONTENT]), options)).rejects.toBe(reason)
  })
})
