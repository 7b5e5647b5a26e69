import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Browser, Page } from 'playwright-core'
import { Layout } from '../../server/disk/layout.ts'
import { MIB } from '../support/bytes.ts'
import { launchChrome, limitUpload, withPage } from '../support/chrome.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Landfall, startLandfall } from '../support/restartable-program.ts'
import { randomFile, type SampleFile, sha256At } from '../support/sample-files.ts'
import { TUS } from '../support/tus.ts'
import { until } from '../support/wire.ts'
import { findingsIn } from './support/axe.ts'
import { startLimitingProxy } from './support/limiting-proxy.ts'
import {
  choose,
  firstOffsetsOf,
  methodsOf,
  offsetsOf,
  press,
  ROW,
  rowIn,
  rowsIn,
  shows,
} from './support/modern-page.ts'

jest.setTimeout(120_000)

let browser: Browser
let landfall: Landfall
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let files: SampleFile[]
/** A page of another origin. */
let site: Server
let siteOrigin: string

/** The name and size of each file in `incoming` that is not empty. */
async function receivedSizes(): Promise<[string, number][]> {
  const { incoming } = new Layout(landfall.dataDir)
  const sizeOf = async (name: string): Promise<number> =>
    (await stat(path.join(incoming, name)).catch(() => undefined))?.size ?? 0
  const names = await readdir(incoming)
  const all = await Promise.all(names.map(async (name): Promise<[string, number]> => [name, await sizeOf(name)]))
  return all.filter(([, size]) => size > 0)
}

beforeAll(async () => {
  folder = await temporaryFolder()
  files = await Promise.all([1, 2, 3, 4, 5].map((i) => randomFile(folder.path, `${i}.bin`, 2 * MIB + i)))
  site = createServer((_request, response) => {
    response.setHeader('Content-Type', 'text/html; charset=utf-8')
    response.end(`<!doctype html><html lang="zh"><title>A form</title><form>
      <landfall-upload name="files" required endpoint="${landfall.url}/files">
        <input type="file" name="plain" accept=".bin" multiple>
      </landfall-upload></form>
      <script type="module" src="${landfall.url}/landfall-upload.js"></script></html>`)
  })
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
  const address = site.address()
  siteOrigin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  ;[browser, landfall] = await Promise.all([launchChrome(), startLandfall({ ALLOWED_ORIGINS: siteOrigin })])
})

afterAll(async () => {
  await Promise.all([browser.close(), landfall.dispose()])
  site.closeAllConnections()
  site.close()
  await folder.dispose()
})

const paths = (): string[] => files.map((file) => file.path)

/** Collects the metadata of the uploads that a page creates. */
function metadataOf(page: Page): Record<string, string>[] {
  const found: Record<string, string>[] = []
  page.on('request', (request) => {
    const header = request.headers()['upload-metadata']
    if (request.method() !== 'POST' || header === undefined) return
    const pairs = header.split(',').map((pair) => pair.split(' '))
    found.push(
      Object.fromEntries(pairs.map(([key = '', value = '']) => [key, Buffer.from(value, 'base64').toString()])),
    )
  })
  return found
}

/** Waits until each of the first rows shows at least this many per cent. */
async function allShow(page: Page, percent: number, rows: number): Promise<void> {
  for (let row = 1; row <= rows; row++) await shows(page, percent, `${ROW}:nth-child(${row})`)
}

/** Drops files and folders from outside of the browser. */
async function drop(page: Page, ...dropped: readonly string[]): Promise<void> {
  const session = await page.context().newCDPSession(page)
  const data = { items: [], files: [...dropped], dragOperationsMask: 1 }
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await session.send('Input.dispatchDragEvent', { type, x: 300, y: 300, data })
  }
}

/** Lets the file dialogue return files of the page's own storage, whose handles survive a reload. */
async function offerHandles(page: Page, names: readonly string[], size: number): Promise<void> {
  await page.evaluate(
    async ({ names, size }) => {
      const root = await navigator.storage.getDirectory()
      const handles = await Promise.all(
        names.map(async (name, i) => {
          const handle = await root.getFileHandle(name, { create: true })
          const writable = await handle.createWritable()
          await writable.write(new Uint8Array(size).fill(i + 1))
          await writable.close()
          return handle
        }),
      )
      Object.assign(window, { showOpenFilePicker: async () => handles })
    },
    { names, size },
  )
}

const isGone = async (url: string): Promise<boolean> =>
  [404, 410].includes((await fetch(url, { method: 'HEAD', headers: TUS })).status)

describe('The page', () => {
  it('uploads a dropped folder, and sends the path and the digest of each file', async () => {
    const place = path.join(folder.path, 'holiday')
    await mkdir(path.join(place, 'beach'), { recursive: true })
    await Promise.all([
      writeFile(path.join(place, 'list.txt'), 'towels'),
      writeFile(path.join(place, 'beach/1.jpg'), 'one'),
      writeFile(path.join(place, 'beach/2.jpg'), 'two'),
    ])
    await withPage(browser, async (page) => {
      const metadata = metadataOf(page)
      await page.goto(landfall.url)
      await page.locator('#drop').waitFor()
      await drop(page, place)
      await rowsIn(page, rowIn('finished'), 3)
      const sent = metadata.map(({ relativePath }) => relativePath).sort()
      expect(sent).toEqual(['holiday/beach/1.jpg', 'holiday/beach/2.jpg', 'holiday/list.txt'])
      expect(metadata.map(({ sha256 }) => sha256?.length)).toEqual([64, 64, 64])
    })
  })

  it('uploads a pasted file, but not what is pasted into a text field', async () => {
    await withPage(browser, async (page) => {
      await page.goto(landfall.url)
      await page.locator('#drop').waitFor()
      await page.evaluate(() => {
        const paste = (target: Element, name: string): void => {
          const clipboardData = new DataTransfer()
          clipboardData.items.add(new File(['pasted'], name))
          target.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, composed: true }))
        }
        const field = document.body.appendChild(document.createElement('input'))
        paste(field, 'text.txt')
        paste(document.body, 'picture.png')
      })
      await page.waitForSelector(rowIn('finished'))
      expect(await page.locator(`${ROW} .name`).allTextContents()).toEqual(['picture.png'])
    })
  })

  it('resumes its whole queue by itself after a reload, where the browser can open the files again', async () => {
    const names = ['a.bin', 'b.bin', 'c.bin', 'd.bin', 'e.bin', 'f.bin']
    await withPage(browser, async (page) => {
      await page.goto(landfall.url)
      await offerHandles(page, names, 2 * MIB)
      await limitUpload(page, MIB)
      await page.click('label.target')
      await allShow(page, 10, 3)
      await until(async () => (await receivedSizes()).length === 3)
      await page.locator(`${ROW} [data-testid=pause]`).first().click()
      const received = await receivedSizes()
      // The page may resume before the test sees its rows.
      const starts = firstOffsetsOf(page)
      await page.reload()
      await page.waitForSelector(rowIn('paused'))
      await limitUpload(page)
      await rowsIn(page, rowIn('finished'), 5)
      expect(await page.locator(ROW).count()).toBe(6)
      await page.click(`${rowIn('paused')} [data-testid=resume]`)
      await rowsIn(page, rowIn('finished'), 6)
      expect(received.length).toBeGreaterThanOrEqual(3)
      for (const [name, size] of received) expect(starts.get(name)).toBeGreaterThanOrEqual(size)
    })
  })

  it('asks for the same files after a reload where it cannot open them, and resumes all of them', async () => {
    await withPage(browser, async (page) => {
      await page.goto(landfall.url)
      await limitUpload(page, MIB)
      await choose(page, ...paths())
      await allShow(page, 10, 3)
      await page.reload()
      await rowsIn(page, rowIn('remembered'), 5)
      expect(await page.textContent('[data-testid=waiting]')).toMatch(/choose them again: 5/)
      expect(await findingsIn(page)).toEqual([])
      await limitUpload(page)
      const offsets = offsetsOf(page)
      await choose(page, ...paths())
      await rowsIn(page, rowIn('finished'), 5)
      expect(await page.locator(ROW).count()).toBe(5)
      expect(offsets.filter((offset) => offset > 0)).toHaveLength(3)
    })
  })

  it('undoes a cancel without sending a byte again, and moves the focus to the next row', async () => {
    await withPage(browser, async (page) => {
      await page.goto(landfall.url)
      await limitUpload(page, MIB)
      const offsets = offsetsOf(page)
      await choose(page, ...paths().slice(0, 2))
      await allShow(page, 10, 2)
      await page.locator(`${ROW}:nth-child(1) [data-testid=cancel]`).focus()
      await page.keyboard.press('Enter')
      await page.locator(`${ROW}:has-text("1.bin")`).waitFor({ state: 'detached' })
      expect(await page.locator(`${ROW} :focus`).getAttribute('aria-label')).toBe('Cancel: 2.bin')
      expect(await page.textContent('#announcer')).toMatch(/1\.bin was cancelled/)
      expect(await findingsIn(page)).toEqual([])
      await page.keyboard.press('Control+z')
      await page.locator(`${ROW}:nth-child(1):has-text("1.bin")`).waitFor()
      await limitUpload(page)
      await rowsIn(page, rowIn('finished'), 2)
      expect(offsets.filter((offset) => offset === 0)).toHaveLength(2)
      expect(offsets.filter((offset) => offset > 0)).toHaveLength(1)
    })
  })

  it('shows finished files after a reload, copies their link, and deletes them', async () => {
    await withPage(browser, async (page) => {
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
      const sent = page.waitForRequest((request) => request.method() === 'PATCH')
      await page.goto(landfall.url)
      await choose(page, paths()[0] ?? '')
      const url = (await sent).url()
      await page.waitForSelector(rowIn('finished'))
      await page.reload()
      await press(page, 'copy')
      const copied = page.locator('#announcer', { hasText: 'was copied' })
      await copied.waitFor({ state: 'attached' })
      expect(await sha256At(await page.evaluate(() => navigator.clipboard.readText()))).toBe(files[0]?.sha256)
      await press(page, 'delete')
      await page.click('[data-testid=dismiss]')
      await until(() => isGone(url))
      // What is loaded last shows that the list has been.
      await Promise.all([page.waitForResponse(/\/attempt-/), page.reload()])
      expect(await page.locator(ROW).count()).toBe(0)
    })
  })

  it('halves its requests when a proxy refuses them, for all files', async () => {
    const proxy = await startLimitingProxy(landfall.url, MIB)
    await withPage(browser, async (page) => {
      const limited = page.context().request
      expect((await limited.get(`${proxy.url}/readyz`)).status()).toBe(200)
      await page.goto(proxy.url)
      await choose(page, ...paths().slice(0, 2))
      await rowsIn(page, rowIn('finished'), 2)
      expect(proxy.refused).toBeGreaterThan(0)
      const before = proxy.refused
      await choose(page, paths()[2] ?? '')
      await rowsIn(page, rowIn('finished'), 3)
      expect(proxy.refused).toBe(before)
    })
    await proxy.close()
  })

  it('shows some of 5,000 files, which the keyboard reaches, and the progress of all in its title', async () => {
    await withPage(browser, async (page) => {
      await page.goto(landfall.url)
      await limitUpload(page, MIB)
      await page.evaluate(async () => {
        const upload = document.querySelector('landfall-upload')
        const many = Array.from({ length: 5000 }, (_, i) => new File([`file ${i}`], `${i}.txt`))
        const first = new File([new Uint8Array(4_000_000)], 'first.bin')
        const add: unknown = upload === null ? null : Reflect.get(upload, 'add')
        if (typeof add === 'function') await add.call(upload, [first, ...many])
      })
      await shows(page, 20, `${ROW}:nth-child(1)`)
      await page.click('[data-testid=pause-all]')
      expect(await page.locator(ROW).count()).toBeLessThan(60)
      expect(await page.locator(ROW).first().getAttribute('aria-setsize')).toBe('5001')
      await page.locator(`${ROW} [data-testid=resume]`).first().focus()
      await page.keyboard.press('End')
      const focused = page.locator(`${ROW} :focus`)
      await until(async () => (await focused.getAttribute('aria-label')) === 'Resume: 4999.txt')
      await page.keyboard.press('ArrowUp')
      await until(async () => (await focused.getAttribute('aria-label')) === 'Resume: 4998.txt')
      expect(await findingsIn(page)).toEqual([])
      await page.keyboard.press('Enter')
      await until(async () => /^\d+% · Landfall/.test(await page.title()))
    })
  })

  it.each(['light', 'dark'] as const)('has no findings of axe, %s, in each language, at 320 pixels', async (scheme) => {
    await withPage(browser, async (page) => {
      await page.emulateMedia({ colorScheme: scheme, forcedColors: 'none' })
      await page.setViewportSize({ width: 320, height: 640 })
      await page.goto(landfall.url)
      await limitUpload(page, MIB / 2)
      await choose(page, ...paths().slice(0, 4))
      await shows(page, 5, `${ROW}:nth-child(1)`)
      await page.locator(`${ROW} [data-testid=pause]`).first().click()
      expect(await findingsIn(page)).toEqual([])
      await page.click('button[data-language=zh]')
      await page.locator('.choose', { hasText: '选择文件' }).waitFor()
      expect(await findingsIn(page)).toEqual([])
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
      expect(overflow).toBeLessThanOrEqual(0)
      await page.click('[data-testid=cancel-all]')
      await page.locator('[data-testid=undo]').waitFor()
      expect(await findingsIn(page)).toEqual([])
    })
  })
})

describe('The element with the protocol of the IETF draft', () => {
  it('uploads a file, pauses, and resumes', async () => {
    await withPage(browser, async (page) => {
      const versions = new Set<string | undefined>()
      page.on('request', (request) => {
        if (['POST', 'PATCH'].includes(request.method()))
          versions.add(request.headers()['upload-draft-interop-version'])
      })
      const offsets = offsetsOf(page)
      await page.goto(landfall.url)
      await page.evaluate(() => document.querySelector('landfall-upload')?.setAttribute('protocol', 'draft'))
      await limitUpload(page, MIB / 2)
      await choose(page, paths()[1] ?? '')
      await shows(page, 20)
      await press(page, 'pause')
      await page.waitForSelector(rowIn('paused'))
      await limitUpload(page)
      await press(page, 'resume')
      await page.waitForSelector(rowIn('finished'))
      expect([...versions]).toEqual(['6'])
      expect(offsets.at(-1)).toBeGreaterThan(0)
      const url = await page.locator(`${ROW} [data-testid=download]`).getAttribute('href')
      expect(await sha256At(new URL(url ?? '', landfall.url).href)).toBe(files[1]?.sha256)
    })
  })
})

describe('The element on a page of another origin', () => {
  it('loads only its start until its user comes to it', async () => {
    await withPage(browser, async (page) => {
      const loaded: string[] = []
      page.on('request', (request) => {
        if (request.resourceType() === 'script')
          loaded.push(path.basename(request.url()).replace(/-[\w-]{8}\.js/, '.js'))
      })
      await page.goto(siteOrigin, { waitUntil: 'networkidle' })
      expect(loaded.sort()).toEqual(['landfall-upload.js', 'start.js', 'zh.js'])
      await page.hover('landfall-upload')
      await until(async () => loaded.includes('attempt.js'))
      expect(loaded.slice(3).sort()).toEqual(['attempt.js', 'files-panel.js', 'shared.js'])
    })
  })

  it('takes over the input of a form, gives the form the URLs of its files, and reports events', async () => {
    await withPage(browser, async (page) => {
      const methods = methodsOf(page)
      await page.goto(siteOrigin)
      await page.locator('[data-testid=file-input]').waitFor({ state: 'attached' })
      const form = (): Promise<{ isValid: boolean; sent: Record<string, string> }> =>
        page.evaluate(() => {
          const found = document.forms[0]
          const entries = found === undefined ? [] : [...new FormData(found)]
          return {
            isValid: found?.checkValidity() ?? false,
            sent: Object.fromEntries(entries.map(([name, value]) => [name, String(value)])),
          }
        })
      expect(await form()).toEqual({ isValid: false, sent: {} })
      expect(await page.getAttribute('[data-testid=file-input]', 'accept')).toBe('.bin')
      await page.evaluate(() => {
        const seen: string[] = []
        Object.assign(window, { seen })
        const names = ['before-add', 'add', 'start', 'finish', 'complete']
        for (const name of names) document.addEventListener(`landfall-${name}`, () => seen.push(name))
      })
      await choose(page, paths()[0] ?? '')
      await page.waitForSelector(rowIn('finished'))
      expect(await page.textContent(`${ROW} .state`)).toBe('已完成')
      await page.evaluate(() => {
        const upload = document.querySelector('landfall-upload')
        const [first]: { id: string }[] = upload === null ? [] : Reflect.get(upload, 'files')
        upload?.insertAdjacentHTML('beforeend', `<b slot="item-${first?.id}">Ours</b>`)
      })
      await page.locator('b[slot]').waitFor()
      await until(async () => (await form()).isValid)
      const { sent } = await form()
      expect(Object.keys(sent)).toEqual(['files'])
      expect(await sha256At(sent['files'] ?? '')).toBe(files[0]?.sha256)
      expect(await page.evaluate('seen')).toEqual(['before-add', 'add', 'start', 'finish', 'complete'])
      expect(methods.filter((method) => method === 'POST')).toHaveLength(1)
    })
  })

  it('keeps its form waiting for files that wait for its list, and forgets them when the form is reset', async () => {
    await withPage(browser, async (page) => {
      await page.route(/files-panel|readyz/, (route) => route.abort())
      await Promise.all([page.waitForResponse(/\/session$/), page.goto(siteOrigin)])
      const isWaiting = (): Promise<unknown> =>
        page.evaluate(`document.querySelector('landfall-upload').validity.customError`)
      expect(await isWaiting()).toBe(false)
      await choose(page, paths()[0] ?? '')
      await until(async () => (await isWaiting()) === true)
      await page.evaluate(`document.forms[0].reset()`)
      await page.unroute(/files-panel|readyz/)
      await Promise.all([
        page.waitForResponse(/\/attempt-/),
        page.evaluate(() => window.dispatchEvent(new Event('online'))),
      ])
      await until(async () => (await isWaiting()) === false)
      expect(await page.locator(ROW).count()).toBe(0)
    })
  })
})
