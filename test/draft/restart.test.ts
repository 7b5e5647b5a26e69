import { mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { append, ask, beginAppend, createUpload, DRAFT, expectComplete, received, stateOf } from '../support/draft.ts'
import { type Program, startProgram } from '../support/program.ts'
import { type Landfall, startLandfall } from '../support/restartable-program.ts'
import { startService, type TestService } from '../support/service.ts'
import { expectFile, expectNoBytes } from '../support/stored-uploads.ts'
import { head, idOf } from '../support/tus.ts'
import { connect, requestHead, until, urlIn } from '../support/wire.ts'

const content = bytesOf(300_000)
const LENGTH = { 'Upload-Length': String(content.length) }

describe('After a restart', () => {
  let service: TestService
  beforeEach(async () => {
    service = await startService()
  })
  afterEach(() => service.close())

  /** Stops and starts the service. @returns the URL of the same upload. */
  async function again(url: string): Promise<string> {
    service = await service.restart()
    return `${service.url}/files/${idOf(url)}`
  }

  it.each<[string, number, Readonly<Record<string, string>>]>([
    ['without a byte', 0, {}],
    ['without a byte, its length said', 0, LENGTH],
    ['with some bytes', 1000, {}],
    ['with some bytes, its length said', 1000, LENGTH],
    ['with all bytes and no announced end', content.length, {}],
    ['with all bytes of its length and no announced end', content.length, LENGTH],
  ])('an upload resumes: %s', async (_, offset, length) => {
    const url = await again(await createUpload(service.url, content.subarray(0, offset), length))
    const reported = await ask('HEAD', url)
    expect([reported.headers.get('Upload-Offset'), reported.headers.get('Upload-Complete')]).toEqual([
      String(offset),
      '?0',
    ])
    expect(reported.headers.get('Upload-Length')).toBe(length['Upload-Length'] ?? null)
    expectComplete(await append(url, offset, true, content.subarray(offset)))
    await expectFile(service, url, content)
    expect(await stateOf(await again(url))).toEqual([String(content.length), '?1'])
  })

  it('an upload whose bytes are all there waits for its end, or for a client of tus', async () => {
    const url = await again(await createUpload(service.url, content, LENGTH))
    expect((await ask('GET', url, {})).status).toBe(404)
    expect((await head(url)).status).toBe(200)
    await expectFile(service, url, content)
  })

  it('a complete upload returns the same response to its last append, and stays', async () => {
    const first = await createUpload(service.url, content)
    expectComplete(await append(first, content.length, true))
    const url = await again(first)
    expectComplete(await append(url, content.length, true))
    expect((await append(url, content.length, false)).status).toBe(400)
    expect((await ask('DELETE', url)).status).toBe(400)
    await expectFile(service, url, content)
  })

  it('an invalid upload stays invalid, and can be deleted', async () => {
    const made = await createUpload(service.url, undefined, { 'Upload-Length': '5' })
    const wire = await connect(service.url)
    const fields = {
      ...DRAFT,
      'Content-Type': 'application/partial-upload',
      'Upload-Offset': 0,
      'Upload-Complete': '?0',
    }
    await wire.send(
      requestHead('PATCH', new URL(made).pathname, { ...fields, 'Transfer-Encoding': 'chunked' }),
      '6\r\nabcdef\r\n0\r\n\r\n',
    )
    expect((await wire.answer()).status).toBe(400)
    await wire.cut()
    const url = await again(made)
    expect((await ask('HEAD', url)).status).toBe(400)
    expect((await append(url, 5, true)).status).toBe(400)
    expect((await ask('DELETE', url)).status).toBe(204)
    await expectNoBytes(service, url)
  })

  it('an upload with a wrong digest stays failed, for clients of both protocols', async () => {
    const wrong = { 'Repr-Digest': 'sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:' }
    const made = await createUpload(service.url, content, wrong)
    const failed = await append(made, content.length, true)
    expect([failed.status, failed.headers.get('Upload-Complete')]).toEqual([422, '?1'])
    expect(await failed.json()).toMatchObject({ code: 'digest_mismatch' })
    const url = await again(made)
    expect((await ask('HEAD', url)).status).toBe(422)
    expect((await head(url)).status).toBe(422)
    expect((await append(url, content.length, true)).status).toBe(422)
  })
})

it('Offset retrieval on a busy upload returns 5xx to a client of the draft, and 423 to tus-js-client', async () => {
  const service = await startService()
  try {
    const url = await createUpload(service.url, content)
    const file = path.join(service.dataDir, 'incoming', idOf(url))
    await rename(file, `${file}.away`)
    expect((await append(url, content.length, true)).status).toBe(503)
    expect((await ask('HEAD', url)).status).toBe(503)
    for (const version of ['5', '6']) {
      expect((await ask('HEAD', url, { 'Upload-Draft-Interop-Version': version })).status).toBe(423)
    }
    await rename(`${file}.away`, file)
    expect(await stateOf(url)).toEqual([String(content.length), '?1'])
    await expectFile(service, url, content)
  } finally {
    await service.close()
  }
})

describe('Expiration', () => {
  let service: TestService
  afterEach(() => service.close())

  it('is reported as max-age, and removes uploads without an announced end, never complete ones', async () => {
    service = await startService({ EXPIRES_AFTER: '1' })
    const waiting = await createUpload(service.url, content, LENGTH)
    const complete = await createUpload(service.url, content)
    expectComplete(await append(complete, content.length, true))
    expect((await ask('HEAD', complete)).headers.get('Upload-Limit')).toBe('min-size=0')
    await until(async () => (await ask('HEAD', waiting)).status === 410)
    expect((await append(waiting, content.length, true)).status).toBe(410)
    await until(async () => (await fetch(waiting)).status === 410)
    await expectFile(service, complete, content)
  })

  it('is deferred by each byte', async () => {
    service = await startService({ EXPIRES_AFTER: '1000', MAX_SIZE: '1000000' })
    const url = await createUpload(service.url)
    const age = async (): Promise<number> => {
      const limits = (await ask('HEAD', url)).headers.get('Upload-Limit') ?? ''
      expect(limits).toMatch(/^max-size=1000000, max-age=\d+$/)
      return Number(limits.split('=')[2])
    }
    await until(async () => (await age()) < 999)
    await append(url, 0, false, content)
    expect(await age()).toBeGreaterThanOrEqual(998)
  })
})

describe('The program, after a kill in the middle', () => {
  let landfall: Landfall
  beforeEach(async () => {
    landfall = await startLandfall()
  })
  afterEach(() => landfall.dispose())

  it.each([true, false])(
    'of an append (with its length: %s), keeps what arrived, and the client resumes',
    async (said) => {
      const url = await createUpload(landfall.url, undefined, said ? LENGTH : {})
      let offset = 0
      for (let i = 1; i < 4; i++) {
        const sent = i * 70_000
        const wire = await beginAppend(url, offset, true, content.length - offset, content.subarray(offset, sent))
        await received(url, sent)
        await landfall.kill()
        await wire.closed
        await landfall.startAgain()
        expect(await stateOf(url)).toEqual([String(sent), '?0'])
        offset = sent
      }
      expectComplete(await append(url, offset, true, content.subarray(offset)))
      await expectFile(landfallService(landfall), url, content)
    },
  )

  it('of a creation, has the upload that its 104 named', async () => {
    const wire = await connect(landfall.url)
    const fields = { ...DRAFT, 'Upload-Complete': '?1', 'Content-Length': content.length }
    await wire.send(requestHead('POST', '/files', fields), content.subarray(0, 100_000))
    const url = urlIn(await wire.next(), landfall.url)
    await received(url, 100_000)
    await landfall.kill()
    await wire.closed
    await landfall.startAgain()
    const reported = await ask('HEAD', url)
    expect(reported.headers.get('Upload-Length')).toBe(String(content.length))
    expectComplete(await append(url, 100_000, true, content.subarray(100_000)))
    await expectFile(landfallService(landfall), url, content)
  })
})

/** The parts of a service that `expectFile` needs. */
function landfallService({ url, dataDir }: Landfall): TestService {
  return { url, dataDir, restart: () => Promise.reject(new Error('not here')), close: () => Promise.resolve() }
}

describe('The program, after a kill while it completes an upload', () => {
  const main = fileURLToPath(new URL('../support/program-with-stops.mjs', import.meta.url))
  let folder: string
  let program: Program | undefined
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'landfall-test-'))
  })
  afterEach(async () => {
    await program?.end('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  })

  it.each(['record:replaced', 'finish:synced', 'finish:renamed'])(
    'at %s, accepts the last append again, and has the file once',
    async (step) => {
      program = await startProgram({ DATA_DIR: folder, STOP_AT: step }, main)
      const made = await createUpload(program.url, content)
      await append(made, content.length, true).catch(() => undefined)
      program = await startProgram({ DATA_DIR: folder }, main)
      const url = `${program.url}/files/${idOf(made)}`
      const [offset] = await stateOf(url)
      expect(offset).toBe(String(content.length))
      expectComplete(await append(url, content.length, true))
      expect((await readFile(path.join(folder, 'files', idOf(url), 'file'))).equals(content)).toBe(true)
    },
  )
})
