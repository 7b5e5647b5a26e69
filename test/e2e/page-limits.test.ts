import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Browser, Page } from 'playwright-core'
import { MIB } from '../support/bytes.ts'
import { launchChrome, limitUpload, openPicker, withPage } from '../support/chrome.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Landfall, startLandfall } from '../support/restartable-program.ts'
import { randomFile, type SampleFile } from '../support/sample-files.ts'
import { TUS } from '../support/tus.ts'
import { choose, press, ROW, rowIn, rowsIn, shows } from './support/modern-page.ts'

jest.setTimeout(60_000)

let browser: Browser
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let file: SampleFile
let landfall: Landfall

beforeAll(async () => {
  folder = await temporaryFolder()
  file = await randomFile(folder.path, 'file.bin', 3 * MIB)
  ;[browser, landfall] = await Promise.all([
    launchChrome(),
    startLandfall({ MAX_SIZE: String(4 * MIB), DOWNLOADS: 'off', TERMINATION: 'off' }),
  ])
})

afterAll(async () => {
  await Promise.all([browser.close(), landfall.dispose()])
  await folder.dispose()
})

/** Collects the methods with which a page reaches uploads. */
function methodsOf(page: Page): string[] {
  const methods: string[] = []
  page.on('request', (request) => {
    if (new URL(request.url()).pathname.startsWith('/files')) methods.push(request.method())
  })
  return methods
}

/** Lets the page see a session with other limits. */
async function limitTo(page: Page, limits: object): Promise<void> {
  await page.route('**/session', async (route) => {
    const response = await route.fetch()
    await route.fulfill({ json: { ...(await response.json()), limits } })
  })
}

describe('The modern page', () => {
  it('shows the limits, and sends nothing of a file beyond them', async () => {
    const large = await randomFile(folder.path, 'large.pdf', 2 * MIB + 1)
    const text = path.join(folder.path, 'small.txt')
    await writeFile(text, 'text')
    const [first, second] = [path.join(folder.path, 'one.PDF'), path.join(folder.path, 'two.pdf')]
    for (const name of [first, second]) await writeFile(name, name.padEnd(600, '.'))
    await withPage(browser, async (page) => {
      await limitTo(page, { maxSize: 2 * MIB, types: ['.pdf', '.jpeg'], quota: 2000, used: 1000 })
      const methods = methodsOf(page)
      await page.goto(landfall.url)
      const limits = page.locator('[data-testid=limits]:not(:empty)')
      expect(await limits.textContent()).toBe('Up to 2 MB per file · PDF, JPEG · 0.98 KB of 1.95 KB used')
      await page.click('button[data-language=zh]')
      expect(await limits.textContent()).toBe('单个文件最大 2 MB · PDF、JPEG · 已用 0.98 KB / 1.95 KB')
      expect(await page.getAttribute('[data-testid=file-input]', 'accept')).toBe('.pdf,.jpeg')
      await choose(page, large.path, text)
      await rowsIn(page, rowIn('failed'), 2)
      expect(await page.locator(`${ROW} .state`).allTextContents()).toEqual(['文件超过 2 MB。', '不支持该文件类型。'])
      expect(await page.locator(`${ROW} [data-testid=retry]`).first().isVisible()).toBe(false)
      expect(methods).toEqual([])
      await choose(page, first, second)
      await rowsIn(page, rowIn('failed'), 3)
      expect(await page.locator(`${ROW} .state`).allTextContents()).toContain('超出存储配额。')
      await page.waitForSelector(rowIn('finished'))
    })
  })

  it('waits for a scan that delays a file, and says when the file is rejected', async () => {
    await withPage(browser, async (page) => {
      const answers = [
        { status: 409, headers: { 'Upload-Error': 'scanning' } },
        { status: 422, headers: { 'Upload-Error': 'rejected' } },
      ]
      await page.route('**/files/*', (route) => {
        const answer = route.request().method() === 'HEAD' ? answers.shift() : undefined
        return answer === undefined ? route.continue() : route.fulfill(answer)
      })
      await page.goto(landfall.url)
      await choose(page, file.path)
      const row = page.locator(`${ROW}[data-phase=scanning]`)
      expect(await row.locator('.state').textContent()).toBe('Uploaded; security check in progress')
      await page.waitForSelector(rowIn('failed'))
      expect(await page.textContent(`${ROW} .state`)).toBe('Rejected: the file failed the security check.')
      expect(await page.locator(`${ROW} [data-testid=download]`).isVisible()).toBe(false)
    })
  })

  it('offers no link without downloads, and no deletion without termination', async () => {
    await withPage(browser, async (page) => {
      await page.goto(landfall.url)
      await limitUpload(page, MIB)
      const sent = page.waitForRequest((request) => request.method() === 'PATCH')
      await choose(page, file.path)
      const url = (await sent).url()
      await shows(page, 10)
      expect(await page.locator(`${ROW} [data-testid=cancel]`).isVisible()).toBe(false)
      await press(page, 'forget')
      await page.waitForSelector(ROW, { state: 'detached' })
      expect((await fetch(url, { method: 'HEAD', headers: TUS })).status).toBe(200)
      expect(await page.evaluate(() => Object.keys(localStorage))).toEqual([])
      await limitUpload(page)
      await choose(page, file.path)
      await page.waitForSelector(rowIn('finished'))
      expect(await page.locator(`${ROW} [data-testid=link]`).isVisible()).toBe(false)
      expect(await page.locator(`${ROW} [data-testid=download]`).isVisible()).toBe(false)
    })
  })

  it('explains refusals of the server in the language of the visitor', async () => {
    await withPage(browser, async (page) => {
      await page.goto(landfall.url)
      await page.click('button[data-language=zh]')
      const refusals: [status: number, code: string, sentence: string][] = [
        [403, 'forbidden', '您没有上传权限。'],
        [403, 'cross_site', '服务器不接受来自此网址的请求。'],
        [413, 'quota_exceeded', '超出存储配额。'],
        [413, 'metadata_too_large', '文件名过长。'],
        [415, 'type_not_allowed', '不支持该文件类型。'],
      ]
      for (const [status, code, sentence] of refusals) {
        const headers = { 'Upload-Error': code }
        await page.route('**/files', (route) => route.fulfill({ status, headers }), { times: 1 })
        await choose(page, file.path)
        await page.waitForSelector(rowIn('failed'))
        expect(await page.textContent(`${ROW} .state`)).toBe(sentence)
        const isFinal = code === 'metadata_too_large' || code === 'type_not_allowed'
        await press(page, isFinal ? 'forget' : 'retry')
        if (!isFinal) await page.waitForSelector(rowIn('finished'))
        if (!isFinal) await page.click('[data-testid=clear]')
        await page.waitForSelector(ROW, { state: 'detached' })
      }
    })
  })
})

describe('The classical page', () => {
  it('shows the limits, and links no file without downloads', async () => {
    await withPage(browser, async (page) => {
      await page.goto(`${landfall.url}/legacy`)
      const limits = page.locator('#limits:not(:empty)')
      expect(await limits.textContent()).toBe('Up to 4.00M per file')
      await page.click('button[data-language=zh]')
      expect(await limits.textContent()).toBe('单个文件最大 4.00M')
      await (await openPicker(page)).setFiles(file.path)
      await page.waitForSelector('.file-row[data-state=finished]')
      expect(await page.locator('.file-link').isVisible()).toBe(false)
    })
  })
})
