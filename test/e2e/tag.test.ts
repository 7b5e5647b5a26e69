/** The script for old pages, `landfall-webuploader.js`, in Chromium. */
import { createServer, type IncomingMessage } from 'node:http'
import path from 'node:path'
import { describe, expect, it, jest } from '@jest/globals'
import { limitUpload } from '../support/chrome.ts'
import { randomFile, type SampleFile } from '../support/sample-files.ts'
import { builds } from './support/blog-page.ts'
import { shareStage } from './support/shared-stage.ts'
import {
  CHUNKS,
  choose,
  chunks,
  expectStored,
  failNext,
  leaveHalfway,
  PAGES,
  succeeded,
  twinOf,
  withVisitor,
} from './support/tag-stage.ts'

jest.setTimeout(60_000)

const [build, olderBuild] = builds()
if (build === undefined || olderBuild === undefined) throw new Error('WEBUPLOADER_BUILDS must have two builds.')
const stage = shareStage()

async function smallFile(): Promise<SampleFile> {
  const { place } = await stage.newFile()
  return randomFile(place, `small-${path.basename(place)}.bin`, 5000)
}

describe.each([build, olderBuild])('A page with the tag (%s)', (...each) => {
  it('resumes after a reload, and completes under its new task', async () => {
    const { file } = await stage.newFile()
    await withVisitor(stage, each, async (visitor) => {
      const stored = await leaveHalfway(await visitor.open(PAGES.article), file)
      const old = await visitor.open(PAGES.article)
      await choose(old, file)
      await succeeded(old)
      const sent = await old.sentChunks()
      expect(stored.length).toBeGreaterThan(1)
      expect(sent.filter((chunk) => stored.includes(chunk))).toEqual([])
      expect(await old.completed()).toMatchObject([{ status: 200, answer: { name: file.name } }])
      expect(old.errors).toEqual([])
    })
    await expectStored(stage, file)
  })

  it('sends all chunks over a pause while hooks run', async () => {
    const { file } = await stage.newFile()
    await withVisitor(stage, each, async (visitor) => {
      const old = await visitor.open(PAGES.hooks)
      await choose(old, file)
      await old.heard('stopUpload')
      await old.page.waitForFunction('waiting === 0')
      await old.page.evaluate('uploader.upload()')
      await succeeded(old)
      expect(old.errors).toEqual([])
    })
    await expectStored(stage, file)
  })

  it('survives errors of the server, also for a file of one block', async () => {
    const { file } = await stage.newFile()
    const small = await smallFile()
    await withVisitor(stage, each, async (visitor) => {
      const old = await visitor.open(PAGES.threads)
      await failNext(old, 1)
      await choose(old, small)
      await succeeded(old)
      await failNext(old, 1)
      await choose(old, file)
      await succeeded(old, 2)
    })
    await expectStored(stage, file, small)
  })

  it('keeps the task of each file', async () => {
    const [{ file }, { file: other }] = [await stage.newFile(), await stage.newFile()]
    await withVisitor(stage, each, async (visitor) => {
      const old = await visitor.open(PAGES.tasks)
      await choose(old, file, other)
      await succeeded(old, 2)
      for (const { fields } of await chunks(old)) expect(fields['task_id']).toBe(`task-of-${fields['name']}`)
    })
    await expectStored(stage, file, other)
  })
})
