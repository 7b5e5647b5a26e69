import { mkdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { Layout } from '../../../server/disk/layout.ts'
import { DeadLetters } from '../../../server/outbox/dead-letters.ts'
import { endpointName } from '../../../server/webhooks/endpoint.ts'
import { launchChrome } from '../../support/chrome.ts'
import { temporaryFolder } from '../../support/folder.ts'
import { freePort } from '../../support/free-port.ts'
import { startProgram } from '../../support/program.ts'
import { type Receiver, startReceiver } from '../../support/receiver.ts'
import { makeScanner, type Scanner } from './scanner.ts'

const ADMIN_TOKEN = 'the-token-of-administrators-32-characters'

/** The program with administrators, and a browser. */
export interface AdminStage {
  readonly url: string
  /** `http://127.0.0.1:port` of the admin listener. */
  readonly adminUrl: string
  readonly token: string
  readonly scanner: Scanner
  readonly receiver: Receiver
  /** Does something in a page of a new visitor, and checks that the page complained about nothing. */
  withPage(work: (page: Page) => Promise<void>): Promise<void>
  /** The same for an administrator who has signed in, at a section of the page. */
  asAdmin(hash: string, work: (page: Page) => Promise<void>, options?: BrowserContextOptions): Promise<void>
  close(): Promise<void>
}

/** Starts both. The outbox has two dead letters, of the uploads `one` and `two`. */
export async function startAdminStage(): Promise<AdminStage> {
  const [data, tools, receiver, browser, port] = await Promise.all([
    temporaryFolder(),
    temporaryFolder(),
    startReceiver(),
    launchChrome(),
    freePort(),
  ])
  await writeDeadLetters(data.path, receiver.url)
  const scanner = await makeScanner(tools.path)
  const program = await startProgram({
    DATA_DIR: data.path,
    ADMIN_PORT: String(port),
    ADMIN_TOKEN,
    NODE: 'a',
    ADMIN_NODES: `a=http://127.0.0.1:${port}/admin,b=http://127.0.0.1:${port}/admin?node=b`,
    SCAN_CMD: scanner.command,
    ...receiver.settings,
  })
  const adminUrl = `http://127.0.0.1:${port}`
  const contexts = new Map<string, Promise<BrowserContext>>()
  const open = (hash: string): string => `${adminUrl}/admin${hash}`
  return {
    url: program.url,
    adminUrl,
    token: ADMIN_TOKEN,
    scanner,
    receiver,
    withPage: async (work) => {
      const context = await browser.newContext()
      await watched(await context.newPage(), work)
      await context.close()
    },
    asAdmin: async (hash, work, options = {}) => {
      // The token stays in its tab, so cases with the same options share one.
      const key = JSON.stringify(options)
      const context = contexts.get(key) ?? browser.newContext(options)
      contexts.set(key, context)
      const [page = await (await context).newPage()] = (await context).pages()
      await page.goto('about:blank')
      await watched(page, async () => {
        await page.goto(open(hash))
        await page.locator('#token:visible, nav:visible').first().waitFor()
        if (await page.locator('#token').isVisible()) await signIn(page, ADMIN_TOKEN)
        await page.locator('#nav').waitFor()
        await work(page)
      })
    },
    close: async () => {
      await Promise.all([browser.close(), program.end('SIGKILL'), receiver.close()])
      await Promise.all([data.dispose(), tools.dispose()])
    },
  }
}

/** Enters a token. */
export async function signIn(page: Page, token: string): Promise<void> {
  await page.fill('#token', token)
  await page.keyboard.press('Enter')
}

/** The rules of accessibility that a page breaks, with what breaks them. Needs a context with `bypassCSP`. */
export async function violationsOf(page: Page): Promise<string[]> {
  const isLoaded = await page.evaluate('"axe" in window')
  if (isLoaded !== true) {
    await page.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'))
  }
  const found: unknown = await page.evaluate(
    'axe.run({ resultTypes: ["violations"] }).then(({ violations }) => violations.map(({ id, nodes }) => [id, ...nodes.map((node) => node.target)].join(" ")))',
  )
  return Array.isArray(found) ? found.map(String) : [String(found)]
}

/** Does something in a page. @throws Error when the page complains. */
async function watched(page: Page, work: (page: Page) => Promise<void>): Promise<void> {
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    // Refusals of the service are what some cases are about.
    const isExpected = message.text().startsWith('Failed to load resource')
    if (['error', 'warning'].includes(message.type()) && !isExpected) complaints.push(message.text())
  })
  await work(page)
  page.removeAllListeners('pageerror').removeAllListeners('console')
  if (complaints.length > 0) throw new Error(complaints.join('\n'))
}

async function writeDeadLetters(dataDir: string, url: string): Promise<void> {
  const { outbox } = new Layout(dataDir)
  await mkdir(outbox)
  const letters = new DeadLetters(outbox)
  await letters.begin()
  for (const [index, upload] of ['one', 'two'].entries()) {
    const event = {
      id: `evt_${String(index).padStart(32, '0')}`,
      type: 'finished',
      upload,
      createdAt: '2026-11-23T00:00:00.000Z',
      at: Date.now(),
      body: { type: 'upload.finished', data: { id: upload } },
    } as const
    await letters.add(event, endpointName(new URL(url)), 'status 503')
  }
}
