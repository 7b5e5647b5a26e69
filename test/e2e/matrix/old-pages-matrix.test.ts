import path from 'node:path'
import { describe, expect, it, jest } from '@jest/globals'
import type { SampleFile } from '../../support/sample-files.ts'
import {
  breakOff,
  builds,
  expectArrives,
  expectOnly,
  expectResumed,
  killWhileSending,
  OTHER_FILES,
  sameHalf,
  withBlogPage,
} from '../support/blog-page.ts'
import type { OldPage } from '../support/old-page.ts'
import { shareStage } from '../support/shared-stage.ts'

jest.setTimeout(60_000)

const stage = shareStage()

/** How the first file is interrupted. */
const BREAKS: readonly (readonly [name: string, work: (old: OldPage, file: SampleFile) => Promise<void>])[] = [
  ['a request is aborted', breakOff],
  ['the program is killed', (old, file) => killWhileSending(old, stage.landfall, file)],
]

/** Some files differ only by date. */
const othersOf = (withoutDates: boolean) => OTHER_FILES.filter(([, make]) => !withoutDates || make !== sameHalf)

describe.each(builds())('The page of the article with %s', (...build) => {
  describe.each([
    ['with', false],
    ['without', true],
  ])('in a browser %s File.lastModifiedDate', (_, withoutDates) => {
    describe.each(BREAKS)('when %s', (__, breaks) => {
      async function visit(work: (old: OldPage, file: SampleFile, place: string) => Promise<void>): Promise<void> {
        const { place, file } = await stage.newFile()
        const broken = async (old: OldPage): Promise<void> => {
          await breaks(old, file)
          await work(old, file, place)
          expect(old.errors).toEqual([])
        }
        await withBlogPage(stage.browser, stage.landfall, build, broken, { withoutDates })
      }

      it('resumes a file that is selected again', async () => {
        await visit((old, file) => expectResumed(old, stage.landfall, file))
      })

      it.each(othersOf(withoutDates))(
        'uploads another file, %s, on the second try at the latest',
        async (___, make) => {
          await visit(async (old, file, place) => {
            const other = await make(path.join(place, 'other'), file)
            await expectArrives(old, stage.landfall, other)
            await expectArrives(old, stage.landfall, file)
            await expectOnly(stage.landfall, file, other)
          })
        },
      )
    })
  })
})
