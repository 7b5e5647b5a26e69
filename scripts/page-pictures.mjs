// `npm run docs:pictures`: takes the pictures of the pages in docs/, with Chromium, of the built program.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const MB = 1_000_000
/** Bytes per second. */
const RATE = 4 * MB
const VIEW = { viewport: { width: 880, height: 900 }, deviceScaleFactor: 1.5 }
const FILES = { 'Quarterly report.pdf': 3 * MB, 'Harbour at dawn.mp4': 40 * MB, 'Survey 2026.zip': 12 * MB }

const docs = fileURLToPath(new URL('../docs/', import.meta.url))
const folder = await mkdtemp(path.join(tmpdir(), 'landfall-pictures-'))
const main = fileURLToPath(new URL('../dist/program/main.js', import.meta.url))
const env = {
  ...process.env,
  PORT: '0',
  LOG_LEVEL: 'warn',
  DATA_DIR: path.join(folder, 'data'),
  MAX_SIZE: String(5 * 1024 ** 3),
}
const program = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'inherit'] })
const url = await urlIn(program.stdout)
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--hide-scrollbars'],
})
try {
  const files = Object.entries(FILES).map(([name, size]) => ({ path: path.join(folder, name), size }))
  for (const file of files) await writeFile(file.path, randomBytes(file.size))
  const paths = files.map((file) => file.path)
  await takeModern(await open(`${url}/`), paths)
  await takeClassical(await open(`${url}/legacy`), paths)
} finally {
  await browser.close()
  program.kill('SIGKILL')
  await rm(folder, { recursive: true })
}

/** The address that the program prints. */
async function urlIn(output) {
  for await (const line of createInterface({ input: output })) {
    const [url] = /https?:\/\/[^\s"]+/.exec(line) ?? []
    if (url !== undefined) return url
  }
  throw new Error('The program has not started.')
}

/** Opens a page that sends slowly. */
async function open(url) {
  const context = await browser.newContext(VIEW)
  const page = await context.newPage()
  const session = await context.newCDPSession(page)
  await session.send('Network.enable')
  const conditions = { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: RATE }
  await session.send('Network.emulateNetworkConditions', conditions)
  await page.goto(url)
  return page
}

/** Waits until the bar of a row shows at least this many per cent. */
async function shows(page, row, percent) {
  const bar = page.locator(row).getByRole('progressbar')
  while (Number(await bar.getAttribute('aria-valuenow')) < percent) await setTimeout(50)
}

async function takeModern(page, paths) {
  const row = (place) => `[data-testid=row]:nth-child(${place})`
  await page.setInputFiles('[data-testid=file-input]', paths)
  await shows(page, row(3), 55)
  await page.click(`${row(3)} [data-testid=pause]`)
  await page.waitForSelector(`${row(1)}[data-state=finished]`)
  await shows(page, row(2), 40)
  await page.screenshot({ path: `${docs}modern-page.png` })
}

async function takeClassical(page, paths) {
  await page.setInputFiles('#picker input', paths)
  await page.waitForSelector('.file-row:nth-child(1)[data-state=finished]')
  await shows(page, '.file-row:nth-child(2)', 40)
  await page.screenshot({ path: `${docs}classical-page.png` })
}
