import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Upload } from 'tus-js-client'
import { bytesOf } from '../support/bytes.ts'
import { landAll } from '../support/chunks.ts'
import { BUILT_PAGES, startService, type TestService } from '../support/service.ts'
import { createUpload, head, TUS } from '../support/tus.ts'
import { cut } from '../support/webuploader.ts'
import { connect, requestHead } from '../support/wire.ts'

const content = bytesOf(300_000)

let service: TestService
let base: string
beforeAll(async () => {
  service = await startService({ BASE_PATH: '/some/uploads' }, BUILT_PAGES)
  base = `${service.url}/some/uploads`
})
afterAll(() => service.close())

async function statusOf(path: string): Promise<number> {
  return (await fetch(service.url + path, { redirect: 'manual' })).status
}

describe('Below BASE_PATH', () => {
  it('tus clients upload to the URLs that Location names', async () => {
    const url = await new Promise<string | null>((resolve, reject) => {
      const upload = new Upload(content, {
        endpoint: `${base}/files`,
        chunkSize: 100_000,
        onSuccess: () => resolve(upload.url),
        onError: reject,
      })
      upload.start()
    })
    expect(url).toMatch(new RegExp(`^${base}/files/[0-9a-f]{32}$`))
    expect(Buffer.from(await (await fetch(url ?? '')).arrayBuffer()).equals(content)).toBe(true)
  })

  it('WebUploader pages upload, and receive the URL of the file', async () => {
    const last = await landAll(base, cut(content, 100_000))
    expect(last).toMatchObject({ finished: true, url: expect.stringMatching(/^\/some\/uploads\/files\//) })
  })

  it('the pages and everything that they load are served', async () => {
    for (const page of [`${base}/`, `${base}/legacy`]) {
      const html = await (await fetch(page)).text()
      const names = [...html.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, name = '']) => new URL(name, page).href)
      expect(names.length).toBeGreaterThan(3)
      for (const name of names) expect([name, (await fetch(name)).status]).toEqual([name, 200])
    }
  })

  it('the path without a slash leads to the page', async () => {
    const response = await fetch(`${base}?chunkSize=5`, { redirect: 'manual' })
    expect([response.status, response.headers.get('Location')]).toEqual([308, 'uploads/?chunkSize=5'])
    expect((await fetch(base)).url).toBe(`${base}/`)
  })

  it('requests that cannot be parsed receive the errors of their protocol', async () => {
    const wire = await connect(service.url)
    await wire.send(`POST /some/uploads/files HTTP/1.1\r\nHost: a\r\nTus-Resumable: 1.0.0\r\nContent-Length: x\r\n\r\n`)
    const answer = await wire.answer()
    expect([answer.status, answer.headers.get('Content-Type')]).toEqual([400, 'text/plain; charset=utf-8'])
    await wire.closed
  })

  it.each(['/healthz', '/livez', '/readyz'])('%s is answered with and without it', async (path) => {
    expect([await statusOf(path), await statusOf(`/some/uploads${path}`)]).toEqual([200, 200])
  })
})

describe('Outside of BASE_PATH', () => {
  it.each(['/', '/files', '/legacy', '/some', '/some/', '/some/uploadsfiles', '/some/uploads2/', '//some/uploads/'])(
    'there is nothing: %s',
    async (path) => {
      expect(await statusOf(path)).toBe(404)
    },
  )

  it('no upload is found', async () => {
    const { pathname } = new URL(await createUpload(base, 5))
    expect((await head(`${service.url}${pathname}`)).status).toBe(200)
    expect((await head(`${service.url}${pathname.replace('/some/uploads', '')}`)).status).toBe(404)
    const wire = await connect(service.url)
    await wire.send(requestHead('HEAD', `http://localhost${pathname}`, TUS))
    expect((await wire.answer('HEAD')).status).toBe(200)
    await wire.cut()
  })
})
