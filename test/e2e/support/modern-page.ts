import { setTimeout } from 'node:timers/promises'
import type { Page, Request } from 'playwright-core'

/** The modern page, `/`, as a visitor sees it. */

export const ROW = '[data-testid=row]'
export const rowIn = (state: string): string => `${ROW}[data-state=${state}]`
export const press = (page: Page, name: string): Promise<void> => page.click(`${ROW} [data-testid=${name}]`)

export async function choose(page: Page, ...paths: readonly string[]): Promise<void> {
  await page.setInputFiles('[data-testid=file-input]', [...paths])
}

/** Waits until at least this many rows match. */
export async function rowsIn(page: Page, selector: string, count: number): Promise<void> {
  await page
    .locator(selector)
    .nth(count - 1)
    .waitFor()
}

/**
 * Waits until a row shows at least this many per cent. The page's policy allows no scripts of a test to wait inside.
 */
export async function shows(page: Page, percent: number, row: string = ROW): Promise<void> {
  const bar = page.locator(`${row} [role=progressbar]`)
  while (Number(await bar.getAttribute('aria-valuenow')) < percent) await setTimeout(50)
}

/** Switches the page to Chinese, and waits until that language is loaded and shown. */
export async function speakChinese(page: Page): Promise<void> {
  await page.click('button[data-language=zh]')
  await page.locator('landfall-upload [lang=zh-Hans]').first().waitFor({ state: 'attached' })
}

/** Collects the offsets of the PATCH requests of a page. */
export function offsetsOf(page: Page): number[] {
  const offsets: number[] = []
  page.on('request', (request: Request) => {
    if (request.method() === 'PATCH') offsets.push(Number(request.headers()['upload-offset']))
  })
  return offsets
}

/** Collects the offset of the first PATCH request to each upload of a page, by the last segment of its URL. */
export function firstOffsetsOf(page: Page): Map<string, number> {
  const offsets = new Map<string, number>()
  page.on('request', (request) => {
    const id = new URL(request.url()).pathname.split('/').at(-1) ?? ''
    if (request.method() === 'PATCH' && !offsets.has(id)) offsets.set(id, Number(request.headers()['upload-offset']))
  })
  return offsets
}

/** Collects the methods with which a page reaches uploads, but not their links. */
export function methodsOf(page: Page): string[] {
  const methods: string[] = []
  page.on('request', (request) => {
    const { pathname } = new URL(request.url())
    if (pathname.startsWith('/files') && !pathname.endsWith('/link')) methods.push(request.method())
  })
  return methods
}

/** Finishes some work before a page sends its PATCH request of this number, counted from 1. */
export async function beforePatch(page: Page, number: number, work: () => Promise<void>): Promise<void> {
  let patches = 0
  await page.route('**/files/*', async (route) => {
    const isPatch = route.request().method() === 'PATCH'
    if (isPatch) patches += 1
    if (isPatch && patches === number) await work()
    await route.continue()
  })
}
