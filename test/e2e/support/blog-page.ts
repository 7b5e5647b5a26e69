import { readdirSync } from 'node:fs'
import { copyFile, open, utimes } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from '@jest/globals'
import type { Browser } from 'playwright-core'
import { limitUpload } from '../../support/chrome.ts'
import type { Landfall } from '../../support/restartable-program.ts'
import { randomFile, type SampleFile, sha256Of, storedFiles } from '../../support/sample-files.ts'
import { type OldPage, withOldPage } from './old-page.ts'

/** Bytes. A chunk takes an eighth of a second at `SLOW`. */
const CHUNK = 128 * 1024
const CHUNKS = 8
/** The first chunk that does not arrive, halfway through the file. */
const BROKEN = 4
/** Bytes per second: slow enough to break a chunk off inside its body. */
const SLOW = 1024 * 1024

/** The text of the page for the last file. */
const DONE = '上传完成'
const FAILED = '上传出错'

/** A build of WebUploader: its file name, for the name of a test, and its path. */
export type Build = readonly [name: string, file: string]

/** Four builds from the npm package, of two versions; with `WEBUPLOADER_BUILDS`, every script in that directory. */
export function builds(): readonly Build[] {
  const folder = process.env['WEBUPLOADER_BUILDS']
  if (folder !== undefined) return readdirSync(folder).map((name) => [name, path.join(folder, name)])
  const dist = fileURLToPath(new URL('../../../node_modules/webuploader/dist/', import.meta.url))
  const names = [
    'webuploader.min.js',
    'webuploader.withoutimage.js',
    'webuploader.html5only.js',
    'webuploader.noimage.js',
  ]
  return names.map((name) => [name, path.join(dist, name)])
}

/** Opens the article's page for a new visitor, whose browser may lack `File.lastModifiedDate`. */
export function withBlogPage<T>(
  browser: Browser,
  landfall: Landfall,
  [, build]: Build,
  work: (old: OldPage) => Promise<T>,
  { withoutDates = false } = {},
): Promise<T> {
  return withOldPage(browser, landfall.url, 'seed.html', work, { build, chunkSize: CHUNK, withoutDates })
}

/** Creates a file of eight chunks. */
export function makeFile(folder: string, name = 'file.bin'): Promise<SampleFile> {
  return randomFile(folder, name, (CHUNKS - 1) * CHUNK + 1234)
}

/** Creates a file that a visitor may choose instead of another one. */
export type MakeOther = (folder: string, file: SampleFile) => Promise<SampleFile>

/** Other files, by what they share with the first. */
export const OTHER_FILES: readonly (readonly [name: string, make: MakeOther])[] = [
  ['of equal name, size, and date', async (folder, file) => withDateOf(file, await makeFile(folder, file.name))],
  ['of equal name, size, and first half', sameHalf],
  ['with another name', (folder, file) => makeFile(folder, `other-${file.name}`)],
  ['of equal name and size', (folder, file) => makeFile(folder, file.name)],
  ['of equal name, but larger', (folder, file) => randomFile(folder, file.name, (CHUNKS + 1) * CHUNK)],
  ['of equal name, but with three chunks', (folder, file) => randomFile(folder, file.name, 3 * CHUNK)],
]

async function withDateOf(file: SampleFile, other: SampleFile): Promise<SampleFile> {
  for (const one of [file, other]) await utimes(one.path, 1_600_000_000, 1_600_000_000)
  return other
}

/** The chunks that arrived are equal, the date is not. */
export async function sameHalf(folder: string, file: SampleFile): Promise<SampleFile> {
  const other = await makeFile(folder, file.name)
  await copyFile(file.path, other.path)
  const handle = await open(other.path, 'r+')
  await handle.write('other', BROKEN * CHUNK)
  await handle.close()
  await utimes(other.path, 1_700_000_000, 1_700_000_000)
  return { ...other, sha256: await sha256Of(other.path) }
}

/** Selects a file and aborts its fifth chunk on each try, until the page gives up. */
export async function breakOff(old: OldPage, file: SampleFile): Promise<void> {
  await old.page.evaluate(`observed.breakAt = ${BROKEN}`)
  await limitUpload(old.page, SLOW)
  expect(await send(old, file)).toBe(FAILED)
  await limitUpload(old.page)
  await old.page.evaluate('observed.breakAt = null')
}

/** Chooses a file, kills the program inside its fifth chunk, and starts it again. */
export async function killWhileSending(old: OldPage, landfall: Landfall, file: SampleFile): Promise<void> {
  await limitUpload(old.page, SLOW)
  const sent = send(old, file)
  await old.sentMoreThan((BROKEN + 0.3) / (CHUNKS - 1))
  await landfall.kill()
  expect(await sent).toBe(FAILED)
  await landfall.startAgain()
  await limitUpload(old.page)
}

/** Selects a file. @returns the final text of the page. */
export async function send(old: OldPage, file: SampleFile): Promise<string> {
  const before = await old.count('uploadSuccess', 'uploadError')
  // WebUploader 0.1.1 clones its input, which keeps the file: Chromium would not report the same choice again.
  await old.page.evaluate("document.querySelector('#picker input').value = ''")
  await old.chooseAfterCheck(file.path)
  await old.heard(['uploadSuccess', 'uploadError'], before + 1)
  return (await old.page.textContent('.item')) ?? ''
}

/**
 * Selects an interrupted file again: the page sends chunk 0 as proof, then the missing chunks, and the file is stored.
 */
export async function expectResumed(old: OldPage, landfall: Landfall, file: SampleFile): Promise<void> {
  const before = (await old.sentChunks()).length
  // The service lists nothing until it has noticed the abort.
  await expect(old.listed()).resolves.toBe(true)
  expect(await send(old, file)).toBe(DONE)
  const sent = (await old.sentChunks()).slice(before)
  // The rest of the aborted chunk may have been in flight.
  const [, next = 0] = sent
  expect([BROKEN, BROKEN + 1]).toContain(next)
  expect(sent).toEqual([0, ...[...Array(CHUNKS).keys()].slice(next)])
  await expectStored(landfall, file)
}

/** Selects another file: it is stored on the second try at the latest, and the page never reports success falsely. */
export async function expectArrives(old: OldPage, landfall: Landfall, file: SampleFile): Promise<void> {
  if ((await send(old, file)) !== DONE) expect(await send(old, file)).toBe(DONE)
  await expectStored(landfall, file)
}

async function expectStored(landfall: Landfall, file: SampleFile): Promise<void> {
  expect(await hashesOf(landfall, file.name)).toContain(file.sha256)
}

/** Expects every stored file of these names to be one of these files, not a mixture. */
export async function expectOnly(landfall: Landfall, ...files: readonly SampleFile[]): Promise<void> {
  const known = files.map(({ sha256 }) => sha256)
  for (const { name } of files) {
    for (const hash of await hashesOf(landfall, name)) expect(known).toContain(hash)
  }
}

async function hashesOf(landfall: Landfall, name: string): Promise<readonly string[]> {
  return (await storedFiles(landfall.dataDir)).filter((stored) => stored.name === name).map(({ sha256 }) => sha256)
}
