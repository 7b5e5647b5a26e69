/** The page, with a service that has the chosen file already. */
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Browser, Page } from 'playwright-core'
import { MIB } from '../support/bytes.ts'
import { launchChrome, withPage } from '../support/chrome.ts'
import { temporaryFolder } from '../support/folder.ts'
import { send } from '../support/instant.ts'
import { type Landfall, startLandfall } from '../support/restartable-program.ts'
import { randomFile, type SampleFile, storedFiles } from '../support/sample-files.ts'
import { bearer } from '../support/tokens.ts'
import { idOf } from '../support/tus.ts'
import { JWT_SECRET, tokenFor } from './support/identities.ts'
import { choose, methodsOf, press, ROW, rowIn } from './support/modern-page.ts'

jest.setTimeout(60_000)

let browser: Browser
let landfall: Landfall
let folder: Awaited<ReturnType<typeof temporaryFolder>>

beforeAll(async () => {
  ;[browser, landfall, folder] = await Promise.all([
    launchChrome(),
    startLandfall({ AUTH: 'jwt', JWT_SECRET, AUTH_FIELD: 'token', INSTANT: 'owner' }),
    temporaryFolder(),
  ])
})
afterAll(async () => {
  await Promise.all([browser.close(), landfall.dispose()])
  await folder.dispose()
})

/** The ids of the finished uploads with the bytes of a file. */
async function uploadsOf({ sha256 }: SampleFile): Promise<string[]> {
  const stored = await storedFiles(landfall.dataDir)
  return stored.filter((file) => file.sha256 === sha256).map(({ id }) => id)
}

/** Runs `work` on the page of a user who has stored a file before, as the upload `sent`. */
async function withSentFile(name: string, work: (page: Page, file: SampleFile, sent: string) => Promise<void>) {
  const file = await randomFile(folder.path, name, 2 * MIB + 1)
  const token = await tokenFor(name)
  const sent = await send(landfall.url, await readFile(file.path), bearer(token))
  await withPage(browser, async (page) => {
    await page.goto(`${landfall.url}/#token=${token}`)
    await page.locator('#drop').waitFor()
    await work(page, file, idOf(sent))
  })
}

/** A proof that the service has accepted, while the page waits for the answer. */
interface HeldProof {
  /** The upload that it has created. */
  readonly id: string
  /** Lets the page have the answer, and waits until its DELETE is answered. @returns the upload that it deletes. */
  answer(): Promise<string>
}

/** Chooses a file, and holds the answer to the first proof of it. */
async function holdProof(page: Page, file: SampleFile): Promise<HeldProof> {
  const held = new Promise<HeldProof>((resolve, reject) => {
    const hold = page.route(
      '**/instant/proof',
      async (route) => {
        const response = await route.fetch()
        const answer = async (): Promise<string> => {
          const deleted = page.waitForResponse((found) => found.request().method() === 'DELETE')
          await route.fulfill({ response })
          return idOf((await deleted).url())
        }
        resolve({ id: idOf(response.headers()['location'] ?? ''), answer })
      },
      { times: 1 },
    )
    hold.then(() => choose(page, file.path)).catch(reject)
  })
  return held
}

describe('The page with INSTANT', () => {
  it('leaves no upload when a row is cancelled while its proof is answered', async () => {
    await withSentFile('cancelled.bin', async (page, file, sent) => {
      const methods = methodsOf(page)
      const proof = await holdProof(page, file)
      expect((await uploadsOf(file)).sort()).toEqual([sent, proof.id].sort())
      await press(page, 'cancel')
      await page.waitForSelector(ROW, { state: 'detached' })
      // Now the page no longer remembers the row.
      await page.click('[data-testid=dismiss]')
      await page.locator('[data-testid=undo]').waitFor({ state: 'hidden' })
      expect(await proof.answer()).toBe(proof.id)
      expect(await uploadsOf(file)).toEqual([sent])
      expect(methods).toEqual(['DELETE'])
    })
  })

  it('leaves one upload when a row is paused while its proof is answered, and resumed', async () => {
    await withSentFile('paused.bin', async (page, file, sent) => {
      const methods = methodsOf(page)
      const proof = await holdProof(page, file)
      await press(page, 'pause')
      await page.waitForSelector(rowIn('paused'))
      const proved = page.waitForResponse('**/instant/proof')
      await press(page, 'resume')
      const second = idOf((await (await proved).headerValue('location')) ?? '')
      await page.waitForSelector(rowIn('finished'))
      expect(await proof.answer()).toBe(proof.id)
      expect((await uploadsOf(file)).sort()).toEqual([sent, second].sort())
      expect(methods.filter((method) => method !== 'HEAD')).toEqual(['DELETE'])
    })
  })

  it('leaves one upload when a paused row resumes after its proof is answered', async () => {
    await withSentFile('resumed.bin', async (page, file, sent) => {
      const methods = methodsOf(page)
      const proof = await holdProof(page, file)
      await press(page, 'pause')
      await page.waitForSelector(rowIn('paused'))
      expect(await proof.answer()).toBe(proof.id)
      expect(await uploadsOf(file)).toEqual([sent])
      await press(page, 'resume')
      await page.waitForSelector(rowIn('finished'))
      expect(await uploadsOf(file)).toHaveLength(2)
      expect(methods.filter((method) => method !== 'HEAD')).toEqual(['DELETE'])
    })
  })
})
