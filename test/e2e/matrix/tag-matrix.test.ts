import path from 'node:path'
import { describe, expect, it, jest } from '@jest/globals'
import { limitUpload } from '../../support/chrome.ts'
import { builds, makeFile, OTHER_FILES } from '../support/blog-page.ts'
import { shareStage } from '../support/shared-stage.ts'
import {
  CHUNKS,
  choose,
  chunks,
  expectStored,
  leaveHalfway,
  PAGES,
  SLOW,
  succeeded,
  twinOf,
  withVisitor,
} from '../support/tag-stage.ts'

jest.setTimeout(60_000)

const stage = shareStage()
const others = [['of equal fingerprint', (_: string, file: Parameters<typeof twinOf>[0]) => twinOf(file)] as const]

describe.each(builds())('With the tag and %s,', (...build) => {
  describe.each(Object.entries(PAGES))('the page "%s"', (name, address) => {
    // The page with hooks stops at a chunk.
    const goOn = async (old: Parameters<typeof choose>[0]): Promise<void> => {
      if (name !== 'hooks') return
      await old.heard('stopUpload')
      await old.page.evaluate('uploader.upload()')
    }

    it('resumes a file after it was closed, and sends no stored chunk again', async () => {
      const { file } = await stage.newFile()
      await withVisitor(stage.browser, stage.landfall.url, build, true, async (visitor) => {
        const stored = await leaveHalfway(await visitor.open(name === 'hooks' ? PAGES.threads : address), file)
        const old = await visitor.open(address)
        await choose(old, file)
        await goOn(old)
        await succeeded(old)
        expect((await old.sentChunks()).filter((chunk) => stored.includes(chunk))).toEqual([])
        if (name !== 'tasks') expect(await old.completed()).toMatchObject([{ status: 200 }])
        expect(old.errors).toEqual([])
      })
      await expectStored(stage, file)
    })

    it('continues by itself after the service was killed', async () => {
      const { file } = await stage.newFile()
      await withVisitor(stage.browser, stage.landfall.url, build, true, async (visitor) => {
        const old = await visitor.open(address)
        await limitUpload(old.page, SLOW)
        await choose(old, file)
        await goOn(old)
        await old.sentMoreThan(0.4)
        await stage.landfall.kill()
        await stage.landfall.startAgain()
        await succeeded(old)
        const stored = (await chunks(old)).filter(({ status }) => status === 200)
        expect(stored.length).toBe(CHUNKS)
        expect(old.errors).toEqual([])
      })
      await expectStored(stage, file)
    })

    it.each([...OTHER_FILES, ...others])('stores another file, %s, at the first try', async (_, make) => {
      const { place, file } = await stage.newFile()
      await withVisitor(stage.browser, stage.landfall.url, build, true, async (visitor) => {
        await leaveHalfway(await visitor.open(name === 'hooks' ? PAGES.threads : address), file)
        const other = await make(path.join(place, 'other'), file)
        const old = await visitor.open(address)
        await choose(old, other)
        await goOn(old)
        await succeeded(old)
        await choose(old, file)
        await succeeded(old, 2)
        expect(old.errors).toEqual([])
        await expectStored(stage, file, other)
      })
    })
  })

  it('two files of one selection arrive under one task', async () => {
    const { place, file } = await stage.newFile()
    const other = await makeFile(path.join(place, 'other'), file.name)
    await withVisitor(stage.browser, stage.landfall.url, build, true, async (visitor) => {
      const old = await visitor.open(PAGES.threads)
      await choose(old, file, other)
      await succeeded(old, 2)
    })
    await expectStored(stage, file, other)
  })
})
