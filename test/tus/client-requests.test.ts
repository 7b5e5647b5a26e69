import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile } from '../support/stored-uploads.ts'
import { idOf } from '../support/tus.ts'
import { type Answer, codedPiece, connect } from '../support/wire.ts'
import { NAME, TUS_SENDERS } from './recorded-requests.ts'

const content = bytesOf(100_000)
const sha1 = createHash('sha1').update(content).digest('base64')
let service: TestService
beforeAll(async () => {
  service = await startService({ ALLOWED_ORIGINS: '*' })
})
afterAll(() => service.close())

/** Sends a request and expects this status. A client with `Expect: 100-continue` sends the body after the 100. */
async function send(lines: readonly string[], at: string, status: number, body = Buffer.alloc(0)): Promise<Answer> {
  const values: Readonly<Record<string, string>> = {
    host: new URL(service.url).host,
    path: new URL(at, service.url).pathname,
    size: String(content.length),
    sha1,
  }
  const head = lines.map((line) => line.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? ''))
  const wire = await connect(service.url)
  try {
    await wire.send(`${head.join('\r\n')}\r\n\r\n`)
    if (lines.includes('Expect: 100-continue')) expect((await wire.next()).status).toBe(100)
    const isCoded = lines.includes('Transfer-Encoding: chunked')
    await wire.send(...(isCoded ? [codedPiece(body), codedPiece(Buffer.alloc(0))] : [body]))
    const answer = await wire.answer(lines[0]?.split(' ')[0])
    expect({ status: answer.status, body: answer.body }).toMatchObject({ status })
    return answer
  } finally {
    await wire.cut()
  }
}

it.each(TUS_SENDERS)('$name creates, uploads, and queries the offset', async ({ options, create, upload, ask }) => {
  if (options !== undefined) expect((await send(options, '', 204)).headers.get('Tus-Version')).toBe('1.0.0')
  const location = (await send(create, '', 201)).headers.get('Location') ?? ''
  const uploaded = await send(upload, location, 204, content)
  expect(uploaded.headers.get('Upload-Offset')).toBe(String(content.length))
  expect((await send(ask, location, 200)).headers.get('Upload-Offset')).toBe(String(content.length))
  const url = new URL(location, service.url).href
  await expectFile(service, url, content)
  expect(await readFile(path.join(service.dataDir, 'files', idOf(url), NAME))).toHaveLength(content.length)
})
