import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Browser } from 'playwright-core'
import { MIB } from '../support/bytes.ts'
import { launchChrome, limitUpload } from '../support/chrome.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Landfall, startLandfall } from '../support/restartable-program.ts'
import { randomFile, type SampleFile, storedFiles } from '../support/sample-files.ts'
import { type OldPage, withOldPage } from './support/old-page.ts'

jest.setTimeout(120_000)

/** Bytes per second. */
const RATE = 6 * MIB
/** Instead of the 20 MiB of the pages. */
const CHUNK = 8 * MIB

let browser: Browser
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let big: SampleFile

beforeAll(async () => {
  folder = await temporaryFolder()
  big = await randomFile(folder.path, 'big.bin', 42 * MIB + 12_345)
  browser = await launchChrome()
})

afterAll(async () => {
  await browser.close()
  await folder.dispose()
})

async function withLandfall(work: (landfall: Landfall) => Promise<void>) {
  const landfall = await startLandfall()
  try {
    await work(landfall)
  } finally {
    await landfall.dispose()
  }
}

/** Kills the program while the page sends the body of a chunk, and waits until the page has given up. */
async function killWhileSending(old: OldPage, landfall: Landfall, choose: () => Promise<unknown>): Promise<void> {
  await limitUpload(old.page, RATE)
  await choose()
  await old.sentMoreThan(0.45)
  await landfall.kill()
  await old.heard('uploadError')
  const unanswered = (await old.requests('/upload/accept')).filter(({ status }) => status === 0)
  expect(unanswered.length).toBeGreaterThan(0)
  await limitUpload(old.page)
}

/** Expects the chosen file to be the only one in the data directory. */
async function expectOnlyBig(landfall: Landfall): Promise<void> {
  const stored = await storedFiles(landfall.dataDir)
  expect(stored).toMatchObject([{ name: big.name, size: big.size, sha256: big.sha256 }])
}

describe('After a kill inside the body of a chunk and a restart,', () => {
  it.each([
    ['large chunks, one at a time', `old.html?threads=1&chunkSize=${CHUNK}`],
    ['small chunks, three at a time', `old.html?threads=3&chunkSize=${2 * MIB}`],
  ])('the page resumes the same upload by retry() (%s)', async (_, address) => {
    await withLandfall(async (landfall) => {
      await withOldPage(browser, landfall.url, address, async (old) => {
        await killWhileSending(old, landfall, () => old.choose(big.path))
        await landfall.startAgain()
        await old.page.evaluate('uploader.retry()')
        const [completed] = await old.completed()
        expect(completed).toMatchObject({ status: 200, answer: { name: big.name, size: big.size } })
        await expectOnlyBig(landfall)
      })
    })
  })

  it.each([
    ['the page of the article', 'seed.html', CHUNK],
    ['small chunks, three at a time', `old.html?check=1&threads=3&chunkSize=${2 * MIB}`, 2 * MIB],
  ])('a file that is chosen again skips the chunks that /check lists (%s)', async (_, address, size) => {
    await withLandfall(async (landfall) => {
      const resume = async (old: OldPage): Promise<void> => {
        await killWhileSending(old, landfall, () => old.chooseAfterCheck(big.path))
        const sentBefore = (await old.sentChunks()).length
        await landfall.startAgain()
        const list = chunksIn(await old.chooseAfterCheck(big.path), await taskOf(old))
        const [completed] = await old.completed()
        const sentAgain = (await old.sentChunks()).slice(sentBefore)
        const all = [...Array(Math.ceil(big.size / size)).keys()]
        expect(list.length).toBeGreaterThan(0)
        expect(list).not.toContain(0)
        expect(sentAgain.sort((a, b) => a - b)).toEqual(all.filter((chunk) => !list.includes(chunk)))
        expect(completed).toMatchObject({ status: 200, answer: { name: big.name, size: big.size } })
        await expectOnlyBig(landfall)
      }
      await withOldPage(browser, landfall.url, address, resume, { chunkSize: CHUNK })
    })
  })
})

async function taskOf(old: OldPage): Promise<string> {
  const [first] = await old.requests('/upload/accept')
  return first?.fields['task_id'] ?? ''
}

/** The chunk numbers in a response of `/check`. */
function chunksIn(text: string, taskId: string): number[] {
  const { file_list: list }: { file_list: string[][] } = JSON.parse(text)
  return list.flat().map((name) => Number(name.slice(taskId.length)))
}
