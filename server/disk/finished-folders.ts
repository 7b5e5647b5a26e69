import { lstat, rmdir } from 'node:fs/promises'
import path from 'node:path'
import { FOLDERS_FORMAT } from './data-directory.ts'
import type { DirectoryFormat } from './directory-format.ts'
import type { DirectorySync } from './directory-sync.ts'
import { ifThere, makeFolder } from './files.ts'
import type { Layout } from './layout.ts'
import type { Permission } from './modes.ts'

/** Maximum remembered directories. */
const MAX_REMEMBERED = 10_000

/** Maximum attempts to use a directory that others keep removing. */
const MAX_ATTEMPTS = 100

/** The steps of folders. */
export type FolderStep = 'folder:made' | 'folder:tidied'

interface Options {
  readonly layout: Layout
  readonly format: DirectoryFormat
  readonly permission: Permission
  /** Makes directories durable; without it, the OS decides when to write them. */
  readonly sync: DirectorySync | undefined
  readonly onStep: (step: FolderStep) => void
}

/**
 * The folders between the directory of all finished files and those of single uploads. They exist while something is in
 * them. Folders are relative paths, as in a record.
 */
export class FinishedFolders {
  readonly #options: Options
  readonly #made = new Map<string, Promise<void>>()

  constructor(options: Options) {
    this.#options = options
  }

  /**
   * Returns when versions that do not know folders refuse the data directory. Called before the first record that has
   * one: they would take its file for missing.
   *
   * @throws the OS error, UploadError `sync_failed`.
   */
  async announce(): Promise<void> {
    await this.#options.format.raiseTo(FOLDERS_FORMAT)
  }

  /** Returns when the folder exists, and is on disk. @throws the OS error, UploadError `sync_failed`. */
  make(folder: string): Promise<void> {
    const known = this.#made.get(folder)
    if (known !== undefined) return known
    const made = this.#make(folder)
    if (this.#made.size >= MAX_REMEMBERED) this.#made.clear()
    this.#made.set(folder, made)
    made.catch(() => this.#made.delete(folder))
    return made
  }

  /**
   * Makes the directory of an upload in a folder, which is made, too.
   *
   * @param make makes only the directory itself.
   * @throws what `make` throws, and like `make` and `check`.
   */
  async within(folder: string, make: () => Promise<void>): Promise<void> {
    const attempt = async (): Promise<true> => {
      await this.make(folder)
      await this.check(folder)
      await make()
      return true
    }
    for (let left = MAX_ATTEMPTS; ; left--) {
      const isMade = await (left > 1 ? ifThere(attempt) : attempt())
      // The folder may have been removed and created again: then it may not be on disk.
      if (isMade) return this.make(folder)
      // Another upload has just left the folder empty.
      for (const level of levelsOf(folder)) this.#made.delete(level)
    }
  }

  /** Removes the folder, and those that it is in, as far as they are empty. */
  async tidy(folder: string): Promise<void> {
    for (const level of levelsOf(folder).reverse()) {
      try {
        await ifThere(() => rmdir(this.#place(level)))
      } catch {
        return
      }
      this.#made.delete(level)
      this.#options.onStep('folder:tidied')
    }
  }

  /** Whether there is a link or a file on the way to a folder: another user may have planted it. */
  async isBlocked(folder: string): Promise<boolean> {
    const levels = await Promise.all(levelsOf(folder).map((level) => ifThere(() => lstat(this.#place(level)))))
    return levels.some((stats) => stats?.isDirectory() === false)
  }

  /** @throws Error if the folder is blocked; the OS error. */
  async check(folder: string): Promise<void> {
    if (!(await this.isBlocked(folder))) return
    throw new Error(`${this.#place(folder)} leads through something that is not a directory.`)
  }

  async #make(folder: string): Promise<void> {
    const { layout, permission, sync, onStep } = this.#options
    const parent = path.posix.dirname(folder)
    if (parent !== '.') await this.make(parent)
    await makeFolder(this.#place(folder), permission)
    // Also if it existed: a killed process may not have come to this.
    await sync?.sync(parent === '.' ? layout.files : this.#place(parent))
    onStep('folder:made')
  }

  #place(folder: string): string {
    return path.join(this.#options.layout.files, folder)
  }
}

/** The folders that a folder is in, from the outermost one to itself. */
export function levelsOf(folder: string): string[] {
  const segments = folder.split('/')
  return segments.map((_, i) => segments.slice(0, i + 1).join('/'))
}
