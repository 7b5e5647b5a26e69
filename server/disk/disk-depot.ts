import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Carried, Depot, Removed, Seen, Taken } from '../core/depot.ts'
import { UploadError } from '../core/errors.ts'
import { isUploadId } from '../core/record.ts'
import type { StoredUpload } from '../core/store.ts'
import { onDisk } from './disk-error.ts'
import type { DiskStore } from './disk-store.ts'
import { exists, ifThere, namesIn } from './files.ts'
import { idsOf, type Layout } from './layout.ts'
import { readRecordFile } from './record-file.ts'
import { readTombstone } from './tombstone.ts'

/** The uploads of a data directory. */
export class DiskDepot implements Depot {
  readonly #layout: Layout
  readonly #opened: DiskStore | undefined
  readonly #onClose: () => Promise<void>

  /**
   * @param store opened on the directory; without it, nothing can be taken, viewed, placed, or erased.
   * @param onClose called when the depot is closed.
   */
  constructor(layout: Layout, store: DiskStore | undefined, onClose: () => Promise<void> = () => Promise.resolve()) {
    this.#layout = layout
    this.#opened = store
    this.#onClose = onClose
  }

  async *uploads(): AsyncGenerator<string> {
    const { records } = this.#layout
    for (const group of await onDisk(() => listed(records)))
      yield* idsOf(await onDisk(() => listed(this.#layout.groupFolder(group))))
  }

  async *tombstones(): AsyncGenerator<Removed> {
    const { gone } = this.#layout
    if (!(await exists(gone))) return
    for await (const id of namesIn(gone)) {
      const removed = isUploadId(id) ? await onDisk(() => this.#tombstone(id)) : undefined
      if (removed !== undefined) yield removed
    }
  }

  see(id: string): Promise<Seen> {
    const { leaving, gone } = this.#layout
    return onDisk(async () => {
      for (const folder of [leaving, gone]) {
        const stats = await ifThere(() => stat(path.join(folder, id)))
        if (stats !== undefined) return { kind: 'gone', at: stats.mtime }
      }
      const record = await readRecordFile(this.#layout.record(id), id)
      if (record === 'none' || record === 'torn') return { kind: 'none' }
      return { kind: 'upload', record, isFinished: await exists(this.#layout.finishedFile(record)) }
    })
  }

  async take(id: string): Promise<Taken> {
    const found = await this.#store.open(id)
    if (found.kind === 'gone') return { kind: 'gone', owner: found.owner }
    return found.kind === 'upload' ? { kind: 'upload', upload: await this.#carried(found.upload) } : found
  }

  async view(id: string): Promise<Carried | undefined> {
    const found = await this.#store.open(id)
    return found.kind === 'upload' ? this.#carried(found.upload) : undefined
  }

  place(upload: Carried): Promise<void> {
    return this.#store.placeUpload(upload)
  }

  placeTombstone(removed: Removed): Promise<void> {
    return this.#store.placeTombstone(removed)
  }

  erase(id: string): Promise<void> {
    return this.#store.erase(id)
  }

  async close(): Promise<void> {
    await this.#onClose()
  }

  get #store(): DiskStore {
    if (this.#opened === undefined) throw new UploadError('storage_error', 'The data directory is not open.')
    return this.#opened
  }

  async #carried(upload: StoredUpload): Promise<Carried> {
    const { record, received, finishedAt } = upload
    return {
      record: withoutMark(record),
      received,
      hasBytes: !record.joined || (await exists(this.#layout.incomingFile(record.id))),
      finishedAt,
      changedAt: await upload.lastChange(),
      read: (range) => upload.read(range),
      close: () => upload.close(),
    }
  }

  async #tombstone(id: string): Promise<Removed | undefined> {
    const place = path.join(this.#layout.gone, id)
    const [tombstone, stats] = [await readTombstone(place), await ifThere(() => stat(place))]
    if (tombstone === undefined || stats === undefined) return undefined
    return { id, why: tombstone.why ?? 'deleted', at: stats.mtime, owner: tombstone.owner }
  }
}

/** Which bytes are on disk is nothing that another store wants to know. */
function withoutMark({ mark: _, ...record }: Carried['record']): Carried['record'] {
  return record
}

async function listed(folder: string): Promise<readonly string[]> {
  return (await ifThere(() => readdir(folder))) ?? []
}
