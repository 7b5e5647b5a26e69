import { open, utimes } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Browser, Route } from 'playwright-core'
import { temporaryFolder } from '../support/folder.ts'
import { TUS } from '../support/tus.ts'
import { launchChrome } from './support/chrome.ts'
import { type ClassicalPage, withClassicalPage } from './support/classical-page.ts'
import { MIB, randomFile, type SampleFile, sha256Of } from './support/files.ts'
import { type Landfall, startLandfall } from './support/landfall.ts'

jest.setTimeout(60_000)

const CHUNK = 5 * MIB
const CHUNKS = 7

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

/** A file of the same name, size, and date as another, and with other bytes from this chunk on. */
async function lookalike(of: SampleFile, chunk: number): Promise<SampleFile> {
  const other = await randomFile(folder.path, `other-${chunk}/${of.name}`, of.size)
  const head = await open(of.path)
  const copy = await open(other.path, 'r+')
  await copy.write((await head.read({ buffer: Buffer.alloc(chunk * CHUNK), position: 0 })).buffer, 0)
  const { mtime } = await head.stat()
  await head.close()
  await copy.close()
  await utimes(other.path, mtime, mtime)
  return { ...other, sha256: await sha256Of(other.path) }
}

async function numbers(legacy: ClassicalPage): Promise<readonly number[]> {
  return (await legacy.chunks()).map(({ fields }) => Number(fields['chunk']))
}

describe('the classical page', () => {
  it('resumes by its retry when the program is killed at 75 %', async () => {
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
    // MD5 is slower than the upload otherwise.
    ['in a browser without File.lastModifiedDate and SHA-256', true, 8 * MIB],
  ])('resumes when it is reloaded at 60 %% and the file is chosen again, %s', async (_, isLimited, rate) => {
    await withClassicalPage(
      browser,
      landfall,
      async (legacy) => {
        await legacy.sendUpTo(65, file, rate)
        await legacy.reload()
        await legacy.choose(file)
        expect(await legacy.finished()).toEqual([file.sha256])
        const sent = (await legacy.chunks()).reduce((sum, { bytes }) => sum + bytes, 0)
        // The proof and what is missing, which may have a chunk that was confirmed in the moment of the reload.
        expect((await numbers(legacy))[0]).toBe(0)
        expect(sent).toBeLessThanOrEqual(0.4 * file.size + 3 * CHUNK)
      },
      { isLimited },
    )
  })

  it.each([0, 3])(
    'never mixes a file with another of its name, size, and date that differs from chunk %i on',
    async (chunk) => {
      const other = await lookalike(file, chunk)
      await withClassicalPage(browser, landfall, async (legacy) => {
        await legacy.sendUpTo(50, file)
        await legacy.reload()
        await legacy.choose(other)
        expect(await legacy.finished()).toEqual([other.sha256])
        await legacy.choose(file)
        expect(await legacy.finished(2)).toEqual([other.sha256, file.sha256])
      })
    },
  )

  it('sends a file as a whole by itself when what the server listed is gone', async () => {
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

  it('names its file input in each language', async () => {
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
