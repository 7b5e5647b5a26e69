import { notShared, UploadError } from '../core/errors.ts'
import { prefix as prefixOf, type Ranges } from '../core/ranges.ts'
import { bytesIn } from '../core/reader.ts'
import { isUploadId, type UploadRecord } from '../core/record.ts'
import type {
  Found,
  ObjectPlace,
  Prepared,
  Space,
  Store,
  StoredUpload,
  UnfinishedUpload,
  UploadSummary,
} from '../core/store.ts'
import { largestFile } from './cells.ts'
import type { ClaimOwner, Done, LiveState } from './documents.ts'
import { isDerived, putFinished, readDone } from './ends.ts'
import type { Environment } from './environment.ts'
import { doneKey, goneFolder, goneKey, liveFolder } from './keys.ts'
import { type LiveEntry, liveEntries } from './live-listing.ts'
import { recordName } from './names.ts'
import { optionsOf } from './object-options.ts'
import { createLive, currentState, list, openUpload, viewLive } from './opening.ts'
import { S3Error } from './s3-error.ts'
import type { Answered } from './s3-port.ts'
import { S3Upload } from './s3-upload.ts'
import { onS3, storageError } from './storage-error.ts'
import { Term } from './term.ts'
import { tidy } from './tidy.ts'
import { newToken } from './token.ts'

/** How long nothing has happened to an upload before this node takes it over by itself. Milliseconds. */
const ABANDONED_AFTER = 60_000

/** The first characters of ids. */
const PARTITIONS = [...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_-abcdefghijklmnopqrstuvwxyz']

/** Uploads in a bucket of S3. What counts is decided by S3 alone, so any number of nodes can share the bucket. */
export class S3Store implements Store {
  readonly maxLength: number
  readonly idleKept = 20_000
  readonly isShared = true
  readonly #environment: Environment
  readonly #onClose: () => Promise<void>

  /** @param onClose called when the store is closed. */
  constructor(environment: Environment, onClose: () => Promise<void> = () => Promise.resolve()) {
    this.#environment = environment
    this.#onClose = onClose
    this.maxLength = largestFile(environment.cells)
  }

  /** A tentative upload is not written before its first bytes are. */
  async create(record: UploadRecord, isTentative = false): Promise<StoredUpload> {
    return this.#create({ record }, isTentative)
  }

  /** Its bytes are those of the other object until its own is composed. */
  async createFrom(record: UploadRecord, source: StoredUpload): Promise<StoredUpload> {
    const key = source.object?.key
    if (key === undefined || source.record.length !== record.length) throw notShared()
    const { found } = await onS3(() => this.#environment.port.head(key))
    if (found?.size !== record.length) throw notShared()
    return this.#create({ record, source: key }, false)
  }

  async #create(state: LiveState, isTentative: boolean): Promise<StoredUpload> {
    const { port, prefix, node } = this.#environment
    const { record } = state
    const owner: ClaimOwner = { node, token: newToken() }
    const create = (): Promise<Answered> => createLive(this.#environment, state, owner)
    const term = new Term(port, liveFolder(prefix, record.id), 1, undefined)
    const upload = new S3Upload(this.#environment, {
      state,
      term,
      pieces: [],
      names: [recordName(1, 0)],
      changedAt: new Date(this.#now()),
      create,
    })
    if (!isTentative) await upload.ensureCreated().catch(asTaken)
    return upload
  }

  createFinished(
    record: UploadRecord,
    bytes: readonly Buffer[],
    prepare: () => Promise<Prepared> = async () => ({ record }),
  ): Promise<StoredUpload> {
    return onS3(async () => {
      if (bytesIn(bytes) !== record.length) {
        throw new UploadError('storage_error', 'The file does not have the declared length.')
      }
      if (isDerived(record) && (await this.#isTaken(record.id))) throw taken()
      const prepared = await prepare()
      prepared.after?.catch(() => undefined)
      return prepared.record.failed === undefined
        ? this.#createFile(prepared, Buffer.concat(bytes))
        : this.#createFailed(prepared, bytes)
    })
  }

  async open(id: string): Promise<Found> {
    if (!isUploadId(id)) return { kind: 'unknown' }
    return onS3(() => openUpload(this.#environment, id))
  }

  group(group: string): Promise<readonly string[]> {
    return onS3(async () => {
      const times = await this.#timesBelow(`${group}.`)
      return this.#withoutGone([...times.keys()])
    })
  }

  newest(start: string, most: number): Promise<readonly string[]> {
    return onS3(async () => {
      const times = await this.#timesBelow(`${start}.`)
      const sorted = [...times].sort(([, a], [, b]) => a - b).map(([id]) => id)
      const newest: string[] = []
      while (newest.length < most && sorted.length > 0) {
        newest.unshift(...(await this.#withoutGone(sorted.splice(-most))))
      }
      return newest.slice(-most)
    })
  }

  async *unfinished(): AsyncGenerator<UnfinishedUpload> {
    try {
      for await (const { id, changedAt } of liveEntries(this.#environment))
        yield { id, lastChange: async () => changedAt }
    } catch (error) {
      throw storageError(error)
    }
  }

  /** Only those with which nothing happens: another node may have the others. */
  async *due(signal: AbortSignal): AsyncGenerator<string> {
    const recent: LiveEntry[] = []
    try {
      for await (const entry of liveEntries(this.#environment)) {
        if (this.#now() - entry.changedAt.getTime() < ABANDONED_AFTER) recent.push(entry)
        else if (await this.#isDue(entry)) yield entry.id
      }
      if (recent.length === 0) return
      await this.#environment.clock.sleep(ABANDONED_AFTER, signal)
      for (const { id, changedAt } of recent) {
        for await (const entry of liveEntries(this.#environment, id)) {
          const isSame = entry.id === id && entry.changedAt.getTime() - changedAt.getTime() < 1000
          if (isSame && (await this.#isDue(entry))) yield id
        }
      }
    } catch (error) {
      if (signal.aborted) return
      throw storageError(error)
    }
  }

  async partitions(): Promise<readonly string[]> {
    return PARTITIONS
  }

  partition(name: string): Promise<readonly string[]> {
    return onS3(async () => [...(await this.#timesBelow(name)).keys()])
  }

  partitionOf(id: string): string {
    return id.slice(0, 1)
  }

  summary(id: string): Promise<UploadSummary | undefined> {
    return onS3(async () => {
      const end = await this.#end(id)
      if (end?.kind === 'gone') return undefined
      const record = end?.record ?? (await currentState(this.#environment, id))?.record
      if (record === undefined) return undefined
      const occupied = async (): Promise<{ bytes: number; files: number }> => {
        if (end !== undefined) return { bytes: end.size, files: 2 }
        const { pieces } = await onS3(() => list(this.#environment, liveFolder(this.#environment.prefix, id)))
        return { bytes: pieces.reduce((sum, { size }) => sum + size, 0), files: 1 + pieces.length }
      }
      const received = async (): Promise<Ranges> => {
        if (end !== undefined) return wholeOf(end.size)
        return (await onS3(() => viewLive(this.#environment, id)))?.received ?? []
      }
      const isQuarantined = async (): Promise<boolean> => {
        const view = end === undefined ? await onS3(() => viewLive(this.#environment, id)) : undefined
        return (await view?.isQuarantined()) ?? false
      }
      return { record, finished: end !== undefined, received, isQuarantined, occupied }
    })
  }

  lastChange(id: string): Promise<Date> {
    return onS3(async () => {
      const end = await this.#end(id)
      if (end?.kind === 'finished') return end.finishedAt
      const { changedAt, date } = await list(this.#environment, liveFolder(this.#environment.prefix, id))
      return changedAt === 0 || end !== undefined ? new Date(0) : new Date(this.#now() - date + changedAt)
    })
  }

  gone(deadline: Date): Promise<readonly string[]> {
    return onS3(async () => {
      const folder = goneFolder(this.#environment.prefix)
      const ids: string[] = []
      for (let after: string | undefined; ; ) {
        const page = await this.#environment.port.list(folder, { after })
        const ahead = this.#now() - page.date
        for (const { key, lastModified } of page.objects) {
          const [, kind, id] = key.slice(folder.length).split('/')
          if (kind === 'random' && id !== undefined && lastModified + ahead < deadline.getTime()) ids.push(id)
        }
        if (page.next === undefined) return ids
        after = page.next
      }
    })
  }

  goneSince(id: string): Promise<Date | undefined> {
    return onS3(async () => {
      const end = await this.#end(id)
      return end?.kind === 'gone' ? end.at : undefined
    })
  }

  /** Deletes once more what may have landed after the removal. */
  async forget(id: string): Promise<void> {
    await onS3(async () => {
      const end = await this.#end(id)
      if (end?.kind !== 'gone' || end.derived) return
      const { port, prefix } = this.#environment
      if (end.key !== undefined) await port.remove([end.key])
      await port.remove([doneKey(prefix, id)])
      await port.remove([goneKey(prefix, id, end.at, false)])
    })
  }

  tidy(signal: AbortSignal): Promise<void> {
    return onS3(() => tidy(this.#environment, signal))
  }

  pathOf(): undefined {
    return undefined
  }

  objectOf(record: UploadRecord): ObjectPlace {
    const { bucket, keyOf } = this.#environment
    return { bucket, key: keyOf(record) }
  }

  async space(): Promise<Space> {
    const unlimited = Number.POSITIVE_INFINITY
    return { bytes: unlimited, freeBytes: unlimited, inodes: unlimited, freeInodes: unlimited }
  }

  async close(): Promise<void> {
    this.#environment.port.close()
    await this.#onClose()
  }

  #now(): number {
    return this.#environment.clock.now()
  }

  #end(id: string): Promise<Done | undefined> {
    return readDone(this.#environment, id)
  }

  async #isTaken(id: string): Promise<boolean> {
    const live = await currentState(this.#environment, id)
    return live !== undefined || (await this.#end(id)) !== undefined
  }

  /** Whether all bytes may be there, or those of its parts: only a record can tell. */
  async #isDue({ id, received }: LiveEntry): Promise<boolean> {
    const [, gap] = received
    if (gap !== undefined) return false
    const state = await currentState(this.#environment, id)
    if (state?.source !== undefined) return true
    const record = state?.record
    return record !== undefined && (record.parts !== undefined || record.length === prefixOf(received))
  }

  /** By the ids that begin with `start`, of uploads of any state: when each changed, by the clock of this host. */
  async #timesBelow(start: string): Promise<Map<string, number>> {
    const times = new Map<string, number>()
    for await (const { id, changedAt } of liveEntries(this.#environment, start, true))
      times.set(id, changedAt.getTime())
    const folder = doneKey(this.#environment.prefix, '')
    for (let after: string | undefined; ; ) {
      const page = await this.#environment.port.list(`${folder}${start}`, { after })
      const ahead = this.#now() - page.date
      for (const { key, lastModified } of page.objects) times.set(key.slice(folder.length), lastModified + ahead)
      if (page.next === undefined) return times
      after = page.next
    }
  }

  async #withoutGone(ids: readonly string[]): Promise<readonly string[]> {
    const ends = await Promise.all(ids.map((id) => this.#end(id)))
    return ids.filter((_, i) => ends[i]?.kind !== 'gone')
  }

  async #createFile({ record, after }: Prepared, body: Buffer): Promise<StoredUpload> {
    const { port, keyOf } = this.#environment
    const key = keyOf(record)
    await port.put(key, body, { ...optionsOf(record), ifAbsent: true }).catch((error: unknown) => {
      // The object of a random id can only be this one, from an earlier try.
      if (!isExisting(error)) throw error
      if (isDerived(record)) throw taken()
    })
    try {
      await after
    } catch (error) {
      await port.remove([key]).catch(() => undefined)
      throw error
    }
    const done = await putFinished(this.#environment, record)
    // The object of this id has just been made, so another end is that of another upload.
    if (done.kind !== 'finished' || done.record.createdAt !== record.createdAt) throw taken()
    return new S3Upload(this.#environment, done)
  }

  /** The application has rejected the file: its bytes are those of an unfinished upload. */
  async #createFailed({ record, after }: Prepared, bytes: readonly Buffer[]): Promise<StoredUpload> {
    await after
    const upload = await this.create(record)
    if (record.length) {
      const attempt = await upload.begin({ start: 0, end: record.length }, 'as-received')
      await attempt.write(bytes)
      await attempt.commit()
    }
    return upload
  }
}

function isExisting(error: unknown): boolean {
  return error instanceof S3Error && error.outcome === 'exists'
}

function wholeOf(size: number): Ranges {
  return size === 0 ? [] : [{ start: 0, end: size }]
}

function taken(): UploadError {
  return new UploadError('storage_error', 'There is an upload with this id.')
}

function asTaken(error: unknown): never {
  throw error instanceof UploadError && error.code === 'moved' ? taken() : error
}
