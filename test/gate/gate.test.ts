/** What clients of every dialect see of a file that a scanner has to pass. */
import { readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { SignJWT } from 'jose'
import { DRAFT, append as draftAppend, create as draftCreate } from '../support/draft.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile } from '../support/stored-uploads.ts'
import { create, createUpload, head, idOf, locationOf, patch } from '../support/tus.ts'
import { complete, cut, sendChunk } from '../support/webuploader.ts'
import { until } from '../support/wire.ts'
import { type Answer, type HttpScanner, httpScanner } from './http-scanner.ts'

const HELLO = Buffer.from('Hello, world!')
const SECRET = 'a secret of the application, long enough'

/** A service, and its scanner. */
class Stage {
  readonly scanner: HttpScanner
  service: TestService

  private constructor(scanner: HttpScanner, service: TestService) {
    this.scanner = scanner
    this.service = service
  }

  static async open(answer: Answer, settings: Readonly<Record<string, string>>): Promise<Stage> {
    const scanner = await httpScanner(answer)
    return new Stage(scanner, await startService({ SCAN_URL: scanner.url, ...settings }))
  }

  async restart(): Promise<void> {
    this.service = await this.service.restart()
  }

  async close(): Promise<void> {
    await this.service.close()
    await this.scanner.close()
  }

  filesIn(folder: string): Promise<string[]> {
    return readdir(path.join(this.service.dataDir, folder))
  }

  async upload(content: Buffer<ArrayBuffer> = HELLO): Promise<{ url: string; response: Response }> {
    const url = await createUpload(this.service.url, content.length, { filename: 'hello.txt' })
    return { url, response: await patch(url, 0, content) }
  }

  async recordOf(url: string): Promise<Readonly<Record<string, unknown>>> {
    const id = idOf(url)
    const text = await readFile(path.join(this.service.dataDir, 'records', id.slice(0, 2), `${id}.json`), 'utf8')
    return JSON.parse(text.slice(0, text.indexOf('\n')))
  }
}

/** A test with its own stage: tests wait for seconds, so those of a block run concurrently. */
function onStage(
  answer: Answer,
  work: (stage: Stage) => Promise<void>,
  settings: Readonly<Record<string, string>> = {},
): () => Promise<void> {
  return async () => {
    const stage = await Stage.open(answer, settings)
    try {
      await work(stage)
    } finally {
      await stage.close()
    }
  }
}

/** Waits until the file can be read: a busy host may be slower than the requests that wait for the scan. */
function visible(url: string): Promise<void> {
  return until(async () => (await fetch(url)).status === 200)
}

describe('A clean file', () => {
  it.concurrent(
    'is scanned as a whole, with its facts, before it becomes visible',
    onStage('clean', async (stage) => {
      const { url, response } = await stage.upload()
      expect(response.status).toBe(204)
      await visible(url)
      await expectFile(stage.service, url, HELLO)
      expect(stage.scanner.received.map(({ text }) => text)).toEqual(['Hello, world!'])
      expect(stage.scanner.received[0]?.headers).toMatchObject({
        'upload-id': idOf(url),
        'upload-name': 'hello.txt',
        'content-length': '13',
      })
      expect(await stage.recordOf(url)).toMatchObject({ scan: 'clean' })
    }),
  )

  it.concurrent(
    'is scanned also if it arrives with its creation',
    onStage('clean', async (stage) => {
      const response = await create(
        stage.service.url,
        { 'Upload-Length': '13', 'Content-Type': 'application/offset+octet-stream' },
        HELLO,
      )
      expect(response.status).toBe(201)
      await visible(locationOf(response, stage.service.url))
      await expectFile(stage.service, locationOf(response, stage.service.url), HELLO)
      expect(stage.scanner.received).toHaveLength(1)
    }),
  )

  it.concurrent(
    'is scanned also if it is empty',
    onStage('clean', async (stage) => {
      const response = await create(stage.service.url, { 'Upload-Length': '0' })
      expect(response.status).toBe(201)
      await visible(locationOf(response, stage.service.url))
      expect(stage.scanner.received.map(({ text }) => text)).toEqual([''])
    }),
  )

  it.concurrent(
    'is scanned once, whole, if it is larger than any buffer',
    onStage('clean', async (stage) => {
      const content = Buffer.from('abcdefghijklmnop'.repeat(500_000))
      const { url } = await stage.upload(content)
      await expectFile(stage.service, url, content)
      expect(stage.scanner.received.map(({ text }) => text === content.toString())).toEqual([true])
    }),
  )

  it.concurrent(
    'is scanned as a final upload, not in its parts',
    onStage('clean', async (stage) => {
      const parts: string[] = []
      for (const text of ['Hello, ', 'world!']) {
        const made = await create(stage.service.url, {
          'Upload-Length': String(text.length),
          'Upload-Concat': 'partial',
        })
        const part = locationOf(made, stage.service.url)
        expect((await patch(part, 0, Buffer.from(text))).status).toBe(204)
        parts.push(part)
      }
      expect(stage.scanner.received).toEqual([])
      const made = await create(stage.service.url, { 'Upload-Concat': `final;${parts.join(' ')}` })
      expect(made.status).toBe(201)
      await expectFile(stage.service, locationOf(made, stage.service.url), HELLO)
      expect(stage.scanner.received.map(({ text }) => text)).toEqual(['Hello, world!'])
    }),
  )
})

describe('A file without a verdict', () => {
  it.concurrent(
    'is complete for a client of tus, but cannot be read',
    onStage('silent', async (stage) => {
      const { url, response } = await stage.upload()
      expect(response.status).toBe(204)
      expect(response.headers.get('Upload-Offset')).toBe('13')
      const state = await head(url)
      expect(state.status).toBe(200)
      expect(state.headers.get('Upload-Offset')).toBe('13')
      const download = await fetch(url)
      expect(download.status).toBe(409)
      expect(await download.text()).toBe('This file is still being checked; try again in a moment.\n')
      expect(download.headers.get('Upload-Error')).toBe('scanning')
      expect(await stage.filesIn('files')).toEqual([])
      stage.scanner.answer('clean')
      await until(async () => (await fetch(url)).status === 200)
    }),
  )

  it.concurrent(
    'is incomplete for an observer',
    onStage('silent', async (stage) => {
      const { url } = await stage.upload()
      const state = await fetch(url, { method: 'HEAD' })
      expect([state.status, state.headers.get('Upload-Complete')]).toEqual([204, '?0'])
    }),
  )

  it.concurrent(
    'is a complete final upload for a client of tus',
    onStage('silent', async (stage) => {
      const made = await create(stage.service.url, { 'Upload-Length': '5', 'Upload-Concat': 'partial' })
      await patch(locationOf(made, stage.service.url), 0, Buffer.from('Hello'))
      const final = await create(stage.service.url, { 'Upload-Concat': `final;${locationOf(made, stage.service.url)}` })
      expect(final.status).toBe(201)
      const state = await head(locationOf(final, stage.service.url))
      expect([state.status, state.headers.get('Upload-Offset')]).toEqual([200, '5'])
      expect((await fetch(locationOf(final, stage.service.url))).status).toBe(409)
    }),
  )

  it.concurrent(
    'keeps a client of the draft waiting, and is incomplete for its HEAD',
    onStage('silent', async (stage) => {
      const url = new URL(
        (await draftCreate(stage.service.url, false)).headers.get('Location') ?? '',
        stage.service.url,
      ).href
      const appended = draftAppend(url, 0, true, HELLO)
      await until(async () => stage.scanner.received.length === 1)
      const state = await fetch(url, { method: 'HEAD', headers: DRAFT })
      expect([state.status, state.headers.get('Upload-Complete'), state.headers.get('Upload-Offset')]).toEqual([
        204,
        '?0',
        '13',
      ])
      stage.scanner.answer('clean')
      const response = await appended
      expect([response.status, response.headers.get('Upload-Complete')]).toEqual([201, '?1'])
    }),
  )

  it.concurrent(
    'is not finished for a legacy page, which asks again',
    onStage('silent', async (stage) => {
      const file = cut(HELLO, 7, { task_id: 'task-of-a-page' })
      const query = { task_id: 'task-of-a-page', filename: 'big.bin' }
      expect(await (await sendChunk(stage.service.url, file.fields(0), file.bytes(0))).json()).toMatchObject({
        ok: true,
      })
      const last = await sendChunk(stage.service.url, file.fields(1), file.bytes(1))
      expect(last.status).toBe(200)
      expect(await last.json()).toMatchObject({ ok: true, received: 13, finished: false })
      const early = await complete(stage.service.url, query)
      expect(early.status).toBe(409)
      expect(await early.json()).toMatchObject({ ok: false, error: { code: 'scanning' } })
      stage.scanner.answer('clean')
      expect(await (await complete(stage.service.url, query)).json()).toMatchObject({ ok: true, size: 13 })
    }),
  )

  it.concurrent(
    'is scanned again after a restart',
    onStage('silent', async (stage) => {
      const { url } = await stage.upload()
      await stage.restart()
      expect(await stage.filesIn('files')).toEqual([])
      await until(async () => stage.scanner.received.length >= 2)
      stage.scanner.answer('clean')
      await until(async () => (await fetch(stage.service.url + new URL(url).pathname)).status === 200)
    }),
  )

  it.concurrent(
    'counts as complete for clients that may delete unfinished uploads only',
    onStage('silent', async (stage) => {
      const { url } = await stage.upload()
      // Without the header of tus, DELETE follows the draft.
      expect((await fetch(url, { method: 'DELETE' })).status).toBe(400)
      stage.scanner.answer('clean')
      await visible(url)
    }),
  )

  it.concurrent(
    'can be deleted',
    onStage('silent', async (stage) => {
      const { url } = await stage.upload()
      expect((await fetch(url, { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' } })).status).toBe(204)
      expect((await fetch(url)).status).toBe(410)
      stage.scanner.answer('clean')
      expect(await stage.filesIn('files')).toEqual([])
      expect(await stage.filesIn('incoming')).toEqual([])
    }),
  )

  it.concurrent(
    'does not expire',
    onStage(
      'silent',
      async (stage) => {
        const { url } = await stage.upload()
        const idle = await createUpload(stage.service.url, 1)
        await until(async () => (await head(idle)).status !== 200)
        stage.scanner.answer('clean')
        await until(async () => (await fetch(url)).status === 200)
      },
      { EXPIRES_AFTER: '1' },
    ),
  )
})

describe('A file that no scanner can answer for', () => {
  it.concurrent(
    'stays pending, and becomes visible when the scanner is back',
    onStage('broken', async (stage) => {
      const { url, response } = await stage.upload()
      expect(response.status).toBe(204)
      expect((await fetch(url)).status).toBe(409)
      stage.scanner.answer('clean')
      // Requests never make the service ask earlier.
      const asked = stage.scanner.received.length
      for (let i = 0; i < 5; i += 1) await head(url)
      expect(stage.scanner.received).toHaveLength(asked)
      await until(async () => (await fetch(url)).status === 200)
      expect(stage.scanner.received).toHaveLength(asked + 1)
    }),
  )

  it.concurrent(
    'stays pending when the scan takes too long',
    onStage(
      'silent',
      async (stage) => {
        const { url } = await stage.upload()
        await until(async () => stage.scanner.received.length >= 2)
        expect((await fetch(url)).status).toBe(409)
        expect(await stage.filesIn('files')).toEqual([])
      },
      { SCAN_TIMEOUT: '1' },
    ),
  )
})

describe('A rejected file', () => {
  it.concurrent(
    'fails for a client of tus, with a sentence that tells nothing of the scanner',
    onStage('rejected', async (stage) => {
      const { url, response } = await stage.upload()
      expect(response.status).toBe(422)
      expect(await response.text()).toBe('This file did not pass the security scan.\n')
      const download = await fetch(url)
      expect([download.status, await download.text()]).toEqual([422, 'This file did not pass the security scan.\n'])
      expect((await fetch(url, { method: 'HEAD' })).status).toBe(422)
    }),
  )

  it.concurrent(
    'is not sent again by tus-js-client, which gives up at 423 only',
    onStage('rejected', async (stage) => {
      const { url } = await stage.upload()
      const state = await head(url)
      expect([state.status, state.headers.get('Upload-Error')]).toEqual([423, 'rejected'])
    }),
  )

  it.concurrent(
    'is in the quarantine, where only the operator can read it',
    onStage('rejected', async (stage) => {
      const { url } = await stage.upload()
      const place = path.join(stage.service.dataDir, 'quarantine', `${idOf(url)}.rejected`)
      expect(await readFile(place, 'utf8')).toBe('Hello, world!')
      expect((await stat(place)).mode & 0o777).toBe(0o600)
      expect(await stage.filesIn('files')).toEqual([])
      expect((await stat(path.join(stage.service.dataDir, 'incoming', idOf(url)))).size).toBe(0)
      const digest = await fetch(`${url}/digest?start=0&end=5`)
      expect(digest.status).toBe(422)
    }),
  )

  it.concurrent(
    'stays rejected after a restart, without another scan',
    onStage('rejected', async (stage) => {
      const { url } = await stage.upload()
      await stage.restart()
      expect((await fetch(stage.service.url + new URL(url).pathname)).status).toBe(422)
      expect(stage.scanner.received).toHaveLength(1)
    }),
  )

  it.concurrent(
    'leaves the quarantine when its upload is deleted',
    onStage('rejected', async (stage) => {
      const { url } = await stage.upload()
      expect(await stage.filesIn('quarantine')).toHaveLength(1)
      await fetch(url, { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' } })
      expect(await stage.filesIn('quarantine')).toEqual([])
    }),
  )

  it.concurrent(
    'makes room in the quarantine by removing the oldest',
    onStage(
      'rejected',
      async (stage) => {
        const ids: string[] = []
        for (let i = 0; i < 3; i += 1) ids.push(`${idOf((await stage.upload()).url)}.rejected`)
        expect((await stage.filesIn('quarantine')).sort()).toEqual(ids.slice(1).sort())
      },
      { QUARANTINE_SIZE: '30' },
    ),
  )

  it.concurrent(
    'fails for a client of the draft',
    onStage('rejected', async (stage) => {
      const response = await draftCreate(stage.service.url, true, HELLO)
      expect(response.status).toBe(422)
      expect(await response.json()).toMatchObject({ code: 'rejected' })
      expect(response.headers.get('Upload-Complete')).toBe('?1')
    }),
  )

  it.concurrent(
    'fails if it arrives with its creation',
    onStage('rejected', async (stage) => {
      const response = await create(
        stage.service.url,
        { 'Upload-Length': '13', 'Content-Type': 'application/offset+octet-stream' },
        HELLO,
      )
      expect(response.status).toBe(422)
      expect(await stage.filesIn('files')).toEqual([])
    }),
  )

  it.concurrent(
    'fails as a final upload, and leaves no bytes of its parts',
    onStage('rejected', async (stage) => {
      const parts: string[] = []
      for (const text of ['Hello, ', 'world!']) {
        const made = await create(stage.service.url, {
          'Upload-Length': String(text.length),
          'Upload-Concat': 'partial',
        })
        parts.push(locationOf(made, stage.service.url))
        await patch(locationOf(made, stage.service.url), 0, Buffer.from(text))
      }
      const made = await create(stage.service.url, { 'Upload-Concat': `final;${parts.join(' ')}` })
      expect(made.status).toBe(422)
      const sizes = (await stage.filesIn('incoming')).map(
        async (name) => (await stat(path.join(stage.service.dataDir, 'incoming', name))).size,
      )
      expect((await Promise.all(sizes)).filter((size) => size > 0)).toEqual([])
    }),
  )

  it.concurrent(
    'fails for a legacy page, which cannot begin it anew by sending a chunk again',
    onStage('rejected', async (stage) => {
      const file = cut(HELLO, 7, { task_id: 'task-of-a-page' })
      await sendChunk(stage.service.url, file.fields(0), file.bytes(0))
      for (const chunk of [1, 1, 0]) {
        const response = await sendChunk(stage.service.url, file.fields(chunk), file.bytes(chunk))
        expect(response.status).toBe(409)
        expect(await response.json()).toMatchObject({ ok: false, error: { code: 'rejected' } })
      }
      const answer = await complete(stage.service.url, { task_id: 'task-of-a-page', filename: 'big.bin' })
      expect(answer.status).toBe(409)
      expect(await answer.json()).toMatchObject({ error: { code: 'rejected' } })
      expect(stage.scanner.received).toHaveLength(1)
      expect(await stage.filesIn('incoming')).toHaveLength(1)
    }),
  )
})

describe('The bytes of a file without a verdict', () => {
  it.concurrent(
    'have no digests, whatever the client may do',
    onStage(
      'silent',
      async (stage) => {
        const token = (may: readonly string[]): Promise<string> =>
          new SignJWT({ landfall: { may } })
            .setProtectedHeader({ alg: 'HS256' })
            .setSubject('somebody')
            .setExpirationTime('1h')
            .sign(new TextEncoder().encode(SECRET))
        const writer = { Authorization: `Bearer ${await token(['create', 'write', 'read'])}` }
        const reader = { Authorization: `Bearer ${await token(['read'])}` }
        const made = await create(
          stage.service.url,
          { 'Upload-Length': '13', 'Content-Type': 'application/offset+octet-stream', ...writer },
          HELLO,
        )
        const url = locationOf(made, stage.service.url)
        const digest = (headers: Readonly<Record<string, string>>): Promise<number> =>
          fetch(`${url}/digest?start=0&end=5`, { headers }).then(({ status }) => status)
        expect([await digest(writer), await digest(reader)]).toEqual([423, 423])
        stage.scanner.answer('clean')
        await until(async () => (await digest(reader)) === 200)
        expect(await digest(writer)).toBe(200)
      },
      { AUTH: 'jwt', JWT_SECRET: SECRET },
    ),
  )
})
