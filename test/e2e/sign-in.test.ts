import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Browser, Page } from 'playwright-core'
import { MIB } from '../support/bytes.ts'
import { launchChrome, limitUpload, openPicker, withPage } from '../support/chrome.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Landfall, startLandfall } from '../support/restartable-program.ts'
import { randomFile, type SampleFile, sha256Of, storedFiles } from '../support/sample-files.ts'
import { bearer } from '../support/tokens.ts'
import { until } from '../support/wire.ts'
import { JWT_SECRET, type LoginService, startLoginService, tokenFor } from './support/identities.ts'
import {
  beforePatch,
  choose,
  methodsOf,
  offsetsOf,
  press,
  ROW,
  rowIn,
  shows,
  speakChinese,
} from './support/modern-page.ts'

jest.setTimeout(60_000)

let browser: Browser
let byToken: Landfall
let byCookie: Landfall
let login: LoginService
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let file: SampleFile
let small: SampleFile

beforeAll(async () => {
  login = await startLoginService()
  folder = await temporaryFolder()
  file = await randomFile(folder.path, 'file.bin', 6 * MIB + 17)
  small = await randomFile(folder.path, 'small.bin', 1000)
  ;[browser, byToken, byCookie] = await Promise.all([
    launchChrome(),
    startLandfall({ AUTH: 'jwt', JWT_SECRET, AUTH_FIELD: 'token' }),
    startLandfall({ AUTH: 'forward', AUTH_URL: login.url }),
  ])
})

afterAll(async () => {
  await Promise.all([browser.close(), byToken.dispose(), byCookie.dispose(), login.close()])
  await folder.dispose()
})

const SIGNED_OUT = `${ROW}[data-phase=signed-out]`

/** Follows a link to the open page with a new token. */
async function renew(page: Page, token: string): Promise<void> {
  await page.evaluate((value) => {
    location.hash = `token=${value}`
  }, token)
}

/** Waits until the service does not accept a token any more. */
function expiry(token: string): Promise<void> {
  return until(async () => {
    const response = await fetch(`${byToken.url}/session`, { headers: bearer(token) })
    return (await response.json()).signedIn === false
  })
}

/** Everything in which a page could leave a token. */
function tracesOf(page: Page): Promise<string> {
  return page.evaluate(() =>
    JSON.stringify([location.href, { ...localStorage }, { ...sessionStorage }, document.cookie]),
  )
}

/** Collects the addresses that a page requests. */
function addressesOf(page: Page): string[] {
  const addresses: string[] = []
  page.on('request', (request) => addresses.push(request.url()))
  return addresses
}

/** Expects that every byte was sent once. */
function expectNoByteTwice(offsets: readonly number[]): void {
  expect(offsets[0]).toBe(0)
  expect(offsets.every((offset, i) => i === 0 || offset > (offsets[i - 1] ?? 0))).toBe(true)
}

async function expectDownload(page: Page): Promise<void> {
  await page.waitForSelector(`${rowIn('finished')} [data-testid=download]`)
  const downloading = page.waitForEvent('download')
  await press(page, 'download')
  const download = await downloading
  expect(download.suggestedFilename()).toBe(file.name)
  expect(await sha256Of(await download.path())).toBe(file.sha256)
}

/** Expects that a link, which is valid for an hour, is another one after half of that. */
async function expectRenewal(page: Page, selector: string): Promise<void> {
  const link = page.locator(selector)
  await link.waitFor()
  const first = await link.getAttribute('href')
  await page.clock.fastForward('31:00')
  await until(async () => (await link.getAttribute('href')) !== first)
}

describe('The modern page with AUTH=jwt', () => {
  it('asks a visitor without a token to sign in, in each language, and offers no drop zone', async () => {
    await withPage(browser, async (page) => {
      await page.goto(`${byToken.url}/#token=wrong`)
      const notice = page.locator('[data-testid=notice]')
      await notice.waitFor()
      expect(await notice.textContent()).toMatch(/Sign in to upload files/)
      expect(await page.locator('#drop').isVisible()).toBe(false)
      await speakChinese(page)
      expect(await notice.textContent()).toMatch(/请先登录/)
      await choose(page, file.path)
      expect(await page.textContent('#announcer')).toMatch(/请先登录/)
      await renew(page, await tokenFor('alice'))
      await page.locator('#drop').waitFor()
      expect(await notice.isVisible()).toBe(false)
      expect(await page.locator(ROW).count()).toBe(0)
    })
  })

  it('resumes where it was when an expired token is renewed, and links a file that any client can read', async () => {
    await withPage(browser, async (page) => {
      const addresses = addressesOf(page)
      const offsets = offsetsOf(page)
      await page.goto(`${byToken.url}/?chunkSize=${MIB}`)
      const [first, second] = [await tokenFor('alice', 5), await tokenFor('alice')]
      await beforePatch(page, 3, () => expiry(first))
      await renew(page, first)
      await page.locator('#drop').waitFor()
      await choose(page, file.path)
      await page.waitForSelector(SIGNED_OUT)
      expect(await page.textContent(`${SIGNED_OUT} .state`)).toBe('Sign-in expired; sign in again to resume')
      expect(await page.textContent('[data-testid=notice]')).toMatch(/has expired/)
      await speakChinese(page)
      expect(await page.textContent(`${SIGNED_OUT} .state`)).toBe('登录已过期，重新登录后自动续传')
      const refused = offsets.pop() ?? 0
      expect(refused).toBeGreaterThan(0)
      await renew(page, second)
      await expectDownload(page)
      expectNoByteTwice(offsets)
      expect(offsets).toContain(refused)
      const link = (await page.getAttribute('[data-testid=download]', 'href')) ?? ''
      expect(addresses.filter((address) => /\/files\/[^~/]+$/.test(address))).not.toContain(link)
      expect((await fetch(link)).status).toBe(200)
      expect((await fetch(link, { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' } })).ok).toBe(false)
      const traces = (await tracesOf(page)) + addresses.join()
      expect(traces).not.toContain(first)
      expect(traces).not.toContain(second)
    })
  })

  it('renews a link to a file long before it expires', async () => {
    await withPage(browser, async (page) => {
      await page.clock.install()
      await page.goto(`${byToken.url}/#token=${await tokenFor('alice')}`)
      await choose(page, small.path)
      await expectRenewal(page, `${rowIn('finished')} [data-testid=download]`)
    })
  })

  it('sends nothing of an upload with the token of another user', async () => {
    await withPage(browser, async (page) => {
      const [alice, bob] = [await tokenFor('alice'), await tokenFor('bob')]
      const headers: (string | undefined)[] = []
      page.on('request', (request) => {
        if (request.method() === 'PATCH') headers.push(request.headers()['authorization'])
      })
      await page.goto(`${byToken.url}/?chunkSize=${MIB / 4}#token=${alice}`)
      await limitUpload(page, MIB)
      await choose(page, file.path)
      await shows(page, 5)
      const next = (): Promise<unknown> => page.waitForRequest((request) => request.method() === 'PATCH')
      // The page sends chunks before it knows whose the new token is.
      await page.route('**/session', async (route) => {
        await next()
        await route.continue()
      })
      await renew(page, bob)
      await page.waitForSelector(ROW, { state: 'detached' })
      expect(new Set(headers)).toEqual(new Set([`Bearer ${alice}`]))
    })
  })

  it('shows the next user of the browser no row of another', async () => {
    await withPage(browser, async (page) => {
      const token = await tokenFor('alice')
      await page.goto(`${byToken.url}/#token=${token}`)
      await limitUpload(page, 2 * MIB)
      await choose(page, file.path)
      await shows(page, 10)
      expect(await tracesOf(page)).not.toContain(token)
      await renew(page, await tokenFor('bob'))
      await page.waitForSelector(ROW, { state: 'detached' })
      await page.goto('about:blank')
      await page.goto(`${byToken.url}/#token=${await tokenFor('bob')}`)
      await limitUpload(page)
      // A chosen file follows the remembered rows.
      await choose(page, small.path)
      await page.waitForSelector(rowIn('finished'))
      expect(await page.locator(ROW).count()).toBe(1)
      await renew(page, await tokenFor('alice'))
      await page.waitForSelector(rowIn('remembered'))
      const offsets = offsetsOf(page)
      await choose(page, file.path)
      await expectDownload(page)
      expect(offsets[0]).toBeGreaterThan(0)
    })
  })

  it('says that a token does not suffice', async () => {
    await withPage(browser, async (page) => {
      const notice = page.locator('[data-testid=notice]')
      await page.goto(`${byToken.url}/#token=${await tokenFor('alice', 600, { may: ['read'] })}`)
      await notice.waitFor()
      expect(await notice.textContent()).toMatch(/You do not have permission to upload here/)
      await renew(page, await tokenFor('alice', 600, { may: ['create'] }))
      await notice.waitFor({ state: 'hidden' })
      await choose(page, small.path)
      await page.waitForSelector(rowIn('failed'))
      expect(await page.textContent(`${ROW} .state`)).toBe('You do not have permission to upload here.')
    })
  })
})

describe('The modern page with AUTH=forward', () => {
  const signIn = (page: Page, value: string): Promise<void> =>
    page.context().addCookies([{ name: 'login', value, url: byCookie.url }])

  it('resumes when the visitor has signed in again', async () => {
    await withPage(browser, async (page) => {
      await signIn(page, 'carol')
      const offsets = offsetsOf(page)
      await beforePatch(page, 3, () => signIn(page, 'expired'))
      await page.goto(`${byCookie.url}/?chunkSize=${MIB}`)
      await choose(page, file.path)
      await page.waitForSelector(SIGNED_OUT)
      offsets.pop()
      await signIn(page, 'carol')
      await page.click('[data-testid=sign-in]')
      await expectDownload(page)
      expectNoByteTwice(offsets)
    })
  })

  it('gives no file of a visitor to the next one who signs in', async () => {
    await withPage(browser, async (page) => {
      await signIn(page, 'carol')
      const methods = methodsOf(page)
      await beforePatch(page, 3, () => signIn(page, 'mallory'))
      await page.goto(`${byCookie.url}/?chunkSize=${MIB}`)
      await choose(page, file.path)
      await page.waitForSelector(rowIn('failed'))
      await press(page, 'retry')
      await page.waitForSelector(ROW, { state: 'detached' })
      expect(methods.filter((method) => method === 'POST')).toHaveLength(1)
    })
  })
})

describe('The classical page with AUTH=jwt', () => {
  it('waits for a new token, and resumes', async () => {
    await withPage(browser, async (page) => {
      const addresses = addressesOf(page)
      await page.goto(`${byToken.url}/legacy#token=wrong`)
      const notice = page.locator('#sign-in')
      await notice.waitFor()
      expect(await notice.textContent()).toMatch(/Sign in to upload files/)
      const token = await tokenFor('dave', 3)
      let chunks = 0
      await page.route('**/upload/accept', async (route) => {
        chunks += 1
        if (chunks === 2) await expiry(token)
        await route.continue()
      })
      await renew(page, token)
      await notice.waitFor({ state: 'hidden' })
      await (await openPicker(page)).setFiles(file.path)
      const waiting = page.locator('.file-row[data-state=signed-out] .file-state')
      await waiting.waitFor()
      expect(await waiting.textContent()).toBe('Sign-in expired; sign in again to resume')
      await notice.waitFor()
      expect(await page.textContent('#sign-in-text')).toBe('Your sign-in has expired. Sign in again to resume.')
      await page.click('button[data-language=zh]')
      expect(await waiting.textContent()).toBe('登录已过期，重新登录后自动续传')
      await renew(page, await tokenFor('dave'))
      await page.waitForSelector('.file-row[data-state=finished]')
      const stored = await storedFiles(byToken.dataDir)
      expect(stored.filter(({ sha256 }) => sha256 === file.sha256).length).toBeGreaterThan(0)
      expect((await tracesOf(page)) + addresses.join()).not.toContain(token)
    })
  })

  it('renews a link to a file long before it expires', async () => {
    await withPage(browser, async (page) => {
      await page.clock.install()
      await page.goto(`${byToken.url}/legacy#token=${await tokenFor('dave')}`)
      await (await openPicker(page)).setFiles(small.path)
      await expectRenewal(page, '.file-row[data-state=finished] .file-link')
    })
  })
})
