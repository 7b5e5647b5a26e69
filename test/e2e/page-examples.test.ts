/** The examples of pages and scripts, as their own `npm start` serves them. Each is interrupted once. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Browser, Page } from 'playwright-core'
import { MIB } from '../support/bytes.ts'
import { launchChrome, withPage } from '../support/chrome.ts'
import { copyExample, type Example, startExample } from '../support/example.ts'
import { temporaryFolder } from '../support/folder.ts'
import { freePort } from '../support/free-port.ts'
import { type Landfall, startLandfall } from '../support/restartable-program.ts'
import { randomFile, type SampleFile, storedFiles } from '../support/sample-files.ts'
import { type Gate, startGate } from './support/gate.ts'

jest.setTimeout(60_000)

/** All examples have chunks of 1 MiB. simple-uploader.js makes the last one longer. */
const CHUNKS = 8
const SIZE = CHUNKS * MIB + 1234
/** Chunks that arrive before the interruption. */
const ARRIVED = 3

let browser: Browser
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let landfall: Landfall
/** The service, as the examples see it. */
let gate: Gate
let example: Example | undefined
/** Of the pages that have another origin than the service. */
let ports: { readonly react: number; readonly form: number }

beforeAll(async () => {
  folder = await temporaryFolder()
  ports = { react: await freePort(), form: await freePort() }
  const origins = Object.values(ports).map((port) => `http://127.0.0.1:${port}`)
  const settings = { ALLOWED_ORIGINS: origins.join(','), DIALECTS: 'vue-simple-uploader' }
  ;[browser, landfall] = await Promise.all([launchChrome(), startLandfall(settings)])
  gate = await startGate(landfall.url)
})
afterEach(async () => {
  gate.reset()
  // Also after a test that has timed out.
  await example?.dispose()
  example = undefined
})
afterAll(async () => {
  gate.close()
  await Promise.all([browser.close(), landfall.dispose()])
  await folder.dispose()
})

/** Lets some chunks of the next file arrive, and holds the others. Resolves when these have arrived. */
function holdAfterChunks(): Promise<void> {
  return new Promise((resolve) => {
    gate.decide = (count) => (count > ARRIVED ? 'stall' : 'pass')
    gate.onAnswer = (count) => {
      if (count === ARRIVED) resolve()
    }
  })
}

async function killAndStartAgain(): Promise<void> {
  await landfall.kill()
  gate.reset()
  await landfall.startAgain()
}

/** Requests with bytes that were accepted since the interruption. */
function accepted(): number {
  return gate.passed.filter(({ isUpload, status }) => isUpload && status < 300).length
}

async function expectStored(file: SampleFile): Promise<void> {
  const stored = (await storedFiles(landfall.dataDir)).filter(({ name }) => name === file.name)
  expect(stored.map(({ sha256 }) => sha256)).toEqual([file.sha256])
}

/** Runs `work` in the page of an example, with a file of its own. */
async function inExample(
  name: string,
  port: number,
  work: (page: Page, file: SampleFile) => Promise<void>,
): Promise<void> {
  const file = await randomFile(folder.path, `${name}.bin`, SIZE)
  const variables = { PORT: String(port), LANDFALL: gate.url, VITE_LANDFALL: gate.url, NO_COLOR: '1' }
  example = await startExample(name, { variables })
  const { url } = example
  await withPage(browser, async (page) => {
    const errors: Error[] = []
    page.on('pageerror', (error) => errors.push(error))
    await page.goto(url)
    await work(page, file)
    expect(errors).toEqual([])
  })
  await expectStored(file)
}

const chooseIn = (page: Page, input: string, file: SampleFile): Promise<void> => page.setInputFiles(input, file.path)

describe('The example react-uppy', () => {
  it('continues an upload after the service was killed', async () => {
    await inExample('react-uppy', ports.react, async (page, file) => {
      const arrived = holdAfterChunks()
      await chooseIn(page, 'input[type=file]', file)
      await arrived
      await killAndStartAgain()
      await page.getByRole('link', { name: 'Uploaded' }).waitFor()
      expect(accepted()).toBeLessThanOrEqual(CHUNKS + 1 - ARRIVED)
    })
  })
})

describe('The example vue-simple-uploader', () => {
  it('continues after the service was killed, and sends only the missing chunks after a reload', async () => {
    await inExample('vue-simple-uploader', 0, async (page, file) => {
      const choose = (): Promise<void> => chooseIn(page, 'input[type=file]:not([webkitdirectory])', file)
      const arrived = holdAfterChunks()
      await choose()
      await arrived
      await page.reload()
      gate.reset()
      let killed: Promise<void> | undefined
      gate.onAnswer = (count) => {
        if (count === ARRIVED) killed = landfall.kill().then(() => landfall.startAgain())
      }
      await choose()
      await page.locator('.uploader-file[status=success]').waitFor()
      await killed
      // Chunk 0 is the proof that it is the same file.
      expect(killed).toBeDefined()
      expect(accepted()).toBeLessThanOrEqual(CHUNKS - ARRIVED + 1)
    })
  })
})

describe('The example element-form', () => {
  it('continues an upload after the service was killed, and submits its URL', async () => {
    await inExample('element-form', ports.form, async (page, file) => {
      const arrived = holdAfterChunks()
      await page.getByLabel('Name', { exact: true }).fill('Ada')
      await chooseIn(page, '[data-testid=file-input]', file)
      await arrived
      await killAndStartAgain()
      await page.locator('[data-testid=row][data-state=finished]').waitFor()
      expect(accepted()).toBeLessThanOrEqual(CHUNKS + 1 - ARRIVED)
      await page.getByRole('button', { name: 'Send', exact: true }).click()
      await page.getByText(`Thank you, Ada. Documents, in bytes: ${SIZE}.`).waitFor()
    })
  })
})

describe('The example old-page', () => {
  it('sends only the missing chunks after a reload, and adds the file to its form', async () => {
    await inExample('old-page', 0, async (page, file) => {
      const arrived = holdAfterChunks()
      await chooseIn(page, '#picker input', file)
      await arrived
      await page.reload()
      gate.reset()
      await chooseIn(page, '#picker input', file)
      await page.getByText('上传完成').waitFor()
      expect(accepted()).toBeLessThanOrEqual(CHUNKS + 1 - ARRIVED)
      const [stored] = (await storedFiles(landfall.dataDir)).filter(({ name }) => name === file.name)
      expect(await page.inputValue('[name="attachments[]"]')).toBe(stored?.id)
    })
  })
})

describe('The example node-tus', () => {
  it('resumes when it is run again after it was killed', async () => {
    const file = await randomFile(folder.path, 'node-tus.bin', SIZE)
    const copy = await copyExample('node-tus')
    const run = (): ChildProcess =>
      spawn(process.execPath, ['upload.js', file.path], {
        cwd: copy.folder,
        env: { ...copy.env, LANDFALL: gate.url },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
    try {
      const arrived = holdAfterChunks()
      const first = run()
      await arrived
      first.kill('SIGKILL')
      await once(first, 'exit')
      gate.reset()
      const second = run()
      if (second.stdout === null) throw new Error('The script has no output.')
      expect(await text(second.stdout)).toMatch(/100 %\nUploaded: http\S+\n$/)
      expect(accepted()).toBeLessThanOrEqual(CHUNKS + 1 - ARRIVED)
    } finally {
      await copy.dispose()
    }
    await expectStored(file)
  })
})
