import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Browser, Page } from 'playwright-core'
import { MIB } from '../support/bytes.ts'
import { launchChrome, limitUpload, openPicker, withPage } from '../support/chrome.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Landfall, startLandfall } from '../support/restartable-program.ts'
import { randomFile, type SampleFile, sha256At, sha256Of, storedFiles } from '../support/sample-files.ts'
import { TUS } from '../support/tus.ts'
import { until } from '../support/wire.ts'
import { choose, offsetsOf, press, ROW, rowIn, shows } from './support/modern-page.ts'

jest.setTimeout(120_000)

let browser: Browser
let landfall: Landfall
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let file: SampleFile

beforeAll(async () => {
  folder = await temporaryFolder()
  file = await randomFile(folder.path, '测试 24.bin', 24 * MIB + 17)
  browser = await launchChrome()
  landfall = await startLandfall()
})

afterAll(async () => {
  await browser.close()
  await landfall.dispose()
  await folder.dispose()
})

/** Unexpected actions of a page. */
function watch(page: Page): { foreign: string[]; complaints: string[] } {
  const seen: { foreign: string[]; complaints: string[] } = { foreign: [], complaints: [] }
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url())
    if (protocol.startsWith('http') && origin !== landfall.url) seen.foreign.push(request.url())
  })
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') seen.complaints.push(message.text())
  })
  page.on('pageerror', (error) => seen.complaints.push(error.message))
  return seen
}

describe('The classical page', () => {
  it.each(['/legacy', '/legacy/', '/upload/accept', '/upload/accept/'])(
    'uploads a file and links it (%s)',
    async (address) => {
      await withPage(browser, async (page) => {
        const seen = watch(page)
        await page.goto(landfall.url + address)
        await (await openPicker(page)).setFiles(file.path)
        await page.waitForSelector('.file-row[data-state=finished]', { timeout: 60_000 })
        const link = await page.locator('.file-link:visible').getAttribute('href')
        expect(await sha256At(new URL(link ?? '', landfall.url).href)).toBe(file.sha256)
        const stored = await storedFiles(landfall.dataDir)
        expect(stored).toContainEqual(expect.objectContaining({ name: file.name, sha256: file.sha256 }))
        expect(seen).toEqual({ foreign: [], complaints: [] })
      })
    },
  )
})

describe('A file that WebUploader does not accept', () => {
  const empty = (name: string): { name: string; mimeType: string; buffer: Buffer } => ({
    name,
    mimeType: 'text/plain',
    buffer: Buffer.alloc(0),
  })

  it('is named, also among accepted ones, in each language, until files are chosen again', async () => {
    await withPage(browser, async (page) => {
      await page.goto(`${landfall.url}/legacy`)
      const full = { ...empty('full.txt'), buffer: Buffer.from('full') }
      await (await openPicker(page)).setFiles([empty('one.txt'), empty('two.txt'), full])
      await page.waitForSelector('.file-row[data-state=finished]')
      const notice = page.locator('#notice')
      expect(await notice.isVisible()).toBe(true)
      expect(await notice.textContent()).toMatch(/one\.txt, two\.txt cannot be uploaded/)
      await page.click('button[data-language=zh]')
      expect(await notice.isVisible()).toBe(true)
      expect(await notice.textContent()).toMatch(/无法上传 one\.txt, two\.txt/)
      await openPicker(page)
      expect(await notice.isVisible()).toBe(false)
    })
  })
})

/** Expects the link of the finished row to return the chosen bytes. */
async function expectLinkedFile(page: Page): Promise<void> {
  await page.waitForSelector(rowIn('finished'), { timeout: 60_000 })
  const downloading = page.waitForEvent('download')
  await press(page, 'download')
  const download = await downloading
  expect(download.suggestedFilename()).toBe(file.name)
  expect(await sha256Of(await download.path())).toBe(file.sha256)
}

describe.each([
  ['in one request', '/'],
  ['in 2 MiB requests', `/?chunkSize=${2 * MIB}`],
])('The modern page, %s,', (_, address) => {
  it('uploads a file, pauses, and resumes', async () => {
    await withPage(browser, async (page) => {
      const seen = watch(page)
      const offsets = offsetsOf(page)
      await page.goto(landfall.url + address)
      await limitUpload(page, 8 * MIB)
      await choose(page, file.path)
      await shows(page, 25)
      await press(page, 'pause')
      await page.waitForSelector(rowIn('paused'))
      const sentBefore = offsets.length
      await limitUpload(page)
      await press(page, 'resume')
      await expectLinkedFile(page)
      expect(offsets[sentBefore]).toBeGreaterThan(0)
      expect(seen).toEqual({ foreign: [], complaints: [] })
    })
  })

  it('ignores uploads of another page of its origin', async () => {
    const headers = { ...TUS, 'Upload-Length': '10' }
    const created = await fetch(`${landfall.url}/files`, { method: 'POST', headers })
    const entry = (endpoint: string, url: string, year: number): [string, string] => [
      `tus::tus-br-mine.bin--10-0-${landfall.url}${endpoint}::${year}`,
      JSON.stringify({
        size: 10,
        metadata: { filename: 'mine.bin', filetype: '' },
        creationTime: new Date(Date.UTC(year)).toString(),
        uploadUrl: landfall.url + url,
      }),
    ]
    // The newest is checked first.
    const entries = [
      entry('/other/files', '/other/files/0123', 2026),
      entry('/files', new URL(created.headers.get('Location') ?? '', landfall.url).pathname, 2025),
    ]
    await withPage(browser, async (page) => {
      await page.goto(landfall.url)
      await page.evaluate((all) => {
        for (const [key, value] of all) localStorage.setItem(key, value)
      }, entries)
      const seen: string[] = []
      page.on('request', (request) => seen.push(new URL(request.url()).pathname))
      await page.reload()
      await page.waitForSelector(rowIn('remembered'))
      expect(await page.locator('[data-testid=row]').count()).toBe(1)
      expect(seen.filter((path) => path.startsWith('/other/'))).toEqual([])
      expect(
        await page.evaluate(() => Object.keys(localStorage).filter((key) => key.includes('/other/'))),
      ).toHaveLength(1)
    })
  })

  it('resumes after a reload when the file is chosen again', async () => {
    await withPage(browser, async (page) => {
      const seen = watch(page)
      await page.goto(landfall.url + address)
      await limitUpload(page, 8 * MIB)
      await choose(page, file.path)
      await shows(page, 25)
      await page.reload()
      await page.waitForSelector(rowIn('remembered'))
      await limitUpload(page)
      const offsets = offsetsOf(page)
      await choose(page, file.path)
      await expectLinkedFile(page)
      expect(offsets[0]).toBeGreaterThan(0)
      expect(seen).toEqual({ foreign: [], complaints: [] })
    })
  })

  it('resumes by itself after a kill and a restart of the program', async () => {
    await withPage(browser, async (page) => {
      const offsets = offsetsOf(page)
      await page.goto(landfall.url + address)
      await limitUpload(page, 8 * MIB)
      await choose(page, file.path)
      await shows(page, 30)
      const sentBefore = offsets.length
      await landfall.kill()
      await landfall.startAgain()
      await limitUpload(page)
      await expectLinkedFile(page)
      expect(offsets[sentBefore]).toBeGreaterThan(0)
    })
  })

  it('deletes a cancelled upload on the server when its user no longer wants to undo that', async () => {
    await withPage(browser, async (page) => {
      await page.goto(landfall.url + address)
      await limitUpload(page, 4 * MIB)
      const patched = page.waitForRequest((request) => request.method() === 'PATCH')
      await choose(page, file.path)
      const url = (await patched).url()
      await shows(page, 10)
      expect((await fetch(url, { method: 'HEAD', headers: TUS })).status).toBe(200)
      await press(page, 'cancel')
      await page.waitForSelector(ROW, { state: 'detached' })
      expect((await fetch(url, { method: 'HEAD', headers: TUS })).status).toBe(200)
      await page.click('[data-testid=dismiss]')
      await until(async () => [404, 410].includes((await fetch(url, { method: 'HEAD', headers: TUS })).status))
    })
  })
})
