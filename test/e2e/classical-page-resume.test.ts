import { open, utimes } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Browser, Route } from 'playwright-core'
import { MIB } from '../support/bytes.ts'
import { launchChrome } from '../support/chrome.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Landfall, startLandfall } from '../support/restartable-program.ts'
import { randomFile, type SampleFile, sha256Of } from '../support/sample-files.ts'
import { TUS } from '../support/tus.ts'
import { type ClassicalPage, withClassicalPage } from './support/classical-page.ts'

jest.setTimeout(60_000)

const CHUNK = 5 * MIB
const CHUNKS = 7
/** Seconds since 1970. */
const DATE = 1_700_000_000

let browser: Browser
let landfall: Landfall
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let file: SampleFile

beforeAll(async () => {
  folder = await temporaryFolder()
  file = await randomFile(folder.path, 'file.bin', (CHUNKS - 1) * CHUNK + 17)
  browser = await launchChrome()
  landfall = await startLandfall()
})

afterAll(async () => {
  await browser.close()
  await landfall.dispose()
  await folder.dispose()
})

/** A file with the name, size, date, and first chunks of another. */
async function lookalike(of: SampleFile, chunk: number): Promise<SampleFile> {
  const other = await randomFile(folder.path, `other-${chunk}/${of.name}`, of.size)
  const head = await open(of.path)
  const copy = await open(other.path, 'r+')
  await copy.write((await head.read({ buffer: Buffer.alloc(chunk * CHUNK), position: 0 })).buffer, 0)
  await head.close()
  await copy.close()
  // Whole seconds: fractions are rounded differently.
  for (const { path } of [of, other]) await utimes(path, DATE, DATE)
  return { ...other, sha256: await sha256Of(other.path) }
}

async function numbers(legacy: ClassicalPage): Promise<readonly number[]> {
  return (await legacy.chunks()).map(({ fields }) => Number(fields['chunk']))
}

describe('The classical page', () => {
  it('resumes on retry after the program was killed at 75 %', async () => {
    await withClassicalPage(browser, landfall, async (legacy) => {
      await legacy.sendUpTo(75, file)
      await landfall.kill()
      await legacy.page.waitForSelector('.file-row[data-state=failed]')
      await landfall.startAgain()
      const before = await legacy.chunks()
      const confirmed = new Set(before.filter(({ status }) => status === 200).map(({ fields }) => fields['chunk']))
      await legacy.page.click('#retry')
      expect(await legacy.finished()).toEqual([file.sha256])
      const all = [...Array(CHUNKS).keys()]
      expect((await numbers(legacy)).slice(before.length)).toEqual([0, ...all.slice(confirmed.size)])
    })
  })

  it.each([
    ['in Chromium', false, 32 * MIB],
    // Slow enough for MD5 to keep up.
    ['in a browser without File.lastModifiedDate and SHA-256', true, 8 * MIB],
  ])('resumes after a reload at 60 %% when the file is chosen again, %s', async (_, isLimited, rate) => {
    await withClassicalPage(
      browser,
      landfall,
      async (legacy) => {
        await legacy.sendUpTo(65, file, rate)
        await legacy.reload()
        await legacy.choose(file)
        expect(await legacy.finished()).toEqual([file.sha256])
        const sent = (await legacy.chunks()).reduce((sum, { bytes }) => sum + bytes, 0)
        // Chunk 0 and the missing ones; the page may not yet have remembered the last confirmed chunk.
        expect((await numbers(legacy))[0]).toBe(0)
        expect(sent).toBeLessThanOrEqual(0.4 * file.size + 3 * CHUNK)
      },
      { isLimited },
    )
  })

  it('does not mix two files of equal name, size, date, and first chunk', async () => {
    const other = await lookalike(file, 1)
    await withClassicalPage(browser, landfall, async (legacy) => {
      await legacy.sendUpTo(65, file)
      await legacy.reload()
      await legacy.choose(other)
      expect(await legacy.finished()).toEqual([other.sha256])
      await legacy.choose(file)
      expect(await legacy.finished(2)).toEqual([other.sha256, file.sha256])
    })
  })

  it('sends the whole file again after its upload was deleted', async () => {
    await withClassicalPage(browser, landfall, async (legacy) => {
      await legacy.sendUpTo(50, file)
      const [{ text } = { text: '' }] = await legacy.chunks()
      const { id }: { id: string } = JSON.parse(text)
      await legacy.reload()
      const removeFirst = async (route: Route): Promise<void> => {
        await fetch(`${landfall.url}/files/${id}`, { method: 'DELETE', headers: TUS })
        await route.continue()
      }
      await legacy.page.route(`${landfall.url}/upload/accept`, removeFirst, { times: 1 })
      await legacy.choose(file)
      expect(await legacy.finished()).toEqual([file.sha256])
    })
  })

  it('labels its file input in each language', async () => {
    await withClassicalPage(browser, landfall, async ({ page }) => {
      const input = page.locator('input[type=file]')
      await page.click('button[data-language=zh]')
      expect(await input.getAttribute('aria-label')).toBe('选择文件')
      await page.click('button[data-language=en]')
      expect(await input.getAttribute('aria-label')).toBe('Choose files')
      await page.reload()
      await page.locator('input[aria-label="Choose files"]').waitFor({ state: 'attached' })
    })
  })
})
