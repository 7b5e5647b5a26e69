import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { limitUpload, openPicker, withPage } from '../../support/chrome.ts'
import type { Landfall } from '../../support/restartable-program.ts'
import { type SampleFile, sha256At } from '../../support/sample-files.ts'
import type { SeenRequest } from './old-page.ts'

const OBSERVER = fileURLToPath(new URL('observer.js', import.meta.url))
/** The page `/legacy`, observed since it was last loaded. */
export class ClassicalPage {
  readonly page: Page

  constructor(page: Page) {
    this.page = page
  }

  async choose(...files: readonly SampleFile[]): Promise<void> {
    await (await openPicker(this.page)).setFiles(files.map((file) => file.path))
  }

  /** Chooses a file and waits until the page shows at least this many per cent. @param rate in bytes per second. */
  async sendUpTo(percent: number, file: SampleFile, rate = 32 * 1024 * 1024): Promise<void> {
    await limitUpload(this.page, rate)
    await this.choose(file)
    // The page's policy allows no scripts of a test to wait inside.
    while (Number(await this.page.getAttribute('[role=progressbar]', 'aria-valuenow')) < percent) await setTimeout(10)
  }

  async reload(): Promise<void> {
    await this.page.reload()
    await limitUpload(this.page)
  }

  /** The chunks that were sent since the page was loaded last. */
  chunks(): Promise<SeenRequest[]> {
    return this.page.evaluate<SeenRequest[]>("observed.requests.filter((r) => r.path === '/upload/accept')")
  }

  /** Waits until this many files are finished and linked. @returns their hashes, in the order of the rows. */
  async finished(count = 1): Promise<readonly string[]> {
    const links = this.page.locator('.file-row[data-state=finished] .file-link:visible')
    await links.nth(count - 1).waitFor({ timeout: 30_000 })
    const urls = await links.evaluateAll((all) => all.map((link) => link.getAttribute('href') ?? ''))
    return Promise.all(urls.map((url) => sha256At(new URL(url, this.page.url()).href)))
  }
}

/** Firefox and Safari lack the first; over plain HTTP every browser lacks the second. */
const WITHOUT = `
  delete File.prototype.lastModifiedDate
  Object.defineProperty(Crypto.prototype, 'subtle', { value: undefined })
`

/** Opens `/legacy` for a new visitor, whose browser may lack `File.lastModifiedDate` and SHA-256. */
export function withClassicalPage<T>(
  browser: Browser,
  landfall: Landfall,
  work: (legacy: ClassicalPage) => Promise<T>,
  { isLimited = false } = {},
): Promise<T> {
  return withPage(browser, async (page) => {
    await page.addInitScript({ path: OBSERVER })
    if (isLimited) await page.addInitScript(WITHOUT)
    await page.goto(`${landfall.url}/legacy`)
    return work(new ClassicalPage(page))
  })
}
