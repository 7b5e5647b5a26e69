import { readdir, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { type DeadLetter, deadLetter, type WrittenEvent } from '../core/written-event.ts'
import { onDisk } from '../disk/disk-error.ts'
import { ifThere, makeFolder, replaceFile } from '../disk/files.ts'
import { PRIVATE_FOLDER } from '../disk/modes.ts'

// `dead` has a file for each event that an endpoint did not accept. To have it sent again, any process moves the file
// to `again`: a rename needs no ownership of the data directory.

const NAME = /^evt_[0-9a-f]{32}\.[0-9a-z]+\.json$/

/** The events that were given up. */
export class DeadLetters {
  readonly #dead: string
  readonly #again: string

  /** @param folder the folder of the outbox. */
  constructor(folder: string) {
    this.#dead = path.join(folder, 'dead')
    this.#again = path.join(folder, 'again')
  }

  /** Creates the directories. @throws the OS error. */
  async begin(): Promise<void> {
    for (const folder of [this.#dead, this.#again]) await makeFolder(folder, PRIVATE_FOLDER)
  }

  /** @throws UploadError `no_space`, `storage_error`. */
  async add(event: WrittenEvent, endpoint: string, why: string): Promise<void> {
    await onDisk(async () => {
      const text = JSON.stringify({ ...event, only: endpoint, why })
      await replaceFile(path.join(this.#dead, `${event.id}.${endpoint}.json`), text)
    })
  }

  /** The names of all dead letters, the ids of their events first. @throws the OS error. */
  async names(): Promise<readonly string[]> {
    return ((await ifThere(() => readdir(this.#dead))) ?? []).filter(isLetterName).sort()
  }

  /** @returns `undefined` if there is none, or another program has written it. @throws the OS error. */
  read(name: string): Promise<DeadLetter | undefined> {
    return readLetter(path.join(this.#dead, name))
  }

  /** Has a dead letter sent again by the process that owns the directory, now or at its start. @throws the OS error. */
  async sendAgain(name: string): Promise<void> {
    await rename(path.join(this.#dead, name), path.join(this.#again, name))
  }

  /** Deletes a dead letter. @throws the OS error. */
  async remove(name: string): Promise<void> {
    await rm(path.join(this.#dead, name), { force: true })
  }

  /**
   * Takes the letters that are to be sent again.
   *
   * @param take makes a letter durable, and returns whether it did; otherwise the letter is dead again.
   * @throws the OS error, and what `take` throws.
   */
  async takeRequested(take: (letter: DeadLetter) => Promise<boolean>): Promise<void> {
    const names = (await ifThere(() => readdir(this.#again))) ?? []
    for (const name of names.filter(isLetterName)) {
      const file = path.join(this.#again, name)
      const letter = await readLetter(file)
      if (letter !== undefined && (await take(letter))) await rm(file, { force: true })
      else await ifThere(() => rename(file, path.join(this.#dead, name)))
    }
  }
}

/** Whether a file is a dead letter, by its name. */
export function isLetterName(name: string): boolean {
  return NAME.test(name)
}

/** @returns `undefined` if there is none, or another program has written it. @throws the OS error. */
export async function readLetter(file: string): Promise<DeadLetter | undefined> {
  const text = await ifThere(() => readFile(file, 'utf8'))
  if (text === undefined) return undefined
  try {
    return deadLetter.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
