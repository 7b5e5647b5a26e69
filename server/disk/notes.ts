import { randomUUID } from 'node:crypto'
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { onDisk } from './disk-error.ts'
import { ifThere } from './files.ts'
import { PRIVATE_FILE } from './modes.ts'

/** The share of notes to drop when there are too many. */
const DROPPED_SHARE = 0.1

/**
 * Short texts by name, a file each, that are useful but may be lost. A note is replaced as a whole: after a crash of
 * the process there is the old or the new one. Nothing is synced, so a power cut may lose or tear a note. When there
 * are too many, the oldest are dropped.
 */
export class Notes {
  readonly #folder: string
  readonly #most: number
  #names: Promise<Set<string>> | undefined
  #dropping: Promise<void> | undefined

  /**
   * @param folder an existing directory for these notes alone.
   * @param most how many notes to keep.
   */
  constructor(folder: string, most: number) {
    this.#folder = folder
    this.#most = most
  }

  /** @returns `undefined` when there is no such note. @throws UploadError `storage_error`. */
  async read(name: string): Promise<string | undefined> {
    const names = await this.#known()
    if (!names.has(name)) return undefined
    return onDisk(() => ifThere(() => readFile(path.join(this.#folder, name), 'utf8')))
  }

  /** Writes a note if there is none: see `write`. @returns whether it did. */
  async add(name: string, text: string): Promise<boolean> {
    if ((await this.read(name)) !== undefined) return false
    await this.write(name, text)
    return true
  }

  /**
   * Replaces a note. Calls for one name must not overlap.
   *
   * @param name a single path segment.
   * @throws UploadError `no_space`, `storage_error`.
   */
  async write(name: string, text: string): Promise<void> {
    const names = await this.#known()
    const temporary = path.join(this.#folder, `.${randomUUID()}`)
    await onDisk(async () => {
      try {
        await writeFile(temporary, text, { flag: 'wx', mode: PRIVATE_FILE.bits })
        await rename(temporary, path.join(this.#folder, name))
      } catch (error) {
        await rm(temporary, { force: true }).catch(() => undefined)
        throw error
      }
    })
    names.add(name)
    if (names.size > this.#most) {
      // The caller does not wait for this, and a note too many does no harm.
      this.#dropping ??= this.#dropOldest(names)
        .catch(() => undefined)
        .finally(() => {
          this.#dropping = undefined
        })
    }
  }

  /** Removes a note, if it exists. Calls for one name must not overlap. @throws UploadError `storage_error`. */
  async remove(name: string): Promise<void> {
    const names = await this.#known()
    if (!names.has(name)) return
    await onDisk(() => rm(path.join(this.#folder, name), { force: true }))
    names.delete(name)
  }

  #known(): Promise<Set<string>> {
    this.#names ??= this.#load().catch((error: unknown) => {
      this.#names = undefined
      throw error
    })
    return this.#names
  }

  async #load(): Promise<Set<string>> {
    const names = await onDisk(() => readdir(this.#folder))
    // Left by a crash during a write.
    const torn = names.filter((name) => name.startsWith('.'))
    for (const name of torn) await onDisk(() => rm(path.join(this.#folder, name), { force: true }))
    return new Set(names.filter((name) => !name.startsWith('.')))
  }

  async #dropOldest(names: Set<string>): Promise<void> {
    await onDisk(async () => {
      const aged: { name: string; time: number }[] = []
      for (const name of names) {
        const stats = await ifThere(() => stat(path.join(this.#folder, name)))
        aged.push({ name, time: stats?.mtimeMs ?? 0 })
      }
      aged.sort((a, b) => a.time - b.time)
      for (const { name } of aged.slice(0, Math.ceil(this.#most * DROPPED_SHARE))) {
        await rm(path.join(this.#folder, name), { force: true })
        names.delete(name)
      }
    })
  }
}
