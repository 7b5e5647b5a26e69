import type { Carried, Depot, Removed, Seen, Taken } from '../core/depot.ts'
import { UploadError } from '../core/errors.ts'
import { lengthOf } from '../core/ranges.ts'
import type { StoredUpload } from '../core/store.ts'
import { type Done, formatDone } from './documents.ts'
import { isDerivedId, readDone } from './ends.ts'
import type { Environment } from './environment.ts'
import { doneKey, goneKey, liveFolder, notesKey } from './keys.ts'
import { liveEntries } from './live-listing.ts'
import { JOINED, parseName } from './names.ts'
import { optionsOf } from './object-options.ts'
import { beginUnborn, createLive, currentState, findEnd, openUpload, viewLive } from './opening.ts'
import { S3Error } from './s3-error.ts'
import type { S3Upload } from './s3-upload.ts'
import { onS3, storageError } from './storage-error.ts'
import { newToken } from './token.ts'

/** The uploads of a bucket. */
export class S3Depot implements Depot {
  readonly #environment: Environment

  constructor(environment: Environment) {
    this.#environment = environment
  }

  async *uploads(): AsyncGenerator<string> {
    try {
      for await (const { id } of liveEntries(this.#environment, '', true)) {
        // What is left of one that has ended is listed below.
        if ((await readDone(this.#environment, id)) === undefined) yield id
      }
      for await (const [id, end] of this.#ends()) if (end.kind === 'finished') yield id
    } catch (error) {
      throw storageError(error)
    }
  }

  async *tombstones(): AsyncGenerator<Removed> {
    try {
      for await (const [id, end] of this.#ends()) {
        if (end.kind === 'gone') yield { id, why: end.why, at: end.at, owner: end.owner }
      }
    } catch (error) {
      throw storageError(error)
    }
  }

  see(id: string): Promise<Seen> {
    return onS3(async () => {
      const end = await readDone(this.#environment, id)
      if (end?.kind === 'gone') return { kind: 'gone', at: end.at }
      if (end !== undefined) return { kind: 'upload', record: end.record, isFinished: true }
      const state = await currentState(this.#environment, id)
      return state === undefined ? { kind: 'none' } : { kind: 'upload', record: state.record, isFinished: false }
    })
  }

  take(id: string): Promise<Taken> {
    return onS3(async () => {
      const found = await openUpload(this.#environment, id)
      if (found.kind === 'gone') return { kind: 'gone', owner: found.owner }
      return found.kind === 'upload' ? { kind: 'upload', upload: await this.#carried(found.upload, id) } : found
    })
  }

  view(id: string): Promise<Carried | undefined> {
    return onS3(async () => {
      const found = await findEnd(this.#environment, id)
      if (found !== undefined && found.kind !== 'upload') return undefined
      const upload = found?.upload ?? (await viewLive(this.#environment, id))
      return upload === undefined ? undefined : this.#carried(upload, id)
    })
  }

  place(upload: Carried): Promise<void> {
    const { finishedAt, record } = upload
    const isSmall = (record.length ?? Number.POSITIVE_INFINITY) <= this.#environment.cells.usual
    return onS3(async () => {
      if (finishedAt === undefined) await this.#placeLive(upload)
      else await (isSmall ? this.#placeSmall(upload, finishedAt) : this.#placeLarge(upload, finishedAt))
    })
  }

  placeTombstone({ id, why, at, owner }: Removed): Promise<void> {
    const { port, prefix } = this.#environment
    // No call about its file can be late: it was never here. An id that may come again stays used, as always.
    const derived = isDerivedId(id)
    return onS3(async () => {
      await port.put(goneKey(prefix, id, at, derived), Buffer.alloc(0))
      await this.#putDone(id, { kind: 'gone', why, at, owner, derived })
    })
  }

  erase(id: string): Promise<void> {
    const { port, prefix, keyOf } = this.#environment
    return onS3(async () => {
      const end = await readDone(this.#environment, id)
      if (end?.kind === 'finished') await port.remove([end.key])
      if (end?.kind === 'gone') await port.remove([goneKey(prefix, id, end.at, end.derived)])
      const live = end === undefined ? await currentState(this.#environment, id) : undefined
      if (live?.multipart !== undefined) await port.abort(keyOf(live.record), live.multipart)
      await this.#eraseLive(id)
      await port.remove([notesKey(prefix, id), doneKey(prefix, id)])
    })
  }

  async close(): Promise<void> {
    this.#environment.port.close()
  }

  async *#ends(): AsyncGenerator<readonly [string, Done]> {
    const { port, prefix } = this.#environment
    const folder = doneKey(prefix, '')
    for (let after: string | undefined; ; ) {
      const page = await port.list(folder, { after })
      for (const { key } of page.objects) {
        const id = key.slice(folder.length)
        const end = await readDone(this.#environment, id)
        if (end !== undefined) yield [id, end]
      }
      if (page.next === undefined) return
      after = page.next
    }
  }

  async #carried(upload: StoredUpload, id: string): Promise<Carried> {
    const { record, received, finishedAt, object } = upload
    if (object !== undefined) await this.#checkSize(object.key, record.length ?? 0)
    const state = finishedAt === undefined ? await currentState(this.#environment, id) : undefined
    return {
      record,
      received,
      hasBytes: state?.discarded !== true,
      finishedAt,
      changedAt: await upload.lastChange(),
      read: (range) => upload.read(range),
      close: () => upload.close(),
    }
  }

  /** @throws UploadError `storage_error`. */
  async #checkSize(key: string, size: number): Promise<void> {
    const { found } = await this.#environment.port.head(key)
    if (found?.size === size) return
    const what = found === undefined ? 'is missing' : `has ${found.size} bytes instead of ${size}`
    throw new UploadError('storage_error', `The object ${key} ${what}.`)
  }

  async #placeLive(upload: Carried): Promise<void> {
    const { prefix, node, port } = this.#environment
    const { record } = upload
    const state = upload.hasBytes ? { record } : { record, discarded: true as const }
    const unborn = await beginUnborn(this.#environment, state, upload.changedAt)
    await this.#copyTo(unborn.upload, upload)
    if (record.joined) await port.put(`${liveFolder(prefix, record.id)}${JOINED}`, Buffer.alloc(0))
    await createLive(this.#environment, state, { node, token: newToken() })
    await port.remove([unborn.claim])
  }

  /** Its bytes become pieces of an upload that has no first record, so that there is none before it is finished. */
  async #placeLarge(upload: Carried, finishedAt: Date): Promise<void> {
    const { record, changedAt } = upload
    const unborn = await beginUnborn(this.#environment, { record }, changedAt)
    await this.#copyTo(unborn.upload, upload, () => unborn.upload.finish(undefined, finishedAt))
    await this.#environment.port.remove([unborn.claim])
  }

  async #placeSmall(upload: Carried, finishedAt: Date): Promise<void> {
    const { port, keyOf, budget } = this.#environment
    const { record } = upload
    const size = record.length ?? 0
    const key = keyOf(record)
    await budget.take(size)
    try {
      const body = Buffer.allocUnsafeSlow(size)
      let filled = 0
      for (const range of upload.received)
        for await (const bytes of upload.read(range)) filled += bytes.copy(body, filled)
      await port.put(key, body, optionsOf(record))
    } finally {
      budget.give(size)
    }
    await this.#putDone(record.id, { kind: 'finished', key, size, finishedAt, record, token: newToken() })
  }

  /** @param end is done when all bytes are there. */
  async #copyTo(target: S3Upload, source: Carried, end: () => Promise<void> = async () => undefined): Promise<void> {
    try {
      for (const range of source.hasBytes ? source.received : []) {
        if (lengthOf(range) === 0) continue
        const attempt = await target.begin(range, 'as-received')
        try {
          for await (const bytes of source.read(range)) await attempt.write([bytes])
          await attempt.commit()
        } catch (error) {
          await attempt.discard()
          throw error
        }
      }
      await end()
    } finally {
      await target.close()
    }
  }

  /** @throws UploadError `storage_error` if the id has an end. */
  async #putDone(id: string, done: Done): Promise<void> {
    const { port, prefix } = this.#environment
    try {
      await port.put(doneKey(prefix, id), formatDone(done), { ifAbsent: true })
    } catch (error) {
      if (!(error instanceof S3Error) || error.outcome !== 'exists') throw error
      throw new UploadError('storage_error', 'There is an upload with this id.')
    }
  }

  /** Claims stay: they tell a stopped process that the upload is no longer its own. */
  async #eraseLive(id: string): Promise<void> {
    const { port, prefix } = this.#environment
    const folder = liveFolder(prefix, id)
    for (let after: string | undefined; ; ) {
      const page = await port.list(folder, { after })
      const keys = page.objects.map(({ key }) => key)
      const others = keys.filter((key) => parseName(key.slice(folder.length))?.kind !== 'claim')
      if (others.length > 0) await port.remove(others)
      if (page.next === undefined) return
      after = page.next
    }
  }
}
