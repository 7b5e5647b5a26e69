import {
  type Browser,
  type BrowserContext,
  type CDPSession,
  chromium,
  type FileChooser,
  type Page,
} from 'playwright-core'

const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Like pages of any host on a local network, those of *.lan are not a secure context.
  '--host-resolver-rules=MAP *.lan 127.0.0.1',
]

/** Starts the installed Chromium. */
export function launchChrome(): Promise<Browser> {
  return chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ARGS })
}

/** Each session keeps its own limit, of which the lowest counts. */
const sessions = new WeakMap<Page, Promise<CDPSession>>()

async function newSession(page: Page): Promise<CDPSession> {
  const session = await page.context().newCDPSession(page)
  await session.send('Network.enable')
  return session
}

/** Limits how fast a page sends, in bytes per second; without a limit, as fast as it can. */
export async function limitUpload(page: Page, bytesPerSecond = -1): Promise<void> {
  const known = sessions.get(page) ?? newSession(page)
  sessions.set(page, known)
  const session = await known
  await session.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: bytesPerSecond,
  })
}

/** Opens the file dialogue by a click on WebUploader's picker, whose button need not fill the element. */
export async function openPicker(page: Page): Promise<FileChooser> {
  const opened = page.waitForEvent('filechooser')
  await page.click('#picker', { position: { x: 20, y: 10 } })
  return opened
}

/** A page with its own visitor, who ends with it. */
export async function withPage<T>(browser: Browser, work: (page: Page) => Promise<T>): Promise<T> {
  const context: BrowserContext = await browser.newContext()
  try {
    return await work(await context.newPage())
  } finally {
    await context.close()
  }
}
