import path from 'node:path'
import { describe, expect, it, jest } from '@jest/globals'
import {
  breakOff,
  builds,
  expectArrives,
  expectOnly,
  expectResumed,
  OTHER_FILES,
  withBlogPage,
} from './support/blog-page.ts'
import type { OldPage } from './support/old-page.ts'
import { shareStage } from './support/shared-stage.ts'

jest.setTimeout(60_000)

const [build, olderBuild] = builds()
if (build === undefined || olderBuild === undefined) throw new Error('WEBUPLOADER_BUILDS must have two builds.')

const stage = shareStage()

describe('A file that is selected again in the page of the article', () => {
  it.concurrent.each([build, olderBuild])('resumes (%s)', async (...each) => {
    const { file } = await stage.newFile()
    await withBlogPage(stage.browser, stage.landfall, each, async (old) => {
      await breakOff(old, file)
      await expectResumed(old, stage.landfall, file)
    })
  })

  it.concurrent('resumes in a browser without File.lastModifiedDate', async () => {
    const { file } = await stage.newFile()
    const resume = async (old: OldPage): Promise<void> => {
      await breakOff(old, file)
      await expectResumed(old, stage.landfall, file)
    }
    await withBlogPage(stage.browser, stage.landfall, olderBuild, resume, { withoutDates: true })
  })
})

describe('Another file that is selected in the page of the article', () => {
  it.concurrent.each(
    OTHER_FILES.slice(0, 3).map((other, at) => [...other, at % 2 === 0 ? build : olderBuild] as const),
  )('arrives on the second try at the latest (%s)', async (_, makeOther, each) => {
    const { place, file } = await stage.newFile()
    const other = await makeOther(path.join(place, 'other'), file)
    await withBlogPage(stage.browser, stage.landfall, each, async (old) => {
      await breakOff(old, file)
      await expectArrives(old, stage.landfall, other)
      await expectArrives(old, stage.landfall, file)
      await expectOnly(stage.landfall, file, other)
    })
  })
})

describe('A visitor of the page of the article', () => {
  it('cannot access the unfinished file of another visitor, even with its task id', async () => {
    const { file } = await stage.newFile()
    await withBlogPage(stage.browser, stage.landfall, build, async (old) => {
      await breakOff(old, file)
      const [first] = await old.requests('/upload/accept')
      await withBlogPage(stage.browser, stage.landfall, build, async (stranger) => {
        const fields = JSON.stringify(first?.fields)
        const send = `(async () => {
          const form = (extra) => {
            const data = new FormData()
            for (const [name, value] of Object.entries({ ...${fields}, ...extra })) data.append(name, value)
            return data
          }
          const check = async (body) => (await (await fetch('/check', { method: 'POST', body })).json()).file_list.flat()
          const lists = [await check('POST TEST'), await check(form({})), await check(form({ id: 'WU_FILE_9' }))]
          const chunk = form({ chunk: '7' })
          chunk.append('file', new Blob([new Uint8Array(1234)]), 'x')
          const answer = await fetch('/upload/accept', { method: 'POST', body: chunk })
          return { lists, received: (await answer.json()).received }
        })()`
        expect(await stranger.page.evaluate(send)).toEqual({ lists: [[], [], []], received: 1234 })
      })
      await expectResumed(old, stage.landfall, file)
    })
  })
})
