import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect } from '@jest/globals'
import type { Browser, Route } from 'playwright-core'
import { randomFile, type SampleFile, sha256Of, storedFiles } from '../../support/sample-files.ts'
import { type StubServer, startStub } from '../../support/stub-server.ts'
import type { Build } from './blog-page.ts'
import { OldPage, type SeenRequest } from './old-page.ts'
import type { SharedStage } from './shared-stage.ts'

/** Ends in a directory of the built pages. */
const BUILT_SITE = new URL('../../../dist/client/assets/', import.meta.url)
/** Bytes. */
export const CHUNK = 128 * 1024
export const CHUNKS = 8
/** Bytes per second: a chunk takes a quarter of a second. */
export const SLOW = 512 * 1024

/** An old page of the repository, with its query, for chunks of `CHUNK`. */
export const PAGES = {
  article: 'seed.html',
  threads: `old.html?threads=3&dist=webuploader.min.js&chunkSize=${CHUNK}`,
  check: `old.html?check=1&dist=webuploader.min.js&chunkSize=${CHUNK}`,
  hooks: `old.html?threads=3&dist=webuploader.min.js&chunkSize=${CHUNK}&hookDelay=200&stopAt=4`,
  tasks: `old.html?threads=1&dist=webuploader.min.js&chunkSize=${CHUNK}&taskPerFile=1&prepareNextFile=1`,
} as const

/** A browser whose pages have the tag, or, for comparison, do not. */
export interface Visitor {
  /** Opens a page in a new tab. */
  open(address: string): Promise<OldPage>
}

/** Runs `work` for a new visitor of old pages in the origin of a service. */
export async function withVisitor<T>(
  browser: Browser,
  url: string,
  [, build]: Build,
  isTagged: boolean,
  work: (visitor: Visitor) => Promise<T>,
): Promise<T> {
  const context = await browser.newContext()
  try {
    const variant = { build, chunkSize: CHUNK, isTagged }
    return await work({ open: async (address) => OldPage.open(await context.newPage(), url, address, variant) })
  } finally {
    await context.close()
  }
}

/** Chooses files; resolves when the dialogue has closed. */
export async function choose(old: OldPage, ...files: readonly SampleFile[]): Promise<void> {
  await old.choose(...files.map((file) => file.path))
}

/** Chooses a file, and closes the page when five chunks are stored. @returns these chunks. */
export async function leaveHalfway(old: OldPage, file: SampleFile): Promise<readonly number[]> {
  let passed = 0
  await old.page.route('**/upload/accept', async (route) => {
    if (route.request().method() !== 'POST') return route.fallback()
    passed += 1
    // The others are still on their way when the page closes.
    if (passed <= 5) await route.fallback()
  })
  await choose(old, file)
  await old.page.waitForFunction("observed.requests.filter((r) => r.path === '/upload/accept' && r.ended).length === 5")
  const stored = (await chunks(old)).filter(({ status }) => status === 200).map(({ fields }) => Number(fields['chunk']))
  await old.page.close()
  return stored
}

/** The requests of chunks. */
export function chunks(old: OldPage): Promise<SeenRequest[]> {
  return old.requests('/upload/accept')
}

/** Waits until a tab has an event with its details. @returns them, as JSON. */
export async function detailsOf(old: OldPage, type: string): Promise<unknown> {
  await old.heard(type)
  return old.page.evaluate(`observed.details['${type}']`)
}

/** Waits until the page shows success for this many files. */
export async function succeeded(old: OldPage, count = 1): Promise<void> {
  await old.heard(['uploadSuccess', 'uploadError'], count)
  expect(await old.count('uploadError')).toBe(0)
}

/** Answers the next chunk in place of the service, as a proxy does while that restarts. */
export async function answerNext(old: OldPage, status = 503, body = 'Service Unavailable'): Promise<void> {
  let isAnswered = false
  const answer = async (route: Route): Promise<void> => {
    if (route.request().method() !== 'POST' || isAnswered) return route.fallback()
    isAnswered = true
    await route.fulfill({ status, body })
  }
  await old.page.route('**/upload/accept', answer)
}

/** Expects that the files, and only they, are stored under these names. */
export async function expectStored(stage: SharedStage, ...files: readonly SampleFile[]): Promise<void> {
  const names = new Set(files.map(({ name }) => name))
  const stored = (await storedFiles(stage.landfall.dataDir)).filter(({ name }) => names.has(name))
  expect(stored.map(({ sha256 }) => sha256).sort()).toEqual(files.map(({ sha256 }) => sha256).sort())
}

/**
 * A file with the name, the size, and the fingerprint of another, but with other bytes in its second and its
 * seventh chunk.
 */
export async function twinOf(file: SampleFile): Promise<SampleFile> {
  const bytes = await readFile(file.path)
  const other = path.join(path.dirname(file.path), 'twin', file.name)
  const twin = await randomFile(path.dirname(other), file.name, 1)
  // The samples are 16 KiB at each seventh of the file.
  const step = (file.size - 16 * 1024) / 7
  for (const sample of [1, 6])
    bytes.fill('other', Math.round(sample * step) + 40 * 1024, Math.round(sample * step) + 41 * 1024)
  await writeFile(other, bytes)
  return { ...twin, size: file.size, sha256: await sha256Of(other) }
}

/** A server that stores nothing, and answers as the demo of WebUploader does; it also has the files of pages. */
export function startForeignServer(): Promise<StubServer> {
  return startStub(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    if (/^\/(static|landfall-)/.test(pathname)) {
      response.setHeader('Content-Type', 'text/javascript')
      response.end(await readFile(new URL(`..${pathname}`, BUILT_SITE)))
      return
    }
    request.resume().on('end', () => {
      const isUpload = request.method === 'POST'
      response.setHeader('Content-Type', isUpload ? 'application/json' : 'text/html')
      response.end(isUpload ? '{"jsonrpc":"2.0","result":null,"id":"id"}' : '<!doctype html>')
    })
  })
}
