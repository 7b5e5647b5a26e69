import { rm } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import type { Browser, Page, Request } from 'playwright-core'
import { MIB } from '../support/bytes.ts'
import { launchChrome, limitUpload, withPage } from '../support/chrome.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Landfall, startLandfall } from '../support/restartable-program.ts'
import { randomFile, type SampleFile, storedFiles } from '../support/sample-files.ts'
import { choose, offsetsOf, ROW, rowIn, rowsIn, shows, speakChinese } from './support/modern-page.ts'

jest.setTimeout(120_000)

let browser: Browser
let landfall: Landfall
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let files: SampleFile[]

beforeAll(async () => {
  folder = await temporaryFolder()
  files = await Promise.all([1, 2, 3, 4, 5].map((i) => randomFile(folder.path, `${i}.bin`, 2 * MIB + i)))
  browser = await launchChrome()
})
beforeEach(async () => {
  landfall = await startLandfall()
})
afterEach(() => landfall.dispose())
afterAll(async () => {
  await browser.close()
  await folder.dispose()
})

const AWAY = `${ROW}[data-phase=away]`
const isProbe = (request: Request): boolean => request.url().endsWith('/readyz')

/** Waits until this many probes of the page have failed. */
async function probesFail(page: Page, times: number): Promise<void> {
  for (let failed = 0; failed < times; ) if (isProbe(await page.waitForEvent('requestfailed'))) failed += 1
}

/** Makes the browser report a network. */
const comeOnline = (page: Page): Promise<boolean> => page.evaluate(() => window.dispatchEvent(new Event('online')))

async function expectStored(chosen: readonly SampleFile[] = files): Promise<void> {
  const stored = await storedFiles(landfall.dataDir)
  expect(stored.map(({ sha256 }) => sha256).sort()).toEqual(chosen.map(({ sha256 }) => sha256).sort())
}

/** Opens the page, and waits for what it loads last, so that it needs nothing more when the service is away. */
async function openWhole(page: Page): Promise<void> {
  await Promise.all([page.waitForResponse(/\/attempt-/), page.goto(landfall.url)])
}

/** Selects all files, and kills the program while three of them upload. */
async function killWhileSending(page: Page): Promise<void> {
  await page.goto(landfall.url)
  await limitUpload(page, MIB)
  await choose(page, ...files.map((file) => file.path))
  await shows(page, 20, `${ROW}:nth-child(3)`)
  await landfall.kill()
  await limitUpload(page)
}

describe('While the service is away, the modern page', () => {
  it('keeps rows and queue waiting, sends one probe at a time, and resumes by itself', async () => {
    await withPage(browser, async (page) => {
      const asking = new Set<Request>()
      let most = 0
      page.on('request', (request) => {
        if (isProbe(request)) asking.add(request)
        most = Math.max(most, asking.size)
      })
      page.on('requestfailed', (request) => asking.delete(request))
      await killWhileSending(page)
      await rowsIn(page, AWAY, 3)
      const others: string[] = []
      page.on('request', (request) => {
        if (!isProbe(request)) others.push(`${request.method()} ${request.url()}`)
      })
      await probesFail(page, 2)
      expect(await page.locator(AWAY).count()).toBe(3)
      expect(await page.locator(`${AWAY} .state`).first().textContent()).toBe('Waiting for the server…')
      expect(await page.locator(rowIn('waiting')).count()).toBe(2)
      // The slot of a paused row stays empty.
      await page.locator(`${AWAY} [data-testid=pause]`).first().click()
      await page.waitForSelector(rowIn('paused'))
      expect(await page.locator(rowIn('waiting')).count()).toBe(2)
      await page.click(`${ROW} [data-testid=resume]`)
      expect(others).toEqual([])
      expect(most).toBe(1)

      const offsets = offsetsOf(page)
      await landfall.startAgain()
      await rowsIn(page, rowIn('finished'), 5)
      expect(offsets.filter((offset) => offset > 0)).toHaveLength(3)
      await expectStored()
    })
  })

  it('says so in Chinese, and probes at once when the browser goes online', async () => {
    await withPage(browser, async (page) => {
      await openWhole(page)
      await speakChinese(page)
      await landfall.kill()
      await choose(page, files[0]?.path ?? '')
      await rowsIn(page, AWAY, 1)
      expect(await page.locator(`${AWAY} .state`).textContent()).toBe('正在等待服务器恢复…')
      const asked = page.waitForEvent('requestfailed', isProbe)
      await comeOnline(page)
      await asked
      await landfall.startAgain()
      await comeOnline(page)
      await page.waitForSelector(rowIn('finished'))
      await expectStored(files.slice(0, 1))
    })
  })

  it('stays in English, also for screen readers, when the other language cannot be loaded', async () => {
    await withPage(browser, async (page) => {
      let tries = 0
      await page.route(/\/zh-[\w-]+\.js$/, (route) => {
        tries += 1
        return route.abort()
      })
      await openWhole(page)
      const asked = page.waitForEvent('requestfailed')
      await page.click('button[data-language=zh]')
      await asked
      await landfall.kill()
      await choose(page, files[0]?.path ?? '')
      await rowsIn(page, AWAY, 1)
      expect(await page.locator(`${AWAY} .state`).textContent()).not.toMatch(/[\u4e00-\u9fff]/)
      expect(await page.locator('landfall-upload [lang=zh-Hans]').count()).toBe(0)
      expect(tries).toBeLessThan(20)
    })
  })

  it('restarts uploads that the service has lost meanwhile', async () => {
    await withPage(browser, async (page) => {
      await killWhileSending(page)
      await rowsIn(page, AWAY, 3)
      for (const name of ['incoming', 'records']) {
        await rm(path.join(landfall.dataDir, name), { recursive: true, force: true })
      }
      await landfall.startAgain()
      await comeOnline(page)
      await rowsIn(page, rowIn('finished'), 5)
      await expectStored()
      expect(await page.evaluate(() => Object.keys(localStorage))).toEqual([])
    })
  })

  it('also waits when a proxy responds with 502, 503, or 504', async () => {
    await withPage(browser, async (page) => {
      await openWhole(page)
      let answers = 0
      await page.route(`${landfall.url}/**`, (route) => {
        answers += 1
        return route.fulfill({ status: 502 + (answers % 3), body: '<html>Bad gateway</html>' })
      })
      await choose(page, ...files.slice(0, 4).map((file) => file.path))
      await rowsIn(page, AWAY, 3)
      for (let i = 0; i < 2; i++) await page.waitForResponse((response) => isProbe(response.request()))
      expect(await page.locator(AWAY).count()).toBe(3)
      await page.unroute(`${landfall.url}/**`)
      await rowsIn(page, rowIn('finished'), 4)
      await expectStored(files.slice(0, 4))
    })
  })
})

describe('Before its list is loaded, the modern page', () => {
  it('keeps chosen files, and says that it waits for the server', async () => {
    await withPage(browser, async (page) => {
      await page.route(/files-panel|readyz/, (route) => route.abort())
      await Promise.all([page.waitForResponse(/\/session$/), page.goto(landfall.url)])
      await choose(page, ...files.slice(0, 2).map((file) => file.path))
      await page.locator('.hint', { hasText: 'Waiting for the server…' }).waitFor()
      await page.unroute(/files-panel|readyz/)
      await comeOnline(page)
      await rowsIn(page, rowIn('finished'), 2)
      await expectStored(files.slice(0, 2))
    })
  })

  it('asks for a reload when the service has another version of it', async () => {
    await withPage(browser, async (page) => {
      await page.route(/files-panel/, (route) => route.fulfill({ status: 404 }))
      await page.goto(landfall.url)
      const reload = page.getByRole('button', { name: 'Reload' })
      await reload.waitFor()
      await page.unroute(/files-panel/)
      await reload.click()
      await page.getByText('drop or paste files and folders').waitFor()
    })
  })
})

describe('A file above the maximum size', () => {
  it('is refused in its row before it is sent, while the others continue', async () => {
    const small = await startLandfall({ MAX_SIZE: '1000' })
    const tiny = await randomFile(folder.path, 'tiny.bin', 900)
    await withPage(browser, async (page) => {
      await page.goto(small.url)
      await choose(page, ...files.map((file) => file.path), tiny.path)
      await page.waitForSelector(rowIn('finished'))
      await rowsIn(page, rowIn('failed'), 5)
      expect(
        await page
          .locator(`${rowIn('failed')} .state`)
          .first()
          .textContent(),
      ).toMatch(/larger than 0\.98 KB/)
    })
    await small.dispose()
  })
})
