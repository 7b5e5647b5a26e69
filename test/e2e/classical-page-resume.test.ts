import { open, utimes } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Browser } from 'playwright-core'
import { temporaryFolder } from '../support/folder.ts'
import { launchChrome } from './support/chrome.ts'
import { type ClassicalPage, withClassicalPage } from './support/classical-page.ts'
import { MIB, randomFile, type SampleFile, sha256Of } from './support/files.ts'
import { type Landfall, startLandfall } from './support/landfall.ts'

jest.setTimeout(60_000)

const CHUNK = 5 * MIB
const CHUNKS = 6

let browser: Browser
let landfall: Landfall
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let file: SampleFile

beforeAll(async () => {
  folder = await temporaryFolder()
  file = await randomFile(folder.path, 'file.bin', (CHUNKS - 1) * CHUNK + 17)
  browser = await launchChrome()
  landfall = await startLandfall()
})

afterAll(async () => {
  await browser.close()
  await landfall.dispose()
  await folder.dispose()
})

/** A file of the same name, size, and date as another, and with other bytes from this chunk on. */
async function lookalike(of: SampleFile, chunk: number): Promise<SampleFile> {
  const other = await randomFile(folder.path, `other-${chunk}/${of.name}`, of.size)
  const head = await open(of.path)
  const copy = await open(other.path, 'r+')
  await copy.write((await head.read({ buffer: Buffer.alloc(chunk * CHUNK), position: 0 })).buffer, 0)
  const { mtime } = await head.stat()
  await head.close()
  await copy.close()
  await utimes(other.path, mtime, mtime)
  return { ...other, sha256: await sha256Of(other.path) }
}

async function numbers(legacy: ClassicalPage): Promise<readonly number[]> {
  return (await legacy.chunks()).map(({ fields }) => Number(fields['chunk']))
}

describe('the classical page', () => {
  it('resumes by its retry when the program is killed at 75 %', async () => {
    await withClassicalPage(browser, landfall, async (legacy) => {
      await legacy.sendUpTo(75, file)
      await landfall.kill()
      await legacy.page.waitForSelector('.file-row[data-state=failed]')
      await landfall.startAgain()
      const before = await legacy.chunks()
      const confirmed = new Set(before.filter(({ status }) => status === 200).map(({ fields }) => fields['chunk']))
      await legacy.page.click('#retry')
      expect(await legacy.finished()).toEqual([file.sha256])
      const all = [...Array(CHUNKS).keys()]
      expect((await numbers(legacy)).slice(before.length)).toEqual([0, ...all.slice(confirmed.size)])
    })
  })

  it.each([
    ['in a browser with File.lastModifiedDate', false],
    ['in a browser without it', true],
  ])('resumes when it is reloaded at 60 %% and the file is chosen again, %s', async (_, withoutDates) => {
    await withClassicalPage(
      browser,
      landfall,
      async (legacy) => {
        await legacy.sendUpTo(60, file)
        await legacy.reload()
        await legacy.choose(file)
        expect(await legacy.finished()).toEqual([file.sha256])
        expect((await numbers(legacy))[0]).toBe(0)
        const sent = (await legacy.chunks()).reduce((sum, { bytes }) => sum + bytes, 0)
        // The proof, what is missing, and at most one chunk that was confirmed in the moment of the reload.
        expect(sent).toBeLessThanOrEqual(0.4 * file.size + 3 * CHUNK)
      },
      withoutDates,
    )
  })

  it.each([0, 3])(
    'never mixes a file with another of its name, size, and date that differs from chunk %i on',
    async (chunk) => {
      const other = await lookalike(file, chunk)
      await withClassicalPage(browser, landfall, async (legacy) => {
        await legacy.sendUpTo(50, file)
        await legacy.reload()
        await legacy.choose(other)
        expect(await legacy.finished()).toEqual([other.sha256])
        await legacy.choose(file)
        expect(await legacy.finished(2)).toEqual([other.sha256, file.sha256])
      })
    },
  )
})
