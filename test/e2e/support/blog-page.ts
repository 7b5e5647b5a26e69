import { readdirSync } from 'node:fs'
import { utimes } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from '@jest/globals'
import type { Browser } from 'playwright-core'
import { limitUpload } from './chrome.ts'
import { randomFile, type SampleFile, storedFiles } from './files.ts'
import type { Landfall } from './landfall.ts'
import { type OldPage, withOldPage } from './old-page.ts'

/** Bytes. A chunk takes an eighth of a second at `SLOW`. */
export const CHUNK = 128 * 1024
const CHUNKS = 8
/** The chunk that is broken off: half of the file has arrived then. */
const BROKEN = 4
/** Bytes per second: bodies are long enough to be broken off inside. */
const SLOW = 1024 * 1024

/** What the page says of the file that it has sent last. */
const DONE = '上传完成'
const FAILED = '上传出错'

/** A build of WebUploader: its file name, which the test's name shows, and its path. */
export type Build = readonly [name: string, file: string]

/**
 * The builds that a visitor's page may use: four of npm's package, or every script in the folder that `WEBUPLOADER_BUILDS` names.
 */
export function builds(): readonly Build[] {
  const folder = process.env['WEBUPLOADER_BUILDS']
  if (folder !== undefined) return readdirSync(folder).map((name) => [name, path.join(folder, name)])
  const dist = fileURLToPath(new URL('../../../node_modules/webuploader/dist/', import.meta.url))
  return ['webuploader.min.js', 'webuploader.withoutimage.js', 'webuploader.html5only.js', 'webuploader.nolog.js'].map(
    (name) => [name, path.join(dist, name)],
  )
}

/** Opens the article's page for a new visitor. */
export function withBlogPage<T>(
  browser: Browser,
  landfall: Landfall,
  build: Build,
  work: (old: OldPage) => Promise<T>,
  withoutDates = false,
): Promise<T> {
  const [, file] = build
  const variant = { build: file, chunkSize: CHUNK, withoutDates }
  return withOldPage(browser, landfall.url, 'seed.html', work, variant)
}

/** A file of eight chunks. @param date of its last change, in seconds. */
export async function makeFile(folder: string, name: string, date?: number, size?: number): Promise<SampleFile> {
  const file = await randomFile(folder, name, size ?? (CHUNKS - 1) * CHUNK + 1234)
  if (date !== undefined) await utimes(file.path, date, date)
  return file
}

/** Chooses a file whose fifth chunk does not arrive, until the page has given up. */
export async function breakOff(old: OldPage, file: SampleFile): Promise<void> {
  await old.page.evaluate(`observed.breakAt = ${BROKEN}`)
  await limitUpload(old.page, SLOW)
  expect(await send(old, file)).toBe(FAILED)
  await limitUpload(old.page)
  await old.page.evaluate('observed.breakAt = null')
}

/** Chooses a file and waits until the page says what became of it. */
export async function send(old: OldPage, file: SampleFile): Promise<string> {
  const before = await old.count('uploadSuccess', 'uploadError')
  await old.chooseAfterCheck(file.path)
  await old.heard(['uploadSuccess', 'uploadError'], before + 1)
  return (await old.page.textContent('.item')) ?? ''
}

/** The file is chosen again: only the proof and what is missing are sent. */
export async function expectResumed(old: OldPage, landfall: Landfall, file: SampleFile): Promise<void> {
  const before = (await old.sentChunks()).length
  const all = [...Array(CHUNKS).keys()]
  expect(await send(old, file)).toBe(DONE)
  expect((await old.sentChunks()).slice(before)).toEqual([0, ...all.slice(BROKEN)])
  await expectStored(landfall, file)
}

/** Another file is chosen: it arrives at the second try at the latest, and the page says so of no file that has not. */
export async function expectArrives(old: OldPage, landfall: Landfall, file: SampleFile): Promise<void> {
  if ((await send(old, file)) !== DONE) expect(await send(old, file)).toBe(DONE)
  await expectStored(landfall, file)
}

async function expectStored(landfall: Landfall, file: SampleFile): Promise<void> {
  expect(await hashesOf(landfall, file.name)).toContain(file.sha256)
}

/** What is stored under the names of these files is one of them: nothing is mixed. */
export async function expectOnly(landfall: Landfall, ...files: readonly SampleFile[]): Promise<void> {
  const known = files.map(({ sha256 }) => sha256)
  for (const { name } of files) {
    for (const hash of await hashesOf(landfall, name)) expect(known).toContain(hash)
  }
}

async function hashesOf(landfall: Landfall, name: string): Promise<readonly string[]> {
  return (await storedFiles(landfall.dataDir)).filter((stored) => stored.name === name).map(({ sha256 }) => sha256)
}
