/** A stage for pages of other upload libraries: one browser, one service that speaks all dialects, and a gate before it. */
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from '@jest/globals'
import type { Browser, Page } from 'playwright-core'
import { QUIET_AFTER } from '../../../legacy-adapter/which-upload.ts'
import { launchChrome } from '../../support/chrome.ts'
import { temporaryFolder } from '../../support/folder.ts'
import { type Landfall, startLandfall } from '../../support/restartable-program.ts'
import { storedAs } from '../../support/stored-files.ts'
import { type Ended, LIBRARIES, type Library, openPage, type SentFile } from './dialect-pages.ts'
import { type Gate, startGate } from './gate.ts'

/** How many chunks of a file a library that keeps a record sends at once. */
const CONNECTIONS = 3

export class DialectStage {
  readonly landfall: Landfall
  readonly gate: Gate
  readonly #chrome: Browser
  readonly #folder: Awaited<ReturnType<typeof temporaryFolder>>
  readonly #paths = new Map<SentFile, string>()
  #files = 0

  private constructor(
    chrome: Browser,
    landfall: Landfall,
    gate: Gate,
    folder: Awaited<ReturnType<typeof temporaryFolder>>,
  ) {
    this.#chrome = chrome
    this.#folder = folder
    this.landfall = landfall
    this.gate = gate
  }

  static async open(settings: Readonly<Record<string, string>> = {}): Promise<DialectStage> {
    const dialects = [...new Set(LIBRARIES.map(({ dialect }) => dialect))].join(',')
    const landfall = await startLandfall({ DIALECTS: dialects, ...settings })
    return new DialectStage(await launchChrome(), landfall, await startGate(landfall.url), await temporaryFolder())
  }

  async close(): Promise<void> {
    this.gate.close()
    await this.#chrome.close()
    await this.landfall.dispose()
    await this.#folder.dispose()
  }

  /** A file with a content of its own. */
  fileOf(name: string, size: number): SentFile {
    this.#files += 1
    const buffer = Buffer.alloc(size, `${this.#files} ${name} `)
    for (let at = 0; at < size; at += 256) buffer[at] = (at / 256 + this.#files) % 251
    return { name, buffer }
  }

  /** The contents of the stored files of this name. */
  storedAs(name: string): Promise<readonly Buffer[]> {
    return storedAs(name, this.landfall.dataDir)
  }

  async expectStored({ name, buffer }: SentFile): Promise<void> {
    const contents = await this.storedAs(name)
    const areEqual = contents.map((content) => content.equals(buffer))
    expect([name, areEqual]).toEqual([name, expect.arrayContaining([true])])
  }

  /** Runs `work` in a page with the library, of a visitor of its own. @param login the cookie of a user. */
  async withPage<T>(library: Library, work: (page: Page) => Promise<T>, login?: string): Promise<T> {
    const context = await this.#chrome.newContext()
    try {
      if (login !== undefined) await context.addCookies([{ name: 'login', value: login, url: this.gate.url }])
      const page = await context.newPage()
      await openPage(page, this.gate.url, library)
      return await work(page)
    } finally {
      await context.close()
    }
  }

  /** Uploads files in a page. */
  async upload(page: Page, library: Library, sent: readonly SentFile[], options = {}): Promise<readonly Ended[]> {
    await page.setInputFiles('#input', await Promise.all(sent.map((file) => this.#onDisk(file))))
    const { name, dialect, chunkSize } = library
    const all = { url: `${this.gate.url}/upload/${dialect}`, chunkSize, ...options }
    return page.evaluate(`upload(${JSON.stringify(name)}, ${JSON.stringify(all)})`)
  }

  /** The path of a file, which has one date however often it is selected. */
  async #onDisk(file: SentFile): Promise<string> {
    const known = this.#paths.get(file)
    if (known !== undefined) return known
    const folder = path.join(this.#folder.path, String(this.#paths.size))
    const place = path.join(folder, file.name)
    this.#paths.set(file, place)
    await mkdir(folder)
    await writeFile(place, file.buffer)
    return place
  }

  /** Uploads a file until three of its chunks are stored, and the page knows if it keeps a record; reloads the page. */
  async interrupt(page: Page, library: Library, file: SentFile): Promise<void> {
    // A page records an answer before it sends the next chunk on that connection.
    const known = library.remembers ? 3 + CONNECTIONS : 3
    const stored = new Promise<void>((resolve) => {
      let [sent, answered] = [0, 0]
      const check = (): void => {
        if (sent >= known && answered >= 3) resolve()
      }
      this.gate.decide = (count) => {
        sent = count
        check()
        return count > 3 ? 'stall' : 'pass'
      }
      this.gate.onAnswer = (count) => {
        answered = count
        check()
      }
    })
    const interrupted = this.upload(page, library, [file]).catch(() => undefined)
    await stored
    await page.reload()
    await interrupted
    // Before, the upload is not at rest, and no list names its chunks.
    await pause(QUIET_AFTER)
    this.gate.reset()
  }
}

/** The files whose upload has failed. */
export function failures(ended: readonly Ended[]): readonly Ended[] {
  return ended.filter(({ ok }) => !ok)
}
