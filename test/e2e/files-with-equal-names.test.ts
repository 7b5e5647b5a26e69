import { readFile, utimes, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import type { Browser, Page } from 'playwright-core'
import { MIB } from '../support/bytes.ts'
import { launchChrome, limitUpload, withPage } from '../support/chrome.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Landfall, startLandfall } from '../support/restartable-program.ts'
import { randomFile, type SampleFile, sha256Of, storedFiles } from '../support/sample-files.ts'
import { createUpload, patch } from '../support/tus.ts'
import { choose, offsetsOf, press, ROW, rowIn, rowsIn, shows } from './support/modern-page.ts'

jest.setTimeout(120_000)

const SIZE = 10 * MIB
const DATE = new Date('2026-01-02T03:04:05Z')

let browser: Browser
let landfall: Landfall
let folder: Awaited<ReturnType<typeof temporaryFolder>>
/** Files of one name, size, and date: `other` has other bytes, `near` differs from `file` in one unsampled byte. */
let file: SampleFile
let other: SampleFile
let near: SampleFile
/** Uploads of earlier tests. */
let before: Set<string>

beforeAll(async () => {
  folder = await temporaryFolder()
  file = await randomFile(folder.path, 'a/scan.bin', SIZE)
  other = await randomFile(folder.path, 'b/scan.bin', SIZE)
  near = await randomFile(folder.path, 'c/scan.bin', SIZE)
  const bytes = await readFile(file.path)
  bytes.writeUInt8(bytes.readUInt8(1_000_001) ^ 1, 1_000_001)
  await writeFile(near.path, bytes)
  near = { ...near, sha256: await sha256Of(near.path) }
  for (const { path } of [file, other, near]) await utimes(path, DATE, DATE)
  browser = await launchChrome()
  landfall = await startLandfall()
})
beforeEach(async () => {
  before = new Set((await storedFiles(landfall.dataDir)).map(({ id }) => id))
})
afterAll(async () => {
  await browser.close()
  await landfall.dispose()
  await folder.dispose()
})

/** Sends a part of `file`, and reloads the page. */
async function breakOff(page: Page, address = landfall.url): Promise<void> {
  await page.goto(address)
  await limitUpload(page, MIB)
  await choose(page, file.path)
  await shows(page, 40)
  await page.reload()
  await page.waitForSelector(rowIn('remembered'))
  await limitUpload(page)
}

/** Expects exactly these files to be stored, byte by byte. */
async function expectStored(...files: readonly SampleFile[]): Promise<void> {
  const stored = (await storedFiles(landfall.dataDir)).filter(({ id }) => !before.has(id))
  expect(stored.map(({ sha256 }) => sha256).sort()).toEqual(files.map(({ sha256 }) => sha256).sort())
}

describe('The modern page', () => {
  it('stores other files of the same name, size, and date whole after a reload, and still resumes the first', async () => {
    await withPage(browser, async (page) => {
      await breakOff(page)
      const asked: string[] = []
      page.on('request', (request) => request.url().includes('/digest') && asked.push(request.url()))
      for (const [count, another] of [other, near].entries()) {
        await choose(page, another.path)
        await rowsIn(page, rowIn('finished'), count + 1)
        await page.waitForSelector(rowIn('remembered'))
        // Only a file that differs in unsampled bytes needs a digest.
        expect(asked).toHaveLength(count)
      }
      await expectStored(other, near)
      const offsets = offsetsOf(page)
      await choose(page, file.path)
      await rowsIn(page, rowIn('finished'), 3)
      expect(offsets).toEqual([expect.any(Number)])
      expect(offsets[0]).toBeGreaterThan(1_000_001)
      await expectStored(file, other, near)
    })
  })

  it('stores each of several files of the same name, size, and date that are selected together', async () => {
    await withPage(browser, async (page) => {
      await page.goto(landfall.url)
      await choose(page, file.path, other.path, near.path)
      await rowsIn(page, rowIn('finished'), 3)
      await expectStored(file, other, near)
    })
  })

  it('keeps one row for a file that is selected again during its upload, and says so', async () => {
    await withPage(browser, async (page) => {
      await page.goto(landfall.url)
      await limitUpload(page, 4 * MIB)
      await choose(page, file.path)
      await shows(page, 10)
      await choose(page, file.path)
      await page.waitForSelector('#announcer:has-text("already being uploaded")', { state: 'attached' })
      expect(await page.locator(ROW).count()).toBe(1)
      await limitUpload(page)
      await page.waitForSelector(rowIn('finished'))
      await expectStored(file)
    })
  })

  it('resumes a paused row when its file is selected again, and adds a row for another file', async () => {
    await withPage(browser, async (page) => {
      await page.goto(landfall.url)
      await limitUpload(page, 4 * MIB)
      await choose(page, file.path)
      await shows(page, 40)
      await press(page, 'pause')
      await limitUpload(page)
      await choose(page, near.path)
      await page.waitForSelector(rowIn('finished'))
      const offsets = offsetsOf(page)
      await choose(page, file.path)
      await rowsIn(page, rowIn('finished'), 2)
      expect(offsets[0]).toBeGreaterThan(0)
      await expectStored(file, near)
    })
  })

  it('resumes an upload that an earlier version of the page remembers', async () => {
    const bytes = await readFile(file.path)
    const url = await createUpload(landfall.url, SIZE, { filename: file.name })
    await patch(url, 0, Buffer.from(bytes.subarray(0, 9 * MIB)))
    const print = `tus-br-${file.name}-application/octet-stream-${SIZE}-${DATE.getTime()}-${landfall.url}/files`
    const entry = { size: SIZE, metadata: { filename: file.name }, creationTime: DATE.toString(), uploadUrl: url }
    await withPage(browser, async (page) => {
      await page.goto(landfall.url)
      await page.evaluate(([key, value]) => localStorage.setItem(key, value), [
        `tus::${print}::1`,
        JSON.stringify(entry),
      ] as const)
      await page.reload()
      await page.waitForSelector(rowIn('remembered'))
      const offsets = offsetsOf(page)
      await choose(page, file.path)
      await page.waitForSelector(rowIn('finished'))
      expect(offsets).toEqual([9 * MIB])
      await expectStored(file)
      expect(await page.evaluate(() => Object.keys(localStorage))).toEqual([])
    })
  })
})

describe('The modern page in two tabs', () => {
  /** Chooses the file in two tabs of one visitor at once, both of which send slowly. */
  async function chooseInBoth(first: Page): Promise<Page> {
    const second = await first.context().newPage()
    for (const page of [first, second]) {
      await page.goto(landfall.url)
      await limitUpload(page, 4 * MIB)
    }
    await Promise.all([first, second].map((page) => choose(page, file.path)))
    await Promise.all([first, second].map((page) => shows(page, 20)))
    await limitUpload(second)
    return second
  }

  it('finishes a file that is chosen in both at once in each of them, and leaves nothing behind', async () => {
    await withPage(browser, async (first) => {
      const second = await chooseInBoth(first)
      await limitUpload(first)
      await Promise.all([first, second].map((page) => page.waitForSelector(rowIn('finished'))))
      await expectStored(file, file)
      expect(await second.evaluate(() => Object.keys(localStorage))).toEqual([])
    })
  })

  it('resumes the paused upload of a closed tab in the other one, after a reload, next to its own of the same file', async () => {
    await withPage(browser, async (first) => {
      const second = await chooseInBoth(first)
      await press(first, 'pause')
      await first.waitForSelector(rowIn('paused'))
      await second.waitForSelector(rowIn('finished'))
      await first.close()
      await second.reload()
      await second.waitForSelector(rowIn('remembered'))
      const offsets = offsetsOf(second)
      await choose(second, file.path)
      await rowsIn(second, rowIn('finished'), 2)
      expect(offsets[0]).toBeGreaterThan(0)
      await expectStored(file, file)
    })
  })
})

describe('The modern page over plain HTTP, on another host', () => {
  const address = (): string => landfall.url.replace('127.0.0.1', 'landfall.lan')

  it('resumes the same file and starts over with another, without crypto.subtle', async () => {
    await withPage(browser, async (page) => {
      await breakOff(page, address())
      expect(await page.evaluate(() => isSecureContext)).toBe(false)
      await choose(page, near.path)
      await page.waitForSelector(rowIn('finished'))
      const offsets = offsetsOf(page)
      await choose(page, file.path)
      await rowsIn(page, rowIn('finished'), 2)
      expect(offsets[0]).toBeGreaterThan(0)
      await expectStored(file, near)
    })
  })

  it.each([
    ['does not mix different files', () => near, () => [file, near]],
    ['stores the same file once', () => file, () => [file]],
  ])('%s from two tabs, which cannot see each other there', async (_, chosen, stored) => {
    await withPage(browser, async (first) => {
      await first.goto(address())
      await limitUpload(first, 2 * MIB)
      await choose(first, file.path)
      await shows(first, 20)
      const second = await first.context().newPage()
      await second.goto(address())
      await second.waitForSelector(rowIn('remembered'))
      await choose(second, chosen().path)
      await second.waitForSelector(rowIn('finished'))
      await limitUpload(first)
      await first.waitForSelector(rowIn('finished'))
      await expectStored(...stored())
    })
  })
})
