import { readdir, readFile, readlink } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { land } from '../support/chunks.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { beginPatch, createUpload, head, idOf, offsetOf, patch, reached } from '../support/tus.ts'
import { cut } from '../support/webuploader.ts'
import { connect, requestHead, until } from '../support/wire.ts'

describe('The built program', () => {
  const content = bytesOf(1_000_000)
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let programs: Program[]
  beforeEach(async () => {
    folder = await temporaryFolder()
    programs = []
  })
  afterEach(async () => {
    await Promise.all(programs.map((program) => program.end('SIGKILL')))
    await folder.dispose()
  })

  async function begin(settings: Readonly<Record<string, string>> = {}): Promise<Program> {
    const program = await startProgram({ DATA_DIR: folder.path, ...settings })
    programs.push(program)
    return program
  }

  async function expectToResume(base: string, id: string, offset: number): Promise<void> {
    const url = `${base}/files/${id}`
    expect(await offsetOf(url)).toBe(offset)
    expect((await patch(url, offset, content.subarray(offset))).status).toBe(204)
    const response = await fetch(url)
    expect(response.status).toBe(200)
    expect(Buffer.from(await response.arrayBuffer()).equals(content)).toBe(true)
  }

  it.each(['SIGTERM', 'SIGINT'] as const)('ends with 0 at %s when it is idle, and starts again', async (signal) => {
    const program = await begin()
    const id = idOf(await createUpload(program.url, content.length))
    expect(await program.end(signal)).toBe(0)
    await expectToResume((await begin()).url, id, 0)
  })

  it('logs no error when it is stopped before it has scanned the unfinished uploads', async () => {
    const first = await begin()
    for (let i = 0; i < 300; i++) await createUpload(first.url, 10)
    await first.end('SIGKILL')
    const again = await begin()
    let said = ''
    again.process.stderr?.on('data', (text) => {
      said += text
    })
    expect(await again.end('SIGTERM')).toBe(0)
    expect(said).toBe('')
  })

  it('keeps no file open for idle uploads, nor for downloads whose clients disconnected', async () => {
    const program = await begin()
    const open = async (): Promise<string[]> => {
      const descriptors = `/proc/${program.process.pid}/fd`
      const names = await readdir(descriptors)
      const targets = await Promise.all(names.map((name) => readlink(path.join(descriptors, name)).catch(() => '')))
      return targets.filter(
        (target) => target.startsWith(path.join(folder.path, 'incoming')) || /[/]files[/]/.test(target),
      )
    }
    for (let i = 0; i < 20; i++) await createUpload(program.url, 10)
    expect(await open()).toEqual([])
    const url = await createUpload(program.url, content.length)
    await patch(url, 0, content)
    // Several responses of one connection: those after the first have no socket yet when it is cut.
    for (let i = 0; i < 5; i++) {
      const wire = await connect(program.url)
      await wire.send(requestHead('GET', new URL(url).pathname, {}).repeat(20))
      await wire.cut()
    }
    await until(async () => (await open()).length === 0)
  })

  it('serves both pages', async () => {
    const program = await begin()
    for (const page of ['/', '/legacy', '/upload/accept']) {
      const response = await fetch(`${program.url}${page}`)
      expect(response.status).toBe(200)
      expect(response.headers.get('Content-Type')).toMatch(/^text\/html/)
    }
  })

  it('completes a running PATCH after SIGTERM', async () => {
    const program = await begin()
    const url = await createUpload(program.url, content.length)
    const wire = await connect(program.url)
    await beginPatch(wire, url, 0, content.length, content.subarray(0, 400_000))
    await reached(url, 400_000)
    const end = program.end('SIGTERM')
    await refused(program.url)
    await wire.send(content.subarray(400_000))
    const answer = await wire.answer()
    expect(answer.status).toBe(204)
    expect(answer.headers.get('Upload-Offset')).toBe('1000000')
    expect(await end).toBe(0)
    const response = await fetch(`${(await begin()).url}/files/${idOf(url)}`)
    expect(Buffer.from(await response.arrayBuffer()).equals(content)).toBe(true)
  })

  it('ends with 0 after DRAIN seconds though a PATCH still runs, whose bytes are kept', async () => {
    const program = await begin({ DRAIN: '1' })
    const url = await createUpload(program.url, content.length)
    const wire = await connect(program.url)
    await beginPatch(wire, url, 0, content.length, content.subarray(0, 400_000))
    await reached(url, 400_000)
    expect(await program.end('SIGTERM')).toBe(0)
    await wire.closed
    await expectToResume((await begin()).url, idOf(url), 400_000)
  })

  it('ends at once at a second signal, with the bytes of a running PATCH kept', async () => {
    const program = await begin({ DRAIN: '3600' })
    const url = await createUpload(program.url, content.length)
    const wire = await connect(program.url)
    await beginPatch(wire, url, 0, content.length, content.subarray(0, 400_000))
    await reached(url, 400_000)
    const end = program.end('SIGTERM')
    await refused(program.url)
    program.process.kill('SIGTERM')
    expect(await end).toBe(1)
    await wire.closed
    await expectToResume((await begin()).url, idOf(url), 400_000)
  })

  it('starts again after SIGKILL during a PATCH and a chunk, with all that was acknowledged', async () => {
    const program = await begin()
    const url = await createUpload(program.url, content.length)
    expect((await patch(url, 0, content.subarray(0, 300_000))).status).toBe(204)
    const file = cut(content, 400_000)
    const chunk = await land(program.url, file, 1)
    const wire = await connect(program.url)
    await beginPatch(wire, url, 300_000, 700_000, content.subarray(300_000, 500_000))
    await reached(url, 500_000)
    expect(await program.end('SIGKILL')).toBeNull()
    const next = await begin()
    await expectToResume(next.url, idOf(url), 500_000)
    await land(next.url, file, 0)
    const last = await land(next.url, file, 2)
    expect(last).toMatchObject({ id: chunk.id, finished: true, received: content.length })
    expect((await readFile(path.join(folder.path, 'files', last.id, 'big.bin'))).equals(content)).toBe(true)
  })

  it('does not start a second time on the same directory, and the first one continues', async () => {
    const program = await begin()
    const url = await createUpload(program.url, content.length)
    await expect(startProgram({ DATA_DIR: folder.path })).rejects.toThrow(
      /^The program ended with 1: Another process is using the data directory .*\.\n$/,
    )
    await expectToResume(program.url, idOf(url), 0)
    expect((await head(url)).status).toBe(200)
  })

  it('does not start on a port in use, and says so in a sentence', async () => {
    const program = await begin()
    const other = await temporaryFolder()
    try {
      const port = new URL(program.url).port
      const failure = await startProgram({ DATA_DIR: other.path, PORT: port }).catch((error: unknown) => String(error))
      expect(failure).toMatch(/ended with 1: Port \d+ of 127\.0\.0\.1 is in use\. Choose another PORT\./)
      expect(failure).not.toMatch(/\n\s+at /)
    } finally {
      await other.dispose()
    }
  })
})

/** Waits until the program accepts no new connection. */
async function refused(base: string): Promise<void> {
  for (;;) {
    const wire = await connect(base).catch(() => undefined)
    if (wire === undefined) return
    await wire.cut()
  }
}
