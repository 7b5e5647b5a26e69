/** Pages of other upload libraries, with the real libraries in Chromium. */
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Browser, Page } from 'playwright-core'
import { launchChrome } from '../support/chrome.ts'
import { type Landfall, startLandfall } from '../support/restartable-program.ts'
import { type Ended, LIBRARIES, type Library, openPage, type SentFile } from './support/dialect-pages.ts'
import { type Gate, startGate } from './support/gate.ts'

jest.setTimeout(120_000)

let chrome: Browser
let landfall: Landfall
let gate: Gate

beforeAll(async () => {
  chrome = await launchChrome()
  landfall = await startLandfall({ DIALECTS: [...new Set(LIBRARIES.map(({ dialect }) => dialect))].join(',') })
  gate = await startGate(landfall.url)
})
afterEach(() => gate.reset())
afterAll(async () => {
  gate.close()
  await chrome.close()
  await landfall.dispose()
})

let files = 0
/** A file with a content of its own. */
function fileOf(name: string, size: number): SentFile {
  files += 1
  const buffer = Buffer.alloc(size, `${files} ${name} `)
  for (let at = 0; at < size; at += 256) buffer[at] = (at / 256 + files) % 251
  return { name, mimeType: 'application/zip', buffer }
}

/** The contents of the stored files of this name. */
async function storedAs(name: string): Promise<readonly Buffer[]> {
  const folder = path.join(landfall.dataDir, 'files')
  const found: Buffer[] = []
  for (const id of await readdir(folder)) {
    for (const file of await readdir(path.join(folder, id))) {
      if (file.normalize('NFC') === name) found.push(await readFile(path.join(folder, id, file)))
    }
  }
  return found
}

async function expectStored({ name, buffer }: SentFile): Promise<void> {
  const contents = await storedAs(name)
  expect([name, contents.map((content) => content.equals(buffer))]).toEqual([name, expect.arrayContaining([true])])
}

async function withPage<T>(library: Library, work: (page: Page) => Promise<T>): Promise<T> {
  const context = await chrome.newContext()
  try {
    const page = await context.newPage()
    await openPage(page, gate.url, library)
    return await work(page)
  } finally {
    await context.close()
  }
}

/** Uploads files in a page. */
async function upload(
  page: Page,
  library: Library,
  sent: readonly SentFile[],
  options = {},
): Promise<readonly Ended[]> {
  await page.setInputFiles('#input', [...sent])
  const { name, dialect, chunkSize } = library
  const all = { url: `${gate.url}/upload/${dialect}`, chunkSize, ...options }
  return page.evaluate(`upload(${JSON.stringify(name)}, ${JSON.stringify(all)})`)
}

const failures = (ended: readonly Ended[]): readonly Ended[] => ended.filter(({ ok }) => !ok)

describe.each(LIBRARIES.map((library) => [library.name, library] as const))('A page with %s', (name, library) => {
  const { chunkSize } = library
  const big = (): SentFile => fileOf(`${name}-big.zip`, 3 * chunkSize + 30_000)

  it('uploads files of every length, at once', async () => {
    const sent = [
      big(),
      fileOf('测试.zip', 2 * chunkSize + 1),
      fileOf(`${name} a"b&c.zip`, 2 * chunkSize),
      fileOf(`${name}-small.zip`, 1000),
      ...(library.sendsEmpty ? [fileOf(`${name}-empty.zip`, 0)] : []),
    ]
    // Some libraries take two names without Latin letters for one.
    const other = fileOf('文件.zip', 2 * chunkSize + 1)
    const ended = await withPage(library, async (page) => {
      const first = await upload(page, library, sent)
      await page.reload()
      return [...first, ...(await upload(page, library, [other]))]
    })
    expect(failures(ended)).toEqual([])
    for (const file of [...sent, other]) await expectStored(file)
  })

  it('sends a chunk again that was refused for the moment', async () => {
    const file = big()
    gate.decide = (count) => (count === 2 ? library.busy : 'pass')
    const ended = await withPage(library, (page) => upload(page, library, [file]))
    if (library.retries) {
      expect(failures(ended)).toEqual([])
      await expectStored(file)
    } else expect(failures(ended)).toHaveLength(1)
  })

  it(library.survives ? 'goes on after a restart of the service' : 'reports a restart of the service', async () => {
    const file = big()
    let restarted: Promise<void> | undefined
    gate.onAnswer = (count) => {
      if (count === 2) restarted = landfall.kill().then(() => landfall.startAgain())
    }
    const ended = await withPage(library, (page) => upload(page, library, [file], { slow: true }))
    await restarted
    if (library.survives) {
      expect(failures(ended)).toEqual([])
      await expectStored(file)
    } else if (failures(ended).length === 0) await expectStored(file)
  })

  it('keeps the files of two visitors apart that have one name and one size', async () => {
    const both = [big(), big()]
    const ended = await Promise.all(
      both.map((file) =>
        withPage(library, async (page) => {
          await page.evaluate(`fetch('/check', { method: 'POST' })`)
          return upload(page, library, [file])
        }),
      ),
    )
    expect(failures(ended.flat())).toEqual([])
    for (const file of both) await expectStored(file)
  })

  if (!library.resumes) return

  it('resumes after a reload', async () => {
    const file = fileOf(`${name}-resumed.zip`, 6 * chunkSize + 30_000)
    await withPage(library, async (page) => {
      const stored = new Promise<void>((resolve) => {
        gate.decide = (count) => (count > 3 ? 'stall' : 'pass')
        gate.onAnswer = (count) => {
          if (count === 3) resolve()
        }
      })
      const interrupted = upload(page, library, [file]).catch(() => undefined)
      await stored
      await page.reload()
      await interrupted
      gate.reset()
      expect(failures(await upload(page, library, [file]))).toEqual([])
    })
    await expectStored(file)
    const sent = gate.passed.filter(({ url, method }) => method === 'POST' && library.isChunk(url)).length
    expect(sent).toBeLessThan(6)
  })

  // Fine Uploader does not ask: it remembers the name and the size of the file.
  if (library.remembers) return

  it('never mixes a file with another one of its name and size that was interrupted', async () => {
    const [first, second] = [0, 0].map(() => fileOf(`${name}-mixed.zip`, 6 * chunkSize + 30_000))
    if (first === undefined || second === undefined) throw new Error('no files')
    await withPage(library, async (page) => {
      const stored = new Promise<void>((resolve) => {
        gate.decide = (count) => (count > 3 ? 'stall' : 'pass')
        gate.onAnswer = (count) => {
          if (count === 3) resolve()
        }
      })
      const interrupted = upload(page, library, [first]).catch(() => undefined)
      await stored
      await page.reload()
      await interrupted
      gate.reset()
      // The page may report that this fails, once: it had skipped chunks.
      for (let attempt = 0; attempt < 2; attempt++) {
        if (failures(await upload(page, library, [second])).length === 0) break
        await page.reload()
      }
    })
    await expectStored(second)
    const contents = await storedAs(second.name)
    expect(contents.every((content) => content.equals(second.buffer))).toBe(true)
  })
})
