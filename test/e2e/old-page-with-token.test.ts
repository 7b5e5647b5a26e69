import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Browser } from 'playwright-core'
import { MIB } from '../support/bytes.ts'
import { launchChrome, limitUpload } from '../support/chrome.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Landfall, startLandfall } from '../support/restartable-program.ts'
import { randomFile, type SampleFile, storedFile } from '../support/sample-files.ts'
import { inSeconds, JWT_SECRET, tokenFor } from '../support/tokens.ts'
import { until } from '../support/wire.ts'
import { withOldPage } from './support/old-page.ts'

jest.setTimeout(90_000)

const CHUNK = 5 * MIB
/** Bytes per second: slow enough to break a chunk off inside its body. */
const SLOW = 20 * MIB

let browser: Browser
let landfall: Landfall
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let file: SampleFile
let token: string

beforeAll(async () => {
  folder = await temporaryFolder()
  file = await randomFile(folder.path, 'file.bin', 4 * CHUNK + 17)
  browser = await launchChrome()
  landfall = await startLandfall({ AUTH: 'jwt', JWT_SECRET, AUTH_FIELD: 'token' })
  token = await tokenFor('alice')
})

afterAll(async () => {
  await browser.close()
  await landfall.dispose()
  await folder.dispose()
})

const addressOf = (task: string): string => `old.html?check=1&threads=1&chunkSize=${CHUNK}&task=${task}`

async function checkWith(value: string): Promise<string> {
  return (await fetch(`${landfall.url}/check?token=${value}`, { method: 'POST', body: 'POST TEST' })).text()
}

describe('An old page with a token', () => {
  it.each([
    ['in formData', (value: string) => `token = '${value}'; uploader.options.formData.token = token`],
    ['by uploadBeforeSend', (value: string) => `token = '${value}'`],
  ])('%s uploads, and resumes after a reload in a browser without a cookie', async (way, signIn) => {
    const task = `wu_page_with_token_${way.replaceAll(' ', '_')}`
    const owner = `owner ${way}`
    await withOldPage(browser, landfall.url, addressOf(task), async (old) => {
      await limitUpload(old.page, SLOW)
      await old.page.evaluate(signIn(await tokenFor(owner)))
      await old.page.evaluate('observed.breakAt = 3')
      await old.chooseAfterCheck(file.path)
      await old.heard('uploadError')
      expect(await old.page.context().cookies()).toEqual([])
    })
    const renewed = await tokenFor(owner, { exp: inSeconds(600) })
    const list = `{"file_list":[["${task}1","${task}2"]]}`
    // The upload is at rest once the service has noticed the break.
    await until(async () => (await checkWith(renewed)) === list)
    await withOldPage(browser, landfall.url, addressOf(task), async (old) => {
      await old.page.evaluate(signIn(renewed))
      expect(await old.chooseAfterCheck(file.path)).toBe(list)
      const [completed] = await old.completed()
      expect(completed).toMatchObject({ status: 200, answer: { name: 'file.bin', size: file.size } })
      expect(await old.sentChunks()).toEqual([0, 3, 4])
      const stored = await storedFile(landfall.dataDir, (await old.landed()).id)
      expect(stored).toMatchObject({ size: file.size, sha256: file.sha256 })
      expect(old.errors).toEqual([])
    })
  })

  it('sees 401 when the token has expired, and uploads the rest after a retry with a new one', async () => {
    await withOldPage(browser, landfall.url, addressOf('wu_page_with_expired_token'), async (old) => {
      await old.page.evaluate(`token = '${await tokenFor('alice', { exp: inSeconds(-60) })}'`)
      expect(await old.chooseAfterCheck(file.path)).toBe('{"file_list":[[]]}')
      await old.heard('uploadError')
      for (const { status, text } of await old.requests('/upload/accept')) {
        expect(status).toBe(401)
        expect(JSON.parse(text)).toMatchObject({ ok: false, error: { code: 'unauthenticated' } })
      }
      await old.page.evaluate(`token = '${token}'; uploader.retry(uploader.getFiles()[0])`)
      const [completed] = await old.completed()
      expect(completed?.status).toBe(200)
      expect((await storedFile(landfall.dataDir, (await old.landed()).id)).sha256).toBe(file.sha256)
    })
  })
})
