import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { landAll } from '../support/chunks.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { beginPatch, createUpload, idOf, offsetOf, patch, reached, TUS } from '../support/tus.ts'
import { cut, rawChunk } from '../support/webuploader.ts'
import { connect, requestHead, until, type Wire } from '../support/wire.ts'

const content = bytesOf(1_000_000)
const HALF = 400_000
/** Longer than a test may take, so a test that waits for it fails. */
const FOR_EVER = '3600'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let programs: Program[]
let wires: Wire[]
beforeEach(async () => {
  folder = await temporaryFolder()
  programs = []
  wires = []
})
afterEach(async () => {
  await Promise.all(wires.map((wire) => wire.cut()))
  await Promise.all(programs.map((program) => program.end('SIGKILL')))
  await folder.dispose()
})

async function begin(settings: Readonly<Record<string, string>> = {}): Promise<Program> {
  const program = await startProgram({ DATA_DIR: folder.path, ...settings })
  programs.push(program)
  return program
}

async function open(base: string): Promise<Wire> {
  const wire = await connect(base)
  wires.push(wire)
  return wire
}

/** A PATCH of which the first part has arrived. */
async function beginHalf(base: string): Promise<{ readonly url: string; readonly wire: Wire }> {
  const url = await createUpload(base, content.length)
  const wire = await open(base)
  await beginPatch(wire, url, 0, content.length, content.subarray(0, HALF))
  await reached(url, HALF)
  return { url, wire }
}

/** Waits until the program accepts no new connection. */
function refused(base: string): Promise<void> {
  return until(async () => {
    const wire = await connect(base).catch(() => undefined)
    await wire?.cut()
    return wire === undefined
  })
}

/** A connection with a request that the program has begun to read: the previous one was answered. */
async function openWithBegunRequest(base: string, first: string): Promise<Wire> {
  const wire = await open(base)
  await wire.send(requestHead('GET', '/healthz', {}), first)
  expect((await wire.answer()).status).toBe(200)
  return wire
}

describe('At SIGTERM', () => {
  it('idle connections end at once, used or not, and so does the program', async () => {
    const program = await begin({ DRAIN: FOR_EVER })
    const used = await open(program.url)
    await used.send(requestHead('GET', '/healthz', {}))
    expect((await used.answer()).headers.get('Connection')).toBe('keep-alive')
    const unused = await open(program.url)
    const end = program.end('SIGTERM')
    await Promise.all([used.closed, unused.closed])
    expect(await end).toBe(0)
  })

  it('the program is no longer ready, and accepts no new requests on open connections', async () => {
    const program = await begin({ DRAIN: FOR_EVER })
    const { url, wire } = await beginHalf(program.url)
    const { pathname } = new URL(url)
    const cases = [
      ['GET /readyz HTTP/1.1', '', 503],
      ['GET /healthz HTTP/1.1', '', 200],
      ['POST /files HTTP/1.1', 'Tus-Resumable: 1.0.0\r\nUpload-Length: 5\r\n', 503],
      [`PATCH ${pathname} HTTP/1.1`, 'Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Length: 3\r\n', 503],
      [`DELETE ${pathname} HTTP/1.1`, 'Tus-Resumable: 1.0.0\r\n', 503],
      // WebUploader up to 0.1.6 abandons a file on 5xx.
      ['POST /upload/accept HTTP/1.1', 'Content-Length: 3\r\n', 409],
      [`HEAD ${pathname} HTTP/1.1`, 'Tus-Resumable: 1.0.0\r\n', 200],
    ] as const
    const begun = await Promise.all(cases.map(([line]) => openWithBegunRequest(program.url, `${line}\r\n`)))
    const end = program.end('SIGTERM')
    await refused(program.url)
    for (const [index, [line, headers, status]] of cases.entries()) {
      const late = begun[index]
      await late?.send(`Host: localhost\r\n${headers}\r\n`)
      const answer = await late?.answer(line.split(' ')[0])
      expect([line, answer?.status, answer?.headers.get('Connection')]).toEqual([line, status, 'close'])
      // Refused bytes do not count, but are read for a while, so the client sees the response.
      if (headers.includes('Content-Length')) await late?.send('123')
      await late?.closed
    }
    await wire.send(content.subarray(HALF))
    const answer = await wire.answer()
    expect([answer.status, answer.headers.get('Connection')]).toEqual([204, 'close'])
    expect(await end).toBe(0)
  })

  it('a download continues to its end', async () => {
    const program = await begin({ DRAIN: FOR_EVER })
    const large = bytesOf(48 * 1024 * 1024)
    const url = await createUpload(program.url, large.length)
    expect((await patch(url, 0, large)).status).toBe(204)
    const response = await fetch(url)
    const end = program.end('SIGTERM')
    await refused(program.url)
    expect(Buffer.from(await response.arrayBuffer()).equals(large)).toBe(true)
    expect(await end).toBe(0)
  })
})

describe('During SHUTDOWN_DELAY', () => {
  it('/readyz reports 503, while new connections and uploads are accepted', async () => {
    const program = await begin({ SHUTDOWN_DELAY: FOR_EVER })
    const { url, wire } = await beginHalf(program.url)
    program.process.kill('SIGTERM')
    await until(async () => (await fetch(`${program.url}/readyz`)).status === 503)
    expect((await fetch(`${program.url}/livez`)).status).toBe(200)
    await wire.send(content.subarray(HALF))
    expect((await wire.answer()).status).toBe(204)
    const other = await createUpload(program.url, HALF)
    expect((await patch(other, 0, content.subarray(0, HALF))).status).toBe(204)
    expect((await fetch(url, { method: 'DELETE', headers: TUS })).status).toBe(204)
    // A second signal stops at once.
    expect(await program.end('SIGTERM')).toBe(1)
  })

  it('running requests have DRAIN after it', async () => {
    const program = await begin({ SHUTDOWN_DELAY: '1', DRAIN: FOR_EVER })
    const { wire } = await beginHalf(program.url)
    const end = program.end('SIGTERM')
    await refused(program.url)
    await wire.send(content.subarray(HALF))
    expect((await wire.answer()).status).toBe(204)
    expect(await end).toBe(0)
  })
})

describe('After DRAIN', () => {
  it('a running PATCH receives its offset, and resumes after the restart', async () => {
    const program = await begin({ DRAIN: '1' })
    const { url, wire } = await beginHalf(program.url)
    const end = program.end('SIGTERM')
    const answer = await wire.answer()
    expect([answer.status, answer.headers.get('Upload-Offset')]).toEqual([503, String(HALF)])
    expect(await end).toBe(0)
    const next = `${(await begin()).url}/files/${idOf(url)}`
    expect(await offsetOf(next)).toBe(HALF)
    expect((await patch(next, HALF, content.subarray(HALF))).status).toBe(204)
    expect(Buffer.from(await (await fetch(next)).arrayBuffer()).equals(content)).toBe(true)
  })

  it('a download whose client reads nothing is cut off', async () => {
    const program = await begin({ DRAIN: '0' })
    const large = bytesOf(48 * 1024 * 1024)
    const url = await createUpload(program.url, large.length)
    expect((await patch(url, 0, large)).status).toBe(204)
    const response = await fetch(url)
    expect(await program.end('SIGTERM')).toBe(0)
    await expect(response.arrayBuffer()).rejects.toThrow()
    expect((await fetch(`${(await begin()).url}/files/${idOf(url)}`)).status).toBe(200)
  })

  it('chunks are refused for a retry, also those that wait for another copy, and are accepted after the restart', async () => {
    const program = await begin({ DRAIN: '1' })
    const file = cut(content, HALF)
    const { head, body } = rawChunk(file, 1)
    const older = await open(program.url)
    await older.send(head, body.subarray(0, HALF / 2))
    const probe = await openWithBegunRequest(program.url, '')
    const newer = await open(program.url)
    await newer.send(head, body)
    await probe.send(requestHead('GET', '/healthz', {}))
    expect((await probe.answer()).status).toBe(200)
    const end = program.end('SIGTERM')
    for (const wire of [older, newer]) {
      const answer = await wire.answer()
      expect([answer.status, JSON.parse(answer.body)]).toMatchObject([409, { error: { code: 'stopping' } }])
    }
    expect(await end).toBe(0)
    const last = await landAll((await begin()).url, file)
    expect(last).toMatchObject({ finished: true, received: content.length })
  })

  it('queued requests do not keep the program from ending', async () => {
    const program = await begin({ DRAIN: '0', MAX_UPLOADS: '1' })
    const { url } = await beginHalf(program.url)
    const waiting = await open(program.url)
    await waiting.send(requestHead('POST', '/files', { ...TUS, 'Upload-Length': 5 }))
    const end = program.end('SIGTERM')
    expect(await end).toBe(0)
    await waiting.closed
    expect(await offsetOf(`${(await begin()).url}/files/${idOf(url)}`)).toBe(HALF)
  })
})
