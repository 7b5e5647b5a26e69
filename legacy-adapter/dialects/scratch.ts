import { randomUUID } from 'node:crypto'
import { type FileHandle, open, rm } from 'node:fs/promises'
import path from 'node:path'
import { UploadError } from '../../server/core/errors.ts'
import type { Headroom } from '../../server/core/headroom.ts'
import { bytesIn } from '../../server/core/reader.ts'
import type { Source } from '../../server/core/source.ts'
import { onDisk } from '../../server/disk/disk-error.ts'
import { writeAll } from '../../server/disk/files.ts'
import { PRIVATE_FILE } from '../../server/disk/modes.ts'

/** Maximum length of a file that precedes its fields, in bytes. */
export const LONGEST_HELD = 64 * 1024 * 1024
/** How many bytes of it are read at a time. */
const BATCH = 256 * 1024

/** Holds files on disk, each until the fields behind it have arrived. A file has no name: a crash leaves nothing. */
export class Scratch {
  readonly #folder: string
  readonly #headroom: Pick<Headroom, 'take'>

  /** @param folder an existing directory of the service. */
  constructor(folder: string, headroom: Pick<Headroom, 'take'>) {
    this.#folder = folder
    this.#headroom = headroom
  }

  /**
   * Stores `file` to its end.
   *
   * @throws UploadError `too_large` beyond `LONGEST_HELD`, `no_space`, `storage_error`, and what `file` throws.
   */
  async hold(file: Source): Promise<HeldFile> {
    const handle = await this.#create()
    try {
      let length = 0
      for (let batch = await file.read(); batch !== null; batch = await file.read()) {
        const bytes = bytesIn(batch)
        if (length + bytes > LONGEST_HELD) throw tooLong()
        await this.#headroom.take(bytes)
        length += await writeAll(handle, batch, length)
      }
      return new HeldFile(handle, length)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  #create(): Promise<FileHandle> {
    const place = path.join(this.#folder, `.${randomUUID()}`)
    return onDisk(async () => {
      const handle = await open(place, 'wx+', PRIVATE_FILE.bits)
      await rm(place, { force: true })
      return handle
    })
  }
}

/** The bytes of a held file. Close it. */
export class HeldFile implements Source {
  readonly length: number
  readonly waitingSince = undefined
  readonly #handle: FileHandle
  readonly #batch = Buffer.allocUnsafe(BATCH)
  #position = 0
  #cancelled: Error | undefined

  constructor(handle: FileHandle, length: number) {
    this.#handle = handle
    this.length = length
  }

  async read(): Promise<readonly Buffer[] | null> {
    if (this.#cancelled !== undefined) throw this.#cancelled
    if (this.#position === this.length) return null
    const { bytesRead } = await onDisk(() => this.#handle.read(this.#batch, 0, BATCH, this.#position))
    if (bytesRead === 0) throw new UploadError('storage_error', 'Storage error; try again later.')
    this.#position += bytesRead
    return [this.#batch.subarray(0, bytesRead)]
  }

  cancel(reason: Error): void {
    this.#cancelled ??= reason
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}

/** The error for a file that precedes its fields and is too long to be held. */
export function tooLong(): UploadError {
  const most = LONGEST_HELD / 1024 / 1024
  return new UploadError(
    'too_large',
    `A file of more than ${most} MiB came before its fields; send shorter chunks, or the fields first.`,
  )
}
