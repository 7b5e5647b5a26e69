/** Pages of other upload libraries, with the real libraries in Chromium. */
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { LIBRARIES, type SentFile } from './support/dialect-pages.ts'
import { DialectStage, failures } from './support/dialect-stage.ts'

jest.setTimeout(120_000)

let stage: DialectStage
beforeAll(async () => {
  stage = await DialectStage.open()
})
afterEach(() => stage.gate.reset())
afterAll(() => stage.close())

/** One library of each kind; `npm run test:dialects` drives all. */
const KINDS: readonly string[] = ['resumable', 'dropzone', 'filepond', 'blueimp', 'webuploader-md5-b']
const driven = LIBRARIES.filter(({ name }) => process.env['ALL_LIBRARIES'] !== undefined || KINDS.includes(name))

describe.each(driven.map((library) => [library.name, library] as const))('A page with %s', (name, library) => {
  const { chunkSize } = library
  const big = (): SentFile => stage.fileOf(`${name}-big.zip`, 3 * chunkSize + 30_000)

  it('uploads files of every length, at once', async () => {
    const sent = [
      big(),
      stage.fileOf('测试.zip', 2 * chunkSize + 1),
      stage.fileOf(`${name} a"b&c.zip`, 2 * chunkSize),
      stage.fileOf(`${name}-small.zip`, 1000),
      ...(library.sendsEmpty ? [stage.fileOf(`${name}-empty.zip`, 0)] : []),
    ]
    // Some libraries take two names without Latin letters for one.
    const other = stage.fileOf('文件.zip', 2 * chunkSize + 1)
    const ended = await stage.withPage(library, async (page) => {
      const first = await stage.upload(page, library, sent)
      await page.reload()
      return [...first, ...(await stage.upload(page, library, [other]))]
    })
    expect(failures(ended)).toEqual([])
    for (const file of [...sent, other]) await stage.expectStored(file)
  })

  it('sends a chunk again that was refused for the moment', async () => {
    const file = big()
    stage.gate.decide = (count) => (count === 2 ? library.busy : 'pass')
    const ended = await stage.withPage(library, (page) => stage.upload(page, library, [file]))
    if (library.retries) {
      expect(failures(ended)).toEqual([])
      await stage.expectStored(file)
    } else expect(failures(ended)).toHaveLength(1)
  })

  if (library.resumes)
    it('resumes after a reload', async () => {
      const file = stage.fileOf(`${name}-resumed.zip`, 6 * chunkSize + 30_000)
      await stage.withPage(library, async (page) => {
        await stage.interrupt(page, library, file)
        expect(failures(await stage.upload(page, library, [file]))).toEqual([])
      })
      await stage.expectStored(file)
      const sent = stage.gate.passed.filter(({ isUpload }) => isUpload).length
      expect(sent).toBeLessThan(6)
    })

  if (!library.resumes && !library.remembers) return

  it('never mixes a file with another one of its name and size that was interrupted', async () => {
    const [first, second] = [0, 0].map(() => stage.fileOf(`${name}-mixed.zip`, 6 * chunkSize + 30_000))
    if (first === undefined || second === undefined) throw new Error('no files')
    await stage.withPage(library, async (page) => {
      await stage.interrupt(page, library, first)
      // The page may report that this fails, once: it had skipped chunks.
      for (let attempt = 0; attempt < 2; attempt++) {
        const ended = stage.upload(page, library, [second])
        // Fine Uploader 5.16.2 throws in `handleFailure` when a response orders it to restart while it sends chunks
        // concurrently.
        const all = await (library.remembers ? ended.catch(() => undefined) : ended)
        if (all !== undefined && failures(all).length === 0) break
        await page.reload()
      }
    })
    await stage.expectStored(second)
    const contents = await stage.storedAs(second.name)
    expect(contents.every((content) => content.equals(second.buffer))).toBe(true)
  })
})
