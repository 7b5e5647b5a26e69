// node tus.mjs <folder> <job>: uploads a file with one version of Uppy in Chromium; resumes what an earlier process
// with the same store began. The page has another origin than the service. Prints the URL. SIGTERM saves the page's
// localStorage and closes the browser, which itself would write that some seconds later.
import { cpSync, existsSync } from 'node:fs'
import path from 'node:path'
import { chromium } from 'playwright-core'

const [, , version, text] = process.argv
const job = JSON.parse(text)
/** Chromium treats a page without a server as public, and would not let it reach this host. */
const LOCAL = '--disable-features=LocalNetworkAccessChecks'
const state = path.join(job.store, 'state.json')
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [LOCAL, '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  handleSIGTERM: false,
})
const context = await browser.newContext(existsSync(state) ? { storageState: state } : {})
process.on('SIGTERM', async () => {
  await context.storageState({ path: state })
  await browser.close()
  process.exit(1)
})
const page = await context.newPage()
const origin = `http://localhost:${new URL(job.endpoint).port}`
await page.route(`${origin}/**`, (route) => {
  if (route.request().url().endsWith('.js')) return route.fulfill({ path: `${version}/page.iife.js` })
  return route.fulfill({
    contentType: 'text/html',
    body: '<!doctype html><input type="file"><script src="/page.js"></script>',
  })
})
await page.goto(`${origin}/`)
const retryDelays = Array.from({ length: 60 }, (_, i) => Math.min(i * 5, 100))
const options = JSON.stringify({ endpoint: job.endpoint, retryDelays, ...job.options })
const uploaded = page.evaluate(`uploadChosen(${options})`)
// Uppy recognizes a file by name, size, and date.
const chosen = path.join(job.store, job.name)
cpSync(job.file, chosen, { preserveTimestamps: true })
await page.setInputFiles('input', chosen)
console.log(await uploaded)
await browser.close()
