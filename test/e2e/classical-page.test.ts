import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { MIB } from '../support/bytes.ts'
import { launchChrome, limitUpload } from '../support/chrome.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Landfall, startLandfall } from '../support/restartable-program.ts'
import { randomFile, type SampleFile } from '../support/sample-files.ts'
import { withClassicalPage } from './support/classical-page.ts'

jest.setTimeout(60_000)

let browser: Browser
let landfall: Landfall
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let file: SampleFile

beforeAll(async () => {
  folder = await temporaryFolder()
  file = await randomFile(folder.path, 'file.bin', 15 * MIB + 17)
  browser = await launchChrome()
  landfall = await startLandfall()
})

afterAll(async () => {
  await browser.close()
  await landfall.dispose()
  await folder.dispose()
})

/** The ids of violated rules. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  return page.evaluate<string[]>('axe.run().then(({ violations }) => violations.map(({ id }) => id))')
}

/** Drops a file as a visitor does. */
async function drop(page: Page, target: string, { path }: SampleFile): Promise<void> {
  const { x = 0, y = 0 } = (await page.locator(target).boundingBox()) ?? {}
  const session = await page.context().newCDPSession(page)
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    const data = { items: [], files: [path], dragOperationsMask: 1 }
    await session.send('Input.dispatchDragEvent', { type, x: x + 20, y: y + 20, data })
  }
}

describe('The classical page', () => {
  it('removes a cancelled file, here and on the server, and moves the focus', async () => {
    await withClassicalPage(browser, landfall, async (legacy) => {
      const { page } = legacy
      await legacy.sendUpTo(35, file, 4 * MIB)
      const [{ text } = { text: '' }] = await legacy.chunks()
      const { url }: { url: string } = JSON.parse(text)
      await page.click('#pause')
      await page.waitForSelector('.file-row[data-state=paused]')
      expect(await violations(page)).toEqual([])
      const deleted = page.waitForResponse((response) => response.request().method() === 'DELETE')
      await page.getByRole('button', { name: 'Cancel file.bin' }).click()
      expect((await deleted).status()).toBe(204)
      expect(await page.locator('.file-row').count()).toBe(0)
      expect(await page.evaluate('document.activeElement.type')).toBe('file')
      expect([404, 410]).toContain((await fetch(new URL(url, landfall.url), { method: 'HEAD' })).status)
      await limitUpload(page)
      await legacy.choose(file)
      expect(await legacy.finished()).toEqual([file.sha256])
    })
  })

  it('names an unfinished file after a reload, and resumes it when it is dropped', async () => {
    await withClassicalPage(browser, landfall, async (legacy) => {
      const { page } = legacy
      await legacy.sendUpTo(35, file, 4 * MIB)
      await page.waitForFunction("localStorage.getItem('landfall.legacy') !== null")
      await legacy.reload()
      const notice = page.locator('#unfinished')
      await notice.waitFor()
      expect(await notice.textContent()).toBe('Not finished: file.bin. Choose a file again to resume it.')
      expect(await violations(page)).toEqual([])
      await drop(page, '#drop-zone', file)
      expect(await legacy.finished()).toEqual([file.sha256])
      expect(await notice.isVisible()).toBe(false)
      expect(await violations(page)).toEqual([])
    })
  })
})
