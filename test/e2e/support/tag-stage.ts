import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect } from '@jest/globals'
import type { Route } from 'playwright-core'
import { limitUpload } from '../../support/chrome.ts'
import { randomFile, type SampleFile, sha256Of, storedFiles } from '../../support/sample-files.ts'
import type { Build } from './blog-page.ts'
import { OldPage, type SeenRequest } from './old-page.ts'
import type { SharedStage } from './shared-stage.ts'

/** Bytes. */
export const CHUNK = 128 * 1024
export const CHUNKS = 8
/** Bytes per second: a chunk takes an eighth of a second. */
const SLOW = 1024 * 1024

/** An old page of the repository, with its query, for chunks of `CHUNK`. */
export const PAGES = {
  article: 'seed.html',
  threads: `old.html?threads=3&dist=webuploader.min.js&chunkSize=${CHUNK}`,
  hooks: `old.html?threads=3&dist=webuploader.min.js&chunkSize=${CHUNK}&hookDelay=200&stopAt=4`,
  tasks: `old.html?threads=1&dist=webuploader.min.js&chunkSize=${CHUNK}&taskPerFile=1&prepareNextFile=1`,
} as const

/** A browser whose pages have the tag, or, for comparison, do not. */
export interface Visitor {
  /** Opens a page in a new tab. */
  open(address: string): Promise<OldPage>
}

/** Runs `work` for a new visitor. */
export async function withVisitor<T>(
  { browser, landfall }: SharedStage,
  [, build]: Build,
  work: (visitor: Visitor) => Promise<T>,
  { isTagged = true } = {},
): Promise<T> {
  const context = await browser.newContext()
  try {
    return await work({
      open: async (address) => {
        const variant = { build, chunkSize: CHUNK, isTagged }
        return OldPage.open(await context.newPage(), landfall.url, address, variant)
      },
    })
  } finally {
    await context.close()
  }
}

/** Chooses files; resolves when the dialogue has closed. */
export async function choose(old: OldPage, ...files: readonly SampleFile[]): Promise<void> {
  await old.choose(...files.map((file) => file.path))
}

/** Chooses a file, and closes the page halfway through it. @returns the chunks that the service has stored. */
export async function leaveHalfway(old: OldPage, file: SampleFile): Promise<readonly number[]> {
  await limitUpload(old.page, SLOW)
  await choose(old, file)
  await old.sentMoreThan(0.55)
  const stored = (await chunks(old)).filter(({ status }) => status === 200).map(({ fields }) => Number(fields['chunk']))
  await old.page.close()
  return stored
}

/** The requests of chunks. */
export function chunks(old: OldPage): Promise<SeenRequest[]> {
  return old.requests('/upload/accept')
}

/** Waits until the page shows success for this many files. */
export async function succeeded(old: OldPage, count = 1): Promise<void> {
  await old.heard(['uploadSuccess', 'uploadError'], count)
  expect(await old.count('uploadError')).toBe(0)
}

/** Answers the next requests of chunks with an error, as a proxy does while the service restarts. */
export async function failNext(old: OldPage, count: number, status = 503): Promise<void> {
  let left = count
  const answer = async (route: Route): Promise<void> => {
    if (route.request().method() !== 'POST' || left === 0) return route.fallback()
    left -= 1
    await route.fulfill({ status, contentType: 'text/html', body: 'Service Unavailable' })
  }
  await old.page.route('**/upload/accept', answer)
}

/** Expects that the files, and only they, are stored under these names. */
export async function expectStored(stage: SharedStage, ...files: readonly SampleFile[]): Promise<void> {
  const names = new Set(files.map(({ name }) => name))
  const stored = (await storedFiles(stage.landfall.dataDir)).filter(({ name }) => names.has(name))
  expect(stored.map(({ sha256 }) => sha256).sort()).toEqual(files.map(({ sha256 }) => sha256).sort())
}

/** A file with the name, the size, and the fingerprint of another, but with other bytes in its last third. */
export async function twinOf(file: SampleFile): Promise<SampleFile> {
  const bytes = await readFile(file.path)
  const other = path.join(path.dirname(file.path), 'twin', file.name)
  const twin = await randomFile(path.dirname(other), file.name, 1)
  // The samples are 16 KiB at each seventh of the file.
  const at = Math.round(((file.size - 16 * 1024) * 5) / 7) + 40 * 1024
  bytes.fill('other', at, at + 1000)
  await writeFile(other, bytes)
  return { ...twin, size: file.size, sha256: await sha256Of(other) }
}
