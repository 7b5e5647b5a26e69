import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Locator, Page } from 'playwright-core'
import { bytesOf } from '../support/bytes.ts'
import { temporaryFolder } from '../support/folder.ts'
import { freePort } from '../support/free-port.ts'
import { startProgram } from '../support/program.ts'
import { bearer, JWT_SECRET } from '../support/tokens.ts'
import {
  beginPatch,
  create,
  createUpload,
  head,
  idOf,
  locationOf,
  PATCH_HEADERS,
  patch,
  patchWith,
  TUS,
} from '../support/tus.ts'
import { cut, sendChunk } from '../support/webuploader.ts'
import { connect } from '../support/wire.ts'
import { type AdminStage, signIn, startAdminStage, violationsOf } from './support/admin-stage.ts'

jest.setTimeout(120_000)

const KIB = 1024

let stage: AdminStage

beforeAll(async () => {
  stage = await startAdminStage()
})

afterAll(() => stage?.close())

const ROW = '[data-testid=upload]'
const rowOf = (page: Page, name: string): Locator => page.locator(ROW, { hasText: name })
const said = (page: Page): Locator => page.locator('[data-testid=said]')
const action = (page: Page, name: string): Locator => page.locator(`[data-action=${name}]`)

/** Waits until an element has a text. */
async function shows(locator: Locator, text: string): Promise<void> {
  await locator.filter({ hasText: text }).first().waitFor()
}

/** A tus upload of which some bytes have arrived. @returns its URL. */
async function halfUpload(name: string, length = 8 * KIB, received = length / 2): Promise<string> {
  const url = await createUpload(stage.url, length, { filename: name })
  await patch(url, 0, bytesOf(length).subarray(0, received))
  return url
}

/** A WebUploader file of ten chunks, of which some have arrived. */
async function halfTask(name: string, chunks: readonly number[]): Promise<ReturnType<typeof cut>> {
  const file = cut(bytesOf(10 * KIB - 7), KIB, { name, task_id: `task_${name}` })
  for (const chunk of chunks) await sendChunk(stage.url, file.fields(chunk), file.bytes(chunk))
  return file
}

async function statusOf(url: string): Promise<number> {
  return (await head(url)).status
}

const openUpload = (url: string): string => `#/uploads/${idOf(url)}`

describe('The page of administrators', () => {
  it('refuses a wrong token, and keeps the right one in its tab only', async () => {
    await stage.withPage(async (page) => {
      await page.goto(`${stage.adminUrl}/admin`)
      await signIn(page, 'wrong')
      await shows(page.locator('[role=alert]'), 'does not accept this token')
      await signIn(page, stage.token)
      await page.locator('#nav').waitFor()
      expect(await page.locator('#nodes a').allTextContents()).toEqual(['a', 'b'])
      expect(await page.locator('#nodes a[aria-current]').textContent()).toBe('a')
      await page.reload()
      await page.locator('#nav').waitFor()
      const traces = await page.evaluate(() => JSON.stringify([location.href, { ...localStorage }, document.cookie]))
      expect(traces).not.toContain(stage.token)
      const other = await page.context().newPage()
      await other.goto(`${stage.adminUrl}/admin`)
      await other.locator('#token').waitFor()
      await page.getByRole('button', { name: 'Sign out' }).click()
      await page.locator('#token').waitFor()
      expect(await page.evaluate(() => sessionStorage.length)).toBe(0)
    })
  })

  it('lists an upload as soon as it is created, and follows its bytes', async () => {
    await stage.asAdmin('', async (page) => {
      const url = await createUpload(stage.url, 8 * KIB, { filename: 'live.bin' })
      const row = rowOf(page, 'live.bin')
      await shows(row.locator('.share'), '0%')
      await patch(url, 0, bytesOf(2 * KIB))
      await shows(row.locator('.share'), '25%')
      await patch(url, 2 * KIB, bytesOf(8 * KIB).subarray(2 * KIB))
      await shows(row.locator('.state'), 'Finished')
    })
  })

  it('moves no row while the list is read, and offers what is new', async () => {
    const first = await halfUpload('read.bin')
    await stage.asAdmin('', async (page) => {
      const link = rowOf(page, 'read.bin').getByRole('link')
      await link.focus()
      const before = await link.boundingBox()
      await createUpload(stage.url, 1, { filename: 'new.bin' })
      await page.locator('[data-testid=changes]').waitFor()
      await patch(first, 4 * KIB, bytesOf(8 * KIB).subarray(4 * KIB, 6 * KIB))
      await shows(rowOf(page, 'read.bin').locator('.share'), '75%')
      expect(await link.boundingBox()).toEqual(before)
      expect(await link.evaluate((element) => element === document.activeElement)).toBe(true)
      await page.click('[data-testid=changes]')
      await rowOf(page, 'new.bin').waitFor()
      expect(await page.locator(ROW).first().textContent()).toContain('new.bin')
    })
  })

  it('filters, searches, and sorts', async () => {
    await halfUpload('Needle one.bin', 64 * KIB)
    await halfUpload('needle two.bin', 16 * KIB)
    await stage.asAdmin('', async (page) => {
      const names = page.locator(`${ROW} .name`)
      await page.getByLabel('Search', { exact: true }).fill('needle')
      await shows(page.locator('.found'), '2 uploads')
      expect(await names.allTextContents()).toEqual(['needle two.bin', 'Needle one.bin'])
      await page.getByLabel('Sort by').selectOption('size-desc')
      await names.first().filter({ hasText: 'Needle one.bin' }).waitFor()
      await page.locator('[data-filter=finished]').click()
      await shows(page.locator('.empty'), 'No uploads match.')
    })
  })

  it('turns pages forth and back, each upload on one of them, while others are created', async () => {
    const created = Array.from({ length: 120 }, (_, index) => `paged-${index}.bin`)
    for (const name of created) await createUpload(stage.url, KIB, { filename: name })
    await stage.asAdmin('', async (page) => {
      await page.getByLabel('Search', { exact: true }).fill('paged-')
      await shows(page.locator('.found'), '120 uploads')
      const names = page.locator(`${ROW} .name`)
      const [previous, next] = ['Previous page', 'Next page'].map((name) => page.getByRole('button', { name }))
      const turn = async (button: Locator | undefined, number: number): Promise<string[]> => {
        await button?.press('Enter')
        await shows(page.locator('.pages'), `Page ${number}`)
        expect(button && (await isFocused(button))).toBe(true)
        return names.allTextContents()
      }
      const first = await names.allTextContents()
      expect(await previous?.getAttribute('aria-disabled')).toBe('true')
      const second = await turn(next, 2)
      await createUpload(stage.url, KIB, { filename: 'paged-later.bin' })
      const third = await turn(next, 3)
      expect([first.length, second.length, third.length]).toEqual([50, 50, 20])
      expect([...first, ...second, ...third].sort()).toEqual([...created].sort())
      expect(await next?.getAttribute('aria-disabled')).toBe('true')
      expect(await turn(previous, 2)).toEqual(second)
      expect((await turn(previous, 1))[0]).toBe('paged-later.bin')
    })
  })

  it('shows which chunks of a WebUploader task are there, live', async () => {
    const file = await halfTask('holes.bin', [0, 1, 4, 7])
    await stage.asAdmin('', async (page) => {
      await rowOf(page, 'holes.bin').getByRole('link').click()
      const missing = page.locator('[data-testid=missing-chunks]')
      await shows(missing, 'Missing: 2–3, 5–6, 8–9')
      const chunks = page.locator('[data-testid=chunks] svg')
      expect(await chunks.getAttribute('aria-label')).toBe('Chunks of holes.bin: 4 of 10 received')
      expect(await chunks.locator('.missing').count()).toBe(10)
      expect(await chunks.locator('.received').count()).toBe(4)
      expect(await page.locator('[data-testid=bytes] .received').count()).toBe(3)
      await sendChunk(stage.url, file.fields(2), file.bytes(2))
      await shows(missing, 'Missing: 3, 5–6, 8–9')
      expect(await chunks.locator('.received').count()).toBe(5)
    })
  })

  it('deletes an upload only when that is confirmed', async () => {
    const url = await halfUpload('unwanted.bin')
    await stage.asAdmin(openUpload(url), async (page) => {
      const button = page.getByRole('button', { name: 'Delete: unwanted.bin' })
      await button.click()
      await page.getByRole('dialog', { name: 'Delete unwanted.bin?' }).waitFor()
      await page.keyboard.press('Escape')
      expect(await button.evaluate((element) => element === document.activeElement)).toBe(true)
      expect(await statusOf(url)).toBe(200)
      await button.click()
      await page.locator('[data-testid=confirm]').click()
      await shows(said(page), 'unwanted.bin was deleted.')
      // For HEAD of tus, 410 is 404.
      expect(await statusOf(url)).toBe(404)
      await shows(page.locator('[data-testid=state]'), 'Removed')
    })
  })

  it('extends an upload', async () => {
    const url = await halfUpload('slow.bin')
    await stage.asAdmin(openUpload(url), async (page) => {
      await action(page, 'extend').click()
      await shows(said(page), 'slow.bin now expires')
    })
  })

  it('interrupts a request, whose bytes stay', async () => {
    const url = await createUpload(stage.url, 8 * KIB, { filename: 'hanging.bin' })
    const wire = await connect(stage.url)
    await beginPatch(wire, url, 0, 8 * KIB, bytesOf(KIB))
    await stage.asAdmin(openUpload(url), async (page) => {
      await action(page, 'interrupt').click()
      await shows(said(page), 'hanging.bin: 1 requests interrupted.')
      await wire.closed
      expect((await head(url)).headers.get('Upload-Offset')).toBe(String(KIB))
    })
  })

  it('finishes a file again that waits for its scan, and downloads it', async () => {
    const content = Buffer.from('HOLD-again, and more')
    const url = await createUpload(stage.url, content.length, { filename: 'held.txt' })
    const last = patch(url, 0, content)
    await stage.asAdmin(openUpload(url), async (page) => {
      await shows(page.locator('[data-testid=state]'), 'Scanning')
      await action(page, 'finish').click()
      await stage.scanner.release('again')
      await shows(said(page), 'held.txt: Finished.')
      await last
      await shows(page.locator('[data-testid=state]'), 'Finished')
      const downloading = page.waitForEvent('download')
      await action(page, 'download').click()
      const download = await downloading
      expect(download.suggestedFilename()).toBe('held.txt')
      expect(await readFile(await download.path())).toEqual(content)
    })
  })

  it('releases a file from quarantine when that is confirmed', async () => {
    const content = Buffer.from('REJECT-ME')
    const url = await createUpload(stage.url, content.length, { filename: 'suspect.txt' })
    await patch(url, 0, content)
    await stage.asAdmin(openUpload(url), async (page) => {
      await shows(page.locator('[data-testid=state]'), 'Rejected')
      await page.getByRole('button', { name: 'Release: suspect.txt' }).click()
      await page.locator('[data-testid=confirm]').click()
      await shows(said(page), 'suspect.txt was released.')
      await shows(page.locator('[data-testid=state]'), 'Finished')
      expect(await (await fetch(url)).text()).toBe('REJECT-ME')
    })
  })

  it('sends a dead letter again, and deletes another', async () => {
    await stage.asAdmin('#/deliveries', async (page) => {
      const letters = page.locator('[data-testid=dead-letter]')
      await shows(page.locator('#dead-count'), '2')
      await page.getByRole('button', { name: 'Delete: finished, two' }).click()
      await page.locator('[data-testid=confirm]').click()
      await page.getByRole('button', { name: 'Delete: finished, two' }).waitFor({ state: 'detached' })
      const before = stage.receiver.deliveries.length
      await page.getByRole('button', { name: 'Retry: finished, one' }).click()
      await letters.waitFor({ state: 'detached' })
      await stage.receiver.count(before + 1)
      expect(stage.receiver.deliveries.map(({ upload }) => upload)).toContain('one')
    })
  })

  it('shows what a sweep would remove, and the settings without secrets', async () => {
    await stage.asAdmin('#/sweep', async (page) => {
      await page.getByRole('button', { name: 'Dry run' }).click()
      await shows(page.locator('[data-testid=sweep]'), 'No upload has expired.')
      await page.getByRole('link', { name: 'Settings' }).click()
      await page.getByLabel('Find a setting').fill('ADMIN_TOKEN')
      await shows(page.locator('[data-testid=setting]'), '***')
      expect(await page.content()).not.toContain(stage.token)
    })
  })

  it('creates a token that uploads within its limits, and nothing else', async () => {
    const folder = await temporaryFolder()
    const port = await freePort()
    const program = await startProgram({
      DATA_DIR: folder.path,
      AUTH: 'jwt',
      JWT_SECRET,
      ADMIN_PORT: String(port),
      ADMIN_TOKEN: stage.token,
    })
    let token = ''
    await stage.withPage(async (page) => {
      await page.goto(`http://127.0.0.1:${port}/admin#/tokens`)
      await signIn(page, stage.token)
      await page.getByLabel('Subject').fill('courier-7')
      await page.getByLabel('Valid for').selectOption({ label: '1 hour' })
      await page.getByLabel('Ask for progress').setChecked(true)
      await page.getByLabel('Maximum file size').fill('0.5')
      await page.getByLabel('Types').fill('.txt, .pdf')
      await page.getByRole('button', { name: 'Create token' }).click()
      await shows(page.locator('.result'), 'Valid until')
      token = await page.locator('[data-testid=token]').inputValue()
      await page.getByRole('link', { name: 'Settings' }).click()
      await page.getByRole('link', { name: 'Tokens' }).click()
      expect(await page.content()).not.toContain(token)
      expect(await page.locator('[data-testid=token]').inputValue()).toBe('')
    })
    const begin = (filename: string, length: number): Promise<Response> =>
      create(program.url, {
        'Upload-Length': String(length),
        'Upload-Metadata': `filename ${Buffer.from(filename).toString('base64')}`,
        ...bearer(token),
      })
    const url = locationOf(await begin('a.txt', 5), program.url)
    const sent = await patchWith(
      url,
      { ...PATCH_HEADERS, 'Upload-Offset': '0', ...bearer(token) },
      Buffer.from('hello'),
    )
    expect(sent.status).toBe(204)
    const asked = await fetch(url, { method: 'HEAD', headers: { ...TUS, ...bearer(token) } })
    expect(asked.headers.get('Upload-Offset')).toBe('5')
    expect((await begin('a.txt', 1024 * 1024)).status).toBe(413)
    expect((await begin('a.exe', 5)).status).toBe(415)
    expect((await fetch(url, { headers: bearer(token) })).status).toBe(403)
    expect((await create(program.url, { 'Upload-Length': '5' })).status).toBe(401)
    await program.end('SIGKILL')
    await folder.dispose()
  })

  it('is in Chinese for those who read it, and changes at once', async () => {
    await halfTask('图片.bin', [0, 3])
    await stage.asAdmin(
      '',
      async (page) => {
        expect(await page.title()).toBe('Landfall – 管理后台')
        expect(await page.getAttribute('html', 'lang')).toBe('zh-Hans')
        await shows(rowOf(page, '图片.bin').locator('.state'), '上传中')
        await rowOf(page, '图片.bin').getByRole('link').click()
        await shows(page.locator('[data-testid=missing-chunks]'), '缺少分片：1–2, 4–9')
        await page.click('button[data-language=en]')
        await shows(page.locator('[data-testid=missing-chunks]'), 'Missing: 1–2, 4–9')
        expect(await page.getByRole('button', { name: 'Delete: 图片.bin' }).count()).toBe(1)
      },
      { locale: 'zh-CN' },
    )
  })

  it('is used with the keyboard alone, and returns the focus to where it was', async () => {
    const url = await halfUpload('by-key.bin')
    await stage.asAdmin('', async (page) => {
      const link = rowOf(page, 'by-key.bin').getByRole('link')
      await link.waitFor()
      await page.keyboard.press('Tab')
      await tabTo(page, link)
      await page.keyboard.press('Enter')
      const button = page.getByRole('button', { name: 'Delete: by-key.bin' })
      await button.waitFor()
      await tabTo(page, button)
      await page.keyboard.press('Enter')
      // “Cancel” has the focus first.
      await page.keyboard.press('Enter')
      expect(await isFocused(button)).toBe(true)
      expect(await statusOf(url)).toBe(200)
      await page.goBack()
      await page.getByRole('heading', { name: 'Uploads' }).waitFor()
      expect(await isFocused(link)).toBe(true)
    })
  })

  it('breaks no rule of accessibility and fits, narrow and wide, light and dark', async () => {
    const url = await halfUpload('accessible.bin')
    const places = [
      ['#/uploads', ROW],
      [openUpload(url), '.columns'],
      ['#/errors', 'h1:text("Recent errors")'],
      ['#/deliveries', 'h1:text("Dead letters")'],
      ['#/sweep', 'h1:text("Sweep")'],
      ['#/tokens', 'form'],
      ['#/settings', '[data-testid=setting]'],
    ] as const
    const sizes = [
      [375, 'light'],
      [1440, 'dark'],
    ] as const
    await stage.asAdmin(
      '',
      async (page) => {
        for (const [hash, sign] of places) {
          await page.goto(`${stage.adminUrl}/admin${hash}`)
          await page.locator(sign).first().waitFor()
          for (const [width, colorScheme] of sizes) {
            await page.setViewportSize({ width, height: 900 })
            await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
            expect([hash, width, await violationsOf(page)]).toEqual([hash, width, []])
            expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0)
          }
        }
      },
      { bypassCSP: true },
    )
  })
})

describe('The public listener', () => {
  it.each(['/admin', '/admin/', '/admin/v1/uploads', '/admin/index.html'])('knows no %s', async (path) => {
    const response = await fetch(stage.url + path, { headers: { Authorization: `Bearer ${stage.token}` } })
    expect(response.status).toBe(404)
  })
})

function isFocused(locator: Locator): Promise<boolean> {
  return locator.evaluate((element) => element === document.activeElement)
}

/** Presses Tab until an element has the focus. @throws Error if no press reaches it. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  for (let press = 0; press < 200; press += 1) {
    if (await isFocused(target)) return
    await page.keyboard.press('Tab')
  }
  throw new Error('Tab does not reach it.')
}
