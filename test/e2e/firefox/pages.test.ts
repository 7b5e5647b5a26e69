import { readFile } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { MIB } from '../../support/bytes.ts'
import { temporaryFolder } from '../../support/folder.ts'
import { type Landfall, startLandfall } from '../../support/restartable-program.ts'
import { randomFile, type SampleFile, storedFiles } from '../../support/sample-files.ts'
import { type Firefox, launchFirefox } from '../support/firefox.ts'
import { type PassedRequest, type SlowProxy, startSlowProxy } from '../support/slow-proxy.ts'

const CHUNKS = 6
const SIZE = 12 * MIB + 1
/** Bytes per second. */
const SLOW = 2 * MIB

let firefox: Firefox
let landfall: Landfall
let proxy: SlowProxy
let folder: Awaited<ReturnType<typeof temporaryFolder>>

beforeAll(async () => {
  folder = await temporaryFolder()
  landfall = await startLandfall()
  const sources = new URL('../pages/', import.meta.url)
  const oldPage = await readFile(new URL('old.html', sources), 'utf8')
  const pages = new Map([
    ['/old.html', oldPage.replace('<!-- tag -->', '<script src="/landfall-webuploader.js"></script>')],
    ['/old.js', await readFile(new URL('old.js', sources), 'utf8')],
  ])
  proxy = await startSlowProxy(landfall.url, pages)
  firefox = await launchFirefox()
})

afterAll(async () => {
  await firefox.close()
  await proxy.close()
  await landfall.dispose()
  await folder.dispose()
})

const PICKER = `document.querySelector('#picker input[type=file]')`

/** The chunks that the proxy has passed since it had passed so many requests. */
const chunksSince = (before: number): readonly PassedRequest[] =>
  proxy.passed.slice(before).filter(({ method, path }) => method === 'POST' && path.startsWith('/upload/accept'))

/** In the shadow root of the element. */
const inElement = (selector: string): string =>
  `document.querySelector('landfall-upload').shadowRoot?.querySelector('${selector}')`
const rowIs = (state: string): string => inElement(`[data-testid=row][data-state=${state}]`)

async function expectStored(file: SampleFile): Promise<void> {
  const stored = (await storedFiles(landfall.dataDir)).filter(({ name }) => name === file.name)
  expect(stored.map(({ sha256 }) => sha256)).toEqual([file.sha256])
}

describe('In Firefox, the modern page', () => {
  it('uploads a file, and resumes it after a reload, when its user chooses it again', async () => {
    const { tab } = firefox
    const file = await randomFile(folder.path, 'modern.bin', SIZE)
    proxy.limit(SLOW)
    await tab.goto(proxy.url)
    await tab.choose(inElement('[data-testid=file-input]'), file.path)
    await tab.until(`Number(${inElement('[data-testid=row] [role=progressbar]')}?.ariaValueNow) >= 25`)
    await tab.reload()
    await tab.until(rowIs('remembered'))
    const before = proxy.passed.length
    proxy.limit(Number.POSITIVE_INFINITY)
    await tab.choose(inElement('[data-testid=file-input]'), file.path)
    await tab.until(rowIs('finished'))
    const patches = proxy.passed.slice(before).filter(({ method }) => method === 'PATCH')
    expect(patches.map(({ headers }) => Number(headers['upload-offset']) >= SIZE / 5)).toEqual([true])
    await expectStored(file)
  })

  it('shows its finished file after another reload', async () => {
    const { tab } = firefox
    await tab.reload()
    await tab.until(rowIs('finished'))
    expect(await tab.text(`${inElement('[data-testid=row] .name')}.textContent`)).toBe('modern.bin')
  })

  it('speaks Chinese', async () => {
    const { tab } = firefox
    await tab.text(`document.querySelector('button[data-language=zh]').click()`)
    await tab.until(`${inElement('.choose')}.textContent === '选择文件'`)
  })
})

describe('In Firefox, a page with WebUploader', () => {
  it.each([
    ['the classical page', '/legacy', 5 * MIB, `document.querySelector('.file-row[data-state=finished]')`],
    [
      'an old page with the tag',
      `/old.html?dist=webuploader.min.js&chunkSize=${MIB}`,
      MIB,
      `uploader.getStats().successNum === 1 && !uploader.isInProgress()`,
    ],
  ])('resumes after a reload: %s', async (name, address, chunkSize, isFinished) => {
    const { tab } = firefox
    const file = await randomFile(folder.path, `${name}.bin`, (CHUNKS - 1) * chunkSize + 1)
    proxy.limit(2 * chunkSize)
    await tab.goto(proxy.url + address)
    const begin = proxy.passed.length
    await tab.until(PICKER)
    await tab.choose(PICKER, file.path)
    const stored = (): number => chunksSince(begin).filter(({ status }) => status === 200).length
    while (stored() < 3) await setTimeout(50)
    await tab.reload()
    const missing = CHUNKS - stored()
    const before = proxy.passed.length
    proxy.limit(Number.POSITIVE_INFINITY)
    await tab.until(PICKER)
    await tab.choose(PICKER, file.path)
    await tab.until(isFinished)
    // The service asks for the first one again.
    expect(chunksSince(before).length).toBeLessThanOrEqual(missing + 1)
    await expectStored(file)
  })
})
