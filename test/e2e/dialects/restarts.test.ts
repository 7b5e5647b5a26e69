/** Pages of other upload libraries while the service restarts, and of two visitors: `npm run test:dialects`. */
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { LIBRARIES, type SentFile } from '../support/dialect-pages.ts'
import { DialectStage, failures } from '../support/dialect-stage.ts'

jest.setTimeout(120_000)

let stage: DialectStage
beforeAll(async () => {
  stage = await DialectStage.open()
})
afterEach(() => stage.gate.reset())
afterAll(() => stage.close())

describe.each(LIBRARIES.map((library) => [library.name, library] as const))('A page with %s', (name, library) => {
  const big = (): SentFile => stage.fileOf(`${name}-big.zip`, 3 * library.chunkSize + 30_000)

  if (library.survives) {
    it('resumes after a restart of the service', async () => {
      const file = big()
      let restarted: Promise<void> | undefined
      stage.gate.onAnswer = (count) => {
        if (count === 2) restarted = stage.landfall.kill().then(() => stage.landfall.startAgain())
      }
      const ended = await stage.withPage(library, (page) => stage.upload(page, library, [file], { slow: true }))
      await restarted
      expect(failures(ended)).toEqual([])
      await stage.expectStored(file)
    })
  } else {
    it('reports the file as failed if the service stops, and stores no part of it as a file', async () => {
      const file = big()
      let stopped: Promise<void> | undefined
      stage.gate.onAnswer = (count) => {
        if (count === 2) stopped = stage.landfall.kill()
      }
      const ended = await stage.withPage(library, (page) => stage.upload(page, library, [file], { slow: true }))
      await stopped
      await stage.landfall.startAgain()
      expect(ended.map(({ name: ofFile, ok }) => [ofFile, ok])).toEqual([[file.name, false]])
      expect(await stage.storedAs(file.name)).toEqual([])
    })
  }

  if (library.forces) {
    it('uploads files in chunks of one length, if the page wants that', async () => {
      const sent = [big(), stage.fileOf(`${name}-whole.zip`, 2 * library.chunkSize), stage.fileOf(`${name}-1.zip`, 1)]
      const ended = await stage.withPage(library, (page) => stage.upload(page, library, sent, { force: true }))
      expect(failures(ended)).toEqual([])
      for (const file of sent) await stage.expectStored(file)
    })
  }

  it('keeps the files of two visitors apart that have one name and one size', async () => {
    const both = [big(), big()]
    const ended = await Promise.all(
      both.map((file) =>
        stage.withPage(library, async (page) => {
          await page.evaluate(`fetch('/check', { method: 'POST' })`)
          return stage.upload(page, library, [file])
        }),
      ),
    )
    expect(failures(ended.flat())).toEqual([])
    for (const file of both) await stage.expectStored(file)
  })
})
