import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { answerOf } from '../support/chunks.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { freePort } from '../support/free-port.ts'
import { runNginx } from '../support/nginx.ts'
import { startService, type TestService } from '../support/service.ts'
import { createUpload, head, patch } from '../support/tus.ts'
import { cut, sendChunk } from '../support/webuploader.ts'

const PAGE = fileURLToPath(new URL('../../docs/migrate/side-by-side.md', import.meta.url))

let folder: TemporaryFolder
let service: TestService
let old: http.Server
/** The URL of nginx. */
let base: string
let stop: () => Promise<void>
beforeEach(async () => {
  folder = await temporaryFolder()
  old = http.createServer((request, response) => response.end(`old backend: ${request.url}`)).listen(0, '127.0.0.1')
  await once(old, 'listening')
  const address = old.address()
  const oldPort = typeof address === 'object' ? address?.port : undefined
  const port = await freePort()
  base = `http://127.0.0.1:${port}`
  service = await startService({ TRUST_PROXY: 'true', PUBLIC_URL: base })
  stop = await runNginx(folder.path, await configuration(port, oldPort), port)
})
afterEach(async () => {
  await stop()
  await service.close()
  old.closeAllConnections()
  await new Promise((resolve) => old.close(resolve))
  await folder.dispose()
})

/** The recipe of the page, on the ports of this test. */
async function configuration(port: number, oldPort: number | undefined): Promise<string> {
  const [, recipe = ''] = /```nginx\n(server \{\n[\s\S]*?)```/.exec(await readFile(PAGE, 'utf8')) ?? []
  const server = recipe
    .replace('listen 80;', `listen 127.0.0.1:${port};`)
    .replaceAll('http://127.0.0.1:1080', service.url)
    .replaceAll('http://127.0.0.1:8000', `http://127.0.0.1:${oldPort}`)
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder.path}/${name};`,
  )
  return `pid ${folder.path}/nginx.pid; events {} http { access_log off; ${places.join(' ')} ${server} }`
}

describe('The recipe of docs/migrate/side-by-side.md', () => {
  it('passes uploads of tus clients to Landfall, and everything else to the old backend', async () => {
    const content = bytesOf(3_000_000)
    const url = await createUpload(base, content.length, { filename: 'a.bin' })
    expect(url.startsWith(`${base}/files/`)).toBe(true)
    expect((await patch(url, 0, content)).status).toBe(204)
    expect(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(content)).toBe(true)
    for (const path of ['/', '/upload/other', '/filesystem', '/checkout']) {
      expect(await (await fetch(`${base}${path}`)).text()).toBe(`old backend: ${path}`)
    }
  })

  it('passes the requests of WebUploader pages to Landfall', async () => {
    const file = cut(bytesOf(250_000), 100_000)
    for (let chunk = 0; chunk < file.count; chunk++) {
      const answer = await answerOf(await sendChunk(base, file.fields(chunk), file.bytes(chunk)))
      expect(answer.ok).toBe(true)
    }
    const complete = await fetch(`${base}/upload/complete?task_id=${file.common.task_id}&filename=${file.common.name}`)
    expect(await complete.json()).toMatchObject({ ok: true, name: file.common.name, size: 250_000 })
    expect((await fetch(`${base}/check`, { method: 'POST' })).status).toBe(200)
  })

  it('answers 423 to HEAD and 503 to other requests while Landfall is down', async () => {
    const url = await createUpload(base, 10)
    const restarted = await service.restart()
    service = restarted
    expect((await head(url)).status).toBe(423)
    expect((await patch(url, 0, Buffer.from('0123456789'))).status).toBe(503)
  })
})
