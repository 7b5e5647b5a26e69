/** Pages that no dialect of the package is for, with dialects written from their sources: `npm run test:dialects`. */
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { type TemporaryFolder, temporaryFolder } from '../../support/folder.ts'
import type { SentFile } from '../support/dialect-pages.ts'
import { DialectStage, failures } from '../support/dialect-stage.ts'
import { UNKNOWN_PAGES, writeDialects } from '../support/unknown-pages.ts'

jest.setTimeout(120_000)

let folder: TemporaryFolder
let stage: DialectStage
beforeAll(async () => {
  folder = await temporaryFolder()
  const files = await writeDialects(folder.path)
  stage = await DialectStage.open({ DIALECTS: files.join(',') })
})
afterEach(() => stage.gate.reset())
afterAll(async () => {
  await stage.close()
  await folder.dispose()
})

describe.each(UNKNOWN_PAGES.map((page) => [page.name, page] as const))('A page of the kind %s', (name, page) => {
  const { chunkSize } = page
  const big = (word: string): SentFile => stage.fileOf(`${name}-${word}.zip`, 3 * chunkSize + 30_000)

  const upload = async (...files: readonly SentFile[]): Promise<void> => {
    const ended = await stage.withPage(page, (tab) => stage.upload(tab, page, files))
    expect(failures(ended)).toEqual([])
    for (const file of files) await stage.expectStored(file)
  }

  it('needs a dialect of less than 30 lines', () => {
    expect(page.json.split('\n').length).toBeLessThan(30)
  })

  it('uploads files of every length, at once', async () => {
    await upload(
      big('big'),
      stage.fileOf('测试.zip', 2 * chunkSize + 1),
      stage.fileOf('文件.zip', 2 * chunkSize + 1),
      stage.fileOf(`${name} a"b&c.zip`, 2 * chunkSize),
      stage.fileOf(`${name}-one.zip`, chunkSize),
      stage.fileOf(`${name}-small.zip`, 1000),
    )
  })

  it('sends a chunk again that was refused for the moment, or the user selects its file again', async () => {
    const file = big('refused')
    stage.gate.decide = (count) => (count === 2 ? page.busy : 'pass')
    const ended = await stage.withPage(page, (tab) => stage.upload(tab, page, [file]))
    expect(failures(ended)).toHaveLength(page.retries ? 0 : 1)
    if (!page.retries) {
      expect(await stage.storedAs(file.name)).toEqual([])
      await upload(file)
    } else await stage.expectStored(file)
  })

  it(`${page.survives ? 'continues' : 'fails visibly'} when the service restarts`, async () => {
    const file = big('restarted')
    let restarted: Promise<void> | undefined
    stage.gate.onAnswer = (count) => {
      if (count !== 2) return
      restarted = stage.landfall.kill().then(() => (page.survives ? stage.landfall.startAgain() : undefined))
    }
    const ended = await stage.withPage(page, (tab) => stage.upload(tab, page, [file], { slow: true }))
    await restarted
    if (!page.survives) await stage.landfall.startAgain()
    expect(failures(ended)).toHaveLength(page.survives ? 0 : 1)
    if (page.survives) await stage.expectStored(file)
    else expect(await stage.storedAs(file.name)).toEqual([])
  })

  if (page.resumes) {
    it('sends only the missing chunks after a reload', async () => {
      const file = stage.fileOf(`${name}-resumed.zip`, 6 * chunkSize + 30_000)
      await stage.withPage(page, async (tab) => {
        await stage.interrupt(tab, page, file)
        expect(failures(await stage.upload(tab, page, [file]))).toEqual([])
      })
      await stage.expectStored(file)
      expect(stage.gate.passed.filter(({ isUpload }) => isUpload).length).toBeLessThan(6)
    })
  }

  it('never mixes a file with another one of its name and size that was interrupted', async () => {
    const [first, second] = [0, 0].map(() => stage.fileOf(`${name}-mixed.zip`, 6 * chunkSize + 30_000))
    if (first === undefined || second === undefined) throw new Error('no files')
    await stage.withPage(page, async (tab) => {
      await stage.interrupt(tab, page, first)
      expect(failures(await stage.upload(tab, page, [second]))).toEqual([])
    })
    await stage.expectStored(second)
    const contents = await stage.storedAs(second.name)
    expect(contents.every((content) => content.equals(second.buffer))).toBe(true)
  })
})
