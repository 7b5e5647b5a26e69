import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { openPicker } from '../../support/chrome.ts'

const FOLDER = new URL('../pages/', import.meta.url)
const WEBUPLOADER = fileURLToPath(new URL('../../../node_modules/webuploader/dist/', import.meta.url))
const OBSERVER = fileURLToPath(new URL('observer.js', import.meta.url))

/** Milliseconds. By default, Chromium would draw a frame for each look. */
const POLLING = 50
/** Where the pages get the tag, behind WebUploader. */
const PLACE_OF_TAG = '<!-- tag -->'
const TAG = '<script src="/landfall-webuploader.js"></script>'

/** A request that the page's scripts made; `status` is 0 without a response. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
  /** The fields of the form or of the query, without the file. */
  readonly fields: Readonly<Record<string, string>>
  /** Bytes of the file in the body. */
  readonly bytes: number
  readonly status: number
  readonly ended: boolean
  readonly text: string
}

/** The response of `/upload/complete`. */
export interface CompleteAnswer {
  readonly ok: boolean
  /** Only for the visitor who began the file, if a cookie identifies one. */
  readonly id?: string
  readonly url?: string
  readonly name: string
  readonly size: number
  readonly error?: { readonly code: string; readonly message: string }
  readonly missing?: readonly number[]
  readonly missing_total?: number
}

/** How the page or its browser differs from the original. */
export interface Variant {
  /** The file of a build of WebUploader that the site serves as `webuploader.min.js`. */
  readonly build?: string
  /** Bytes, instead of the page's 20 MiB. */
  readonly chunkSize?: number
  /** Whether the browser lacks `File.lastModifiedDate`, as Firefox and Safari do. */
  readonly withoutDates?: boolean
  /** Whether the page loads `landfall-webuploader.js` behind WebUploader. */
  readonly isTagged?: boolean
}

/** A page that was written for WebUploader, opened in the origin of the service. */
export class OldPage {
  readonly page: Page
  readonly errors: string[] = []

  private constructor(page: Page) {
    this.page = page
    page.setDefaultTimeout(40_000)
    page.on('pageerror', (error) => this.errors.push(error.message))
  }

  /** @param address the page's file with the query that chooses its variant, such as `old.html?threads=3`. */
  static async open(page: Page, base: string, address: string, variant: Variant = {}): Promise<OldPage> {
    const old = new OldPage(page)
    const { build, chunkSize, withoutDates, isTagged } = variant
    await page.addInitScript({ path: OBSERVER })
    if (withoutDates) await page.addInitScript('delete File.prototype.lastModifiedDate')
    await page.route(`${base}/old/**`, async (route) => {
      const name = new URL(route.request().url()).pathname.replace('/old/', '')
      const original = await readFile(new URL(name, FOLDER), 'utf8')
      const text = isTagged ? original.replace(PLACE_OF_TAG, TAG) : original
      await route.fulfill({
        contentType: name.endsWith('.js') ? 'text/javascript' : 'text/html',
        body: chunkSize === undefined ? text : text.replace('20 * 1024 * 1024', String(chunkSize)),
      })
    })
    // The builds of the page's own site; the service has only the one of its classical page.
    await page.route(`${base}/static/webuploader/*`, (route) => {
      return route.fulfill({ path: path.join(WEBUPLOADER, path.basename(new URL(route.request().url()).pathname)) })
    })
    if (build !== undefined) {
      await page.route(`${base}/static/webuploader/webuploader.min.js`, (route) => route.fulfill({ path: build }))
    }
    await page.goto(`${base}/old/${address}`)
    // Bodies of uploads need not pass through the test.
    await page.unrouteAll()
    await page.evaluate('observed.watch(uploader)')
    return old
  }

  /** Chooses files as a visitor does: by a click on the picker. */
  async choose(...paths: readonly string[]): Promise<void> {
    await (await openPicker(this.page)).setFiles([...paths])
  }

  /** The same, with the response of `/check`, which arrives while the dialogue is open. */
  async chooseAfterCheck(...paths: readonly string[]): Promise<string> {
    const before = (await this.requests('/check')).length
    const dialogue = await openPicker(this.page)
    const answered = "observed.requests.filter((r) => r.path === '/check' && r.ended)"
    await this.page.waitForFunction(`${answered}.length > ${before}`)
    const text = (await this.requests('/check')).at(-1)?.text ?? ''
    await dialogue.setFiles([...paths])
    return text
  }

  /** Polls `/check` as the page does, for at most five seconds, until it lists a chunk. */
  listed(): Promise<boolean> {
    return this.page.evaluate<boolean>(`(async () => {
      for (const end = Date.now() + 5000; Date.now() < end; ) {
        const answer = await fetch('/check', { method: 'POST', body: 'POST TEST' })
        if ((await answer.json()).file_list.flat().length > 0) return true
      }
      return false
    })()`)
  }

  requests(path: string): Promise<SeenRequest[]> {
    return this.page.evaluate<SeenRequest[]>(`observed.requests.filter((r) => r.path === '${path}')`)
  }

  /** Chunk numbers in the order in which the page sent them; a number is repeated if its chunk was sent again. */
  async sentChunks(): Promise<number[]> {
    return (await this.requests('/upload/accept')).map(({ fields }) => Number(fields['chunk'] ?? 0))
  }

  /** How many events of these types the page has received. */
  async count(...types: readonly string[]): Promise<number> {
    return (await this.eventTypes()).filter((heard) => types.includes(heard)).length
  }

  async eventTypes(): Promise<string[]> {
    return this.page.evaluate<string[]>('observed.events.map((event) => event.type)')
  }

  /** Waits until the page has received `count` events of these types. */
  async heard(types: string | readonly string[], count = 1): Promise<void> {
    const wanted = JSON.stringify([types].flat())
    const found = `observed.events.filter((e) => ${wanted}.includes(e.type)).length >= ${count}`
    await this.page.waitForFunction(found, undefined, { polling: POLLING })
  }

  /** Gives the page the cookie of a visitor, as the page of the article gets it by its `/check`. */
  async introduce(): Promise<void> {
    await this.page.evaluate(`fetch('/check', { method: 'POST', body: 'POST TEST' })`)
  }

  /** The upload in the response to the last chunk of the first file. */
  async landed(): Promise<{ readonly id: string; readonly url: string }> {
    const answers = (await this.requests('/upload/accept')).filter(({ status }) => status === 200)
    for (const { text } of answers) {
      const answer: { id: string; url: string; finished: boolean } = JSON.parse(text)
      if (answer.finished) return answer
    }
    throw new Error('No response reported the last chunk.')
  }

  /** Waits until the page shows that more than this share of the file is sent. */
  async sentMoreThan(share: number): Promise<void> {
    await this.page.waitForFunction(`(observed.progress ?? 0) > ${share}`, undefined, { polling: 10 })
  }

  /** Waits for the responses to the first `count` calls of `/upload/complete`. */
  async completed(count = 1): Promise<{ status: number; fields: SeenRequest['fields']; answer: CompleteAnswer }[]> {
    const call = "r.path === '/upload/complete' && r.ended"
    await this.page.waitForFunction(`observed.requests.filter((r) => ${call}).length >= ${count}`, undefined, {
      timeout: 60_000,
      polling: POLLING,
    })
    const calls = await this.requests('/upload/complete')
    return calls.map(({ status, fields, text }) => ({ status, fields, answer: parseAnswer(text) }))
  }
}

function parseAnswer(text: string): CompleteAnswer {
  const answer: CompleteAnswer = JSON.parse(text)
  return answer
}

/** Opens a legacy page for one visitor; the visitor ends with the work. */
export async function withOldPage<T>(
  browser: Browser,
  base: string,
  address: string,
  work: (old: OldPage) => Promise<T>,
  variant: Variant = {},
): Promise<T> {
  const context = await browser.newContext()
  try {
    return await work(await OldPage.open(await context.newPage(), base, address, variant))
  } finally {
    await context.close()
  }
}
