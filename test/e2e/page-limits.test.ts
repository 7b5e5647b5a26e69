import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Browser, Page } from 'playwright-core'
import { MIB } from '../support/bytes.ts'
import { launchChrome, limitUpload, openPicker, withPage } from '../support/chrome.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Landfall, startLandfall } from '../support/restartable-program.ts'
import { randomFile, type SampleFile, sha256Of, storedFiles } from '../support/sample-files.ts'
import { createUpload, head, PATCH_HEADERS } from '../support/tus.ts'
import { until } from '../support/wire.ts'
import { choose, methodsOf, press, ROW, rowIn, rowsIn, shows, speakChinese } from './support/modern-page.ts'
import { startRenamingProxy } from './support/renaming-proxy.ts'
import { makeScanner, type Scanner } from './support/scanner.ts'

jest.setTimeout(60_000)

let browser: Browser
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let file: SampleFile
let scanner: Scanner
/** Services with narrow limits, with a scanner, and with a scanner but without downloads and deletions. */
let limiting: Landfall
let scanning: Landfall
let closed: Landfall

beforeAll(async () => {
  folder = await temporaryFolder()
  scanner = await makeScanner(folder.path)
  const SCAN_CMD = scanner.command
  file = await randomFile(folder.path, 'file.bin', 2 * MIB)
  ;[browser, limiting, scanning, closed] = await Promise.all([
    launchChrome(),
    startLandfall({
      MAX_SIZE: String(2 * MIB),
      ALLOWED_TYPES: '.pdf,.jpeg',
      QUOTA_BYTES: String(2 * MIB),
      MAX_METADATA: '100',
    }),
    startLandfall({ SCAN_CMD, SCAN_CONCURRENCY: '8' }),
    startLandfall({ SCAN_CMD, MAX_SIZE: String(4 * MIB), DOWNLOADS: 'off', TERMINATION: 'off' }),
  ])
})

afterAll(async () => {
  await Promise.all([browser.close(), limiting.dispose(), scanning.dispose(), closed.dispose()])
  await folder.dispose()
})

const SCANNING = `${ROW}[data-phase=scanning]`
const UNDER_SCAN = 'Uploaded; security check in progress'
const REJECTED = 'Rejected: the file failed the security check.'

/** Creates a file whose first bytes are these. @returns its path. */
async function write(name: string, content: string | Buffer, size = content.length): Promise<string> {
  const place = path.join(folder.path, name)
  await writeFile(place, Buffer.concat([Buffer.from(content), Buffer.alloc(size - content.length)]))
  return place
}

/** The state that a row shows for a file. */
const stateOf = (page: Page, name: string): Promise<string | null> =>
  page.textContent(`${ROW}:has-text("${name}") .state`)

/** The URL of the next upload to which the page sends bytes. */
const urlOfNext = async (page: Page): Promise<string> =>
  (await page.waitForRequest((request) => request.method() === 'PATCH')).url()

/** Waits until the service has every byte of an upload. */
const received = (url: string): Promise<void> =>
  until(async () => {
    const { headers } = await head(url)
    return headers.get('Upload-Offset') !== null && headers.get('Upload-Offset') === headers.get('Upload-Length')
  })

/** Waits until a scan has rejected an upload. */
const rejected = (url: string): Promise<void> =>
  until(async () => (await head(url)).headers.get('Upload-Error') === 'rejected')

const count = (methods: readonly string[], method: string): number => methods.filter((each) => each === method).length

/** Collects the chunks that a classical page sends, as the addresses of the requests. */
function chunksOf(page: Page): string[] {
  const chunks: string[] = []
  page.on('request', (request) => {
    if (request.url().endsWith('/upload/accept')) chunks.push(request.url())
  })
  return chunks
}

describe('The modern page', () => {
  it('shows the limits, and sends nothing of a file beyond them', async () => {
    const large = await write('large.pdf', '%PDF-1.4', 2 * MIB + 1)
    const text = await write('small.txt', 'text')
    const first = await write('one.PDF', '%PDF-1.4 1', MIB)
    const second = await write('two.pdf', '%PDF-1.4 2', MIB)
    await createUpload(limiting.url, MIB / 4, { filename: 'other.pdf' })
    await withPage(browser, async (page) => {
      const methods = methodsOf(page)
      await page.goto(limiting.url)
      const limits = page.locator('[data-testid=limits]:not(:empty)')
      expect(await limits.textContent()).toMatch(/^Up to 2 MB per file · PDF, JPEG · \d+ KB of 2 MB used$/)
      await speakChinese(page)
      expect(await limits.textContent()).toMatch(/^单个文件最大 2 MB · PDF、JPEG · 已用 \d+ KB \/ 2 MB$/)
      expect(await page.getAttribute('[data-testid=file-input]', 'accept')).toBe('.pdf,.jpeg')
      await choose(page, large, text)
      await rowsIn(page, rowIn('failed'), 2)
      expect(await page.locator(`${ROW} .state`).allTextContents()).toEqual(['文件超过 2 MB。', '不支持该文件类型。'])
      expect(await page.locator(`${ROW} [data-testid=retry]`).first().isVisible()).toBe(false)
      expect(methods).toEqual([])
      await choose(page, first, second)
      await rowsIn(page, rowIn('failed'), 3)
      expect(await stateOf(page, 'two.pdf')).toBe('超出存储配额。')
      await page.waitForSelector(rowIn('finished'))
      expect(count(methods, 'POST')).toBe(1)
    })
  })

  it('explains refusals of the service in the language of the visitor', async () => {
    const program = await write('program.pdf', 'MZ', 5000)
    const long = await write(`${'long'.repeat(25)}.pdf`, '%PDF-1.4')
    const late = await write('late.pdf', '%PDF-1.4', MIB / 2)
    await withPage(browser, async (page) => {
      await page.goto(limiting.url)
      await speakChinese(page)
      await choose(page, program)
      await page.waitForSelector(rowIn('failed'))
      expect(await page.textContent(`${ROW} .state`)).toBe('不支持该文件类型。')
      expect(await page.locator(`${ROW} [data-testid=retry]`).isVisible()).toBe(false)
      await press(page, 'forget')
      await choose(page, long)
      await page.waitForSelector(rowIn('failed'))
      expect(await page.textContent(`${ROW} .state`)).toBe('文件名过长。')
      expect(await page.locator(`${ROW} [data-testid=retry]`).isVisible()).toBe(false)
      await press(page, 'forget')
      // The page does not know of this upload, which leaves too little space.
      const { limits } = await (await fetch(`${limiting.url}/session`)).json()
      const other = await createUpload(limiting.url, limits.quota - limits.used - MIB / 4, { filename: 'other.pdf' })
      await choose(page, late)
      await page.waitForSelector(rowIn('failed'))
      expect(await page.textContent(`${ROW} .state`)).toBe('超出存储配额。')
      await fetch(other, { method: 'DELETE', headers: PATCH_HEADERS })
      await press(page, 'retry')
      await page.waitForSelector(rowIn('finished'))
    })
  })

  it('explains that a proxy hides the address of the page from the service', async () => {
    const proxy = await startRenamingProxy(scanning.url)
    await withPage(browser, async (page) => {
      await page.goto(`http://landfall.lan:${proxy.port}/`)
      await choose(page, file.path)
      await page.waitForSelector(rowIn('failed'))
      expect(await page.textContent(`${ROW} .state`)).toBe('The server does not accept requests from this address.')
    })
    await proxy.close()
  })

  it('waits as long as the service asks after too many uploads, and says so in the end', async () => {
    const busy = await startLandfall({ CREATIONS_PER_MINUTE: '1' })
    await createUpload(busy.url, 1)
    // This one waits for its turn.
    const leaving = new AbortController()
    const waiting = fetch(`${busy.url}/files`, {
      method: 'POST',
      headers: { 'Tus-Resumable': '1.0.0', 'Upload-Length': '1' },
      signal: leaving.signal,
    }).catch(() => undefined)
    await withPage(browser, async (page) => {
      await page.clock.install()
      await page.goto(busy.url)
      const statuses: number[] = []
      page.on('response', (response) => {
        if (response.request().method() === 'POST') statuses.push(response.status())
      })
      await choose(page, file.path)
      await page.waitForSelector(`${ROW}[data-phase=retrying]`)
      await page.clock.fastForward('00:30')
      expect(statuses).toEqual([429])
      while ((await page.locator(rowIn('failed')).count()) === 0) await page.clock.fastForward('02:00')
      expect(await page.textContent(`${ROW} .state`)).toBe('Too many requests; try again in a minute.')
      expect(await page.locator(`${ROW} [data-testid=retry]`).isVisible()).toBe(true)
    })
    leaving.abort()
    await waiting
    await busy.dispose()
  })

  it('offers no link without downloads, and no deletion without termination', async () => {
    await withPage(browser, async (page) => {
      await page.goto(closed.url)
      await limitUpload(page, MIB)
      const sent = urlOfNext(page)
      await choose(page, file.path)
      const url = await sent
      await shows(page, 10)
      expect(await page.locator(`${ROW} [data-testid=cancel]`).isVisible()).toBe(false)
      await press(page, 'forget')
      await page.waitForSelector(ROW, { state: 'detached' })
      expect((await head(url)).status).toBe(200)
      expect(await page.evaluate(() => Object.keys(localStorage))).toEqual([])
      await limitUpload(page)
      await choose(page, file.path)
      await page.waitForSelector(rowIn('finished'))
      expect(await page.locator(`${ROW} [data-testid=link]`).isVisible()).toBe(false)
      expect(await page.locator(`${ROW} [data-testid=download]`).isVisible()).toBe(false)
    })
  })

  it('uploads a file again that it can compare with nothing, because downloads are off', async () => {
    const { path: place, sha256 } = await randomFile(folder.path, 'finished-elsewhere.bin', 2 * MIB)
    await withPage(browser, async (page) => {
      await page.goto(closed.url)
      const methods = methodsOf(page)
      await limitUpload(page, MIB)
      const sent = urlOfNext(page)
      await choose(page, place)
      const url = await sent
      await shows(page, 10)
      await press(page, 'pause')
      await limitUpload(page)
      const offset = (await head(url)).headers.get('Upload-Offset') ?? ''
      const rest = (await readFile(place)).subarray(Number(offset))
      const finished = await fetch(url, {
        method: 'PATCH',
        headers: { ...PATCH_HEADERS, 'Upload-Offset': offset },
        body: rest,
      })
      expect(finished.status).toBe(204)
      await press(page, 'resume')
      await page.waitForSelector(rowIn('finished'))
      expect(count(methods, 'POST')).toBe(2)
      const digests = (await storedFiles(closed.dataDir)).map((stored) => stored.sha256)
      expect(digests.filter((digest) => digest === sha256)).toHaveLength(2)
      expect(await sha256Of(place)).toBe(sha256)
    })
  })
})

describe('Both pages', () => {
  it('wait for the verdict of a scan, and send neither a clean nor a rejected file again', async () => {
    const [clean, bad] = [await write('clean.txt', 'HOLD-both'), await write('bad.txt', 'HOLD-both REJECT-ME')]
    const atOnce = await write('at-once.txt', 'REJECT-ME at once')
    await withPage(browser, (modern) =>
      withPage(browser, async (classical) => {
        await modern.goto(scanning.url)
        const methods = methodsOf(modern)
        await choose(modern, clean, bad)
        await classical.goto(`${scanning.url}/legacy`)
        const chunks = chunksOf(classical)
        await (await openPicker(classical)).setFiles([atOnce, clean, bad])

        await rowsIn(modern, SCANNING, 2)
        expect(await modern.locator(`${ROW} .state`).allTextContents()).toEqual([UNDER_SCAN, UNDER_SCAN])
        expect(await modern.locator(`${ROW} [data-testid=download]`).first().isVisible()).toBe(false)
        await classical.locator(`.file-state:has-text("${UNDER_SCAN}")`).nth(1).waitFor()
        await scanner.release('both')

        await modern.waitForSelector(`${rowIn('finished')} [data-testid=download]`)
        await modern.waitForSelector(rowIn('failed'))
        expect(await stateOf(modern, 'bad.txt')).toBe(REJECTED)
        expect(await modern.locator(`${rowIn('failed')} button:visible`).allTextContents()).toEqual(['Remove'])
        expect([count(methods, 'POST'), count(methods, 'PATCH')]).toEqual([2, 2])
        expect(await modern.evaluate(() => Object.keys(localStorage))).toEqual([])

        await classical.waitForSelector('.file-row[data-state=finished] .file-link')
        const refused = classical.locator('.file-row[data-state=rejected]')
        await refused.nth(1).waitFor()
        expect(await refused.locator('.file-state').allTextContents()).toEqual([REJECTED, REJECTED])
        expect(await classical.locator('#retry').isDisabled()).toBe(true)
        expect(chunks).toHaveLength(3)
      }),
    )
  })
})

describe('During a scan, the modern page', () => {
  it('says at once that a file is rejected', async () => {
    const bad = await write('rejected.txt', 'REJECT-ME')
    await withPage(browser, async (page) => {
      await page.goto(scanning.url)
      const methods = methodsOf(page)
      await choose(page, bad)
      await page.waitForSelector(rowIn('failed'))
      expect(await page.textContent(`${ROW} .state`)).toBe(REJECTED)
      expect(methods).toEqual(['POST', 'PATCH'])
    })
  })

  it.each([
    ['pending', 'pending'],
    ['rejected', 'verdict'],
  ])('learns that a file is rejected when it resumes while that is %s', async (_, name) => {
    const bad = await write(`resumed-${name}.txt`, `HOLD-${name} REJECT-ME`)
    await withPage(browser, async (page) => {
      // Without downloads, there are no digests to compare a complete file with.
      await page.goto(closed.url)
      const methods = methodsOf(page)
      const sent = urlOfNext(page)
      await choose(page, bad)
      const url = await sent
      await received(url)
      await press(page, 'pause')
      if (name === 'verdict') {
        await scanner.release(name)
        await rejected(url)
      }
      await press(page, 'resume')
      if (name === 'pending') {
        await page.waitForSelector(SCANNING)
        await scanner.release(name)
      }
      await page.waitForSelector(rowIn('failed'))
      expect(await page.textContent(`${ROW} .state`)).toBe(REJECTED)
      expect([count(methods, 'POST'), count(methods, 'PATCH')]).toEqual([1, 1])
    })
  })

  it('learns that a file is rejected after a visit elsewhere', async () => {
    const bad = await write('revisited.txt', 'HOLD-visit REJECT-ME')
    await withPage(browser, async (page) => {
      await page.goto(scanning.url)
      const sent = urlOfNext(page)
      await choose(page, bad)
      const url = await sent
      await received(url)
      await page.goto('about:blank')
      await scanner.release('visit')
      await rejected(url)
      await page.goto(scanning.url)
      await page.waitForSelector(rowIn('failed'))
      expect(await page.textContent(`${ROW} .state`)).toBe(REJECTED)
    })
  })
})

describe('The classical page', () => {
  it('shows the limits, and links no file without downloads', async () => {
    await withPage(browser, async (page) => {
      await page.goto(`${closed.url}/legacy`)
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
