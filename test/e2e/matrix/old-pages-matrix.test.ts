import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Browser } from 'playwright-core'
import { launchChrome } from '../../support/chrome.ts'
import { temporaryFolder } from '../../support/folder.ts'
import { type Landfall, startLandfall } from '../../support/restartable-program.ts'
import type { SampleFile } from '../../support/sample-files.ts'
import {
  breakOff,
  builds,
  expectArrives,
  expectOnly,
  expectResumed,
  killWhileSending,
  makeFile,
  OTHER_FILES,
  sameHalf,
  withBlogPage,
} from '../support/blog-page.ts'
import type { OldPage } from '../support/old-page.ts'

jest.setTimeout(60_000)

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

/** How the first file is interrupted. */
const BREAKS: readonly (readonly [name: string, work: (old: OldPage, file: SampleFile) => Promise<void>])[] = [
  ['a request is aborted', breakOff],
  ['the program is killed', (old, file) => killWhileSending(old, landfall, file)],
]

/** Only the date tells some files apart. */
const othersOf = (withoutDates: boolean) => OTHER_FILES.filter(([, make]) => !withoutDates || make !== sameHalf)

describe.each(builds())('The page of the article with %s', (...build) => {
  describe.each([
    ['with', false],
    ['without', true],
  ])('in a browser %s File.lastModifiedDate', (_, withoutDates) => {
    describe.each(BREAKS)('when %s', (__, breaks) => {
      async function visit(work: (old: OldPage, file: SampleFile, place: string) => Promise<void>): Promise<void> {
        files += 1
        const place = path.join(folder.path, String(files))
        const file = await makeFile(place, `file-${files}.bin`)
        const broken = async (old: OldPage): Promise<void> => {
          await breaks(old, file)
          await work(old, file, place)
          expect(old.errors).toEqual([])
        }
        await withBlogPage(browser, landfall, build, broken, { withoutDates })
      }

      it('resumes a file that is selected again', async () => {
        await visit((old, file) => expectResumed(old, landfall, file))
      })

      it.each(othersOf(withoutDates))(
        'uploads another file, %s, on the second try at the latest',
        async (___, make) => {
          await visit(async (old, file, place) => {
            const other = await make(path.join(place, 'other'), file)
            await expectArrives(old, landfall, other)
            await expectArrives(old, landfall, file)
            await expectOnly(landfall, file, other)
          })
        },
      )
    })
  })
})
