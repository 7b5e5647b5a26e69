import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Browser } from 'playwright-core'
import { launchChrome } from '../support/chrome.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Landfall, startLandfall } from '../support/restartable-program.ts'
import {
  breakOff,
  builds,
  expectArrives,
  expectOnly,
  expectResumed,
  makeFile,
  OTHER_FILES,
  withBlogPage,
} from './support/blog-page.ts'
import type { OldPage } from './support/old-page.ts'

jest.setTimeout(60_000)

const [build, olderBuild] = builds()
if (build === undefined || olderBuild === undefined) throw new Error('WEBUPLOADER_BUILDS must have two builds.')

let browser: Browser
let landfall: Landfall
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let files = 0

beforeAll(async () => {
  folder = await temporaryFolder()
  browser = await launchChrome()
  landfall = await startLandfall()
})

afterAll(async () => {
  await browser.close()
  await landfall.dispose()
  await folder.dispose()
})

/** Creates a folder and a file with a name of its own. */
async function newFile() {
  files += 1
  const place = path.join(folder.path, String(files))
  return { place, file: await makeFile(place, `file-${files}.bin`) }
}

describe('A file that is selected again in the page of the article', () => {
  it.each([build, olderBuild])('resumes (%s)', async (...each) => {
    const { file } = await newFile()
    await withBlogPage(browser, landfall, each, async (old) => {
      await breakOff(old, file)
      await expectResumed(old, landfall, file)
    })
  })

  it('resumes in a browser without File.lastModifiedDate', async () => {
    const { file } = await newFile()
    const resume = async (old: OldPage): Promise<void> => {
      await breakOff(old, file)
      await expectResumed(old, landfall, file)
    }
    await withBlogPage(browser, landfall, olderBuild, resume, { withoutDates: true })
  })
})

describe('Another file that is selected in the page of the article', () => {
  it.each(OTHER_FILES.slice(0, 3).map((other, at) => [...other, at % 2 === 0 ? build : olderBuild] as const))(
    'arrives on the second try at the latest (%s)',
    async (_, makeOther, each) => {
      const { place, file } = await newFile()
      const other = await makeOther(path.join(place, 'other'), file)
      await withBlogPage(browser, landfall, each, async (old) => {
        await breakOff(old, file)
        await expectArrives(old, landfall, other)
        await expectArrives(old, landfall, file)
        await expectOnly(landfall, file, other)
      })
    },
  )
})

describe('A visitor of the page of the article', () => {
  it('cannot access the unfinished file of another visitor, even with its task id', async () => {
    const { file } = await newFile()
    await withBlogPage(browser, landfall, build, async (old) => {
      await breakOff(old, file)
      const [first] = await old.requests('/upload/accept')
      await withBlogPage(browser, landfall, build, async (stranger) => {
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
      await expectResumed(old, landfall, file)
    })
  })
})
