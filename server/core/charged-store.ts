import { type Charge, type ChargedState, chargeOf, dependsOnBlocks, growsWithBytes } from './charge.ts'
import type { Headroom } from './headroom.ts'
import type { Ledger, TrackedUpload } from './ledger.ts'
import type { Range, Ranges } from './ranges.ts'
import { bytesIn } from './reader.ts'
import type { FailureReason, UploadRecord } from './record.ts'
import type {
  Attempt,
  Count,
  Departure,
  Found,
  ObjectPlace,
  Occupied,
  Prepared,
  Space,
  Store,
  StoredUpload,
  UnfinishedUpload,
  UploadSummary,
} from './store.ts'

/** A store whose uploads are charged to the ledger, and that keeps a part of the disk free. */
export class ChargedStore implements Store {
  readonly #store: Store
  readonly #ledger: Ledger
  readonly #headroom: Headroom

  constructor(store: Store, ledger: Ledger, headroom: Headroom) {
    this.#store = store
    this.#ledger = ledger
    this.#headroom = headroom
  }

  /** @throws UploadError also `quota_exceeded`. */
  create(record: UploadRecord, isTentative = false): Promise<StoredUpload> {
    return this.#create(record, false, () => this.#store.create(record, isTentative))
  }

  /** @throws UploadError also `quota_exceeded`. */
  createFinished(
    record: UploadRecord,
    bytes: readonly Buffer[],
    prepare?: () => Promise<Prepared>,
  ): Promise<StoredUpload> {
    return this.#create(record, true, () => this.#store.createFinished(record, bytes, prepare))
  }

  /** @throws UploadError also `quota_exceeded`. */
  createFrom(record: UploadRecord, source: StoredUpload): Promise<StoredUpload> {
    return this.#create(record, false, () => this.#store.createFrom(record, ChargedUpload.storedOf(source)))
  }

  async open(id: string): Promise<Found> {
    const found = await this.#store.open(id)
    if (found.kind !== 'upload') return found
    return { kind: 'upload', upload: new ChargedUpload(found.upload, this.#ledger, this.#headroom) }
  }

  group(group: string): Promise<readonly string[]> {
    return this.#store.group(group)
  }

  newest(start: string, most: number): Promise<readonly string[]> {
    return this.#store.newest(start, most)
  }

  get maxLength(): number {
    return this.#store.maxLength
  }

  get idleKept(): number {
    return this.#store.idleKept
  }

  get isShared(): boolean {
    return this.#store.isShared
  }

  unfinished(): AsyncIterable<UnfinishedUpload> {
    return this.#store.unfinished()
  }

  due(signal: AbortSignal): AsyncIterable<string> {
    return this.#store.due(signal)
  }

  partitions(): Promise<readonly string[]> {
    return this.#store.partitions()
  }

  partition(name: string): Promise<readonly string[]> {
    return this.#store.partition(name)
  }

  partitionOf(id: string): string {
    return this.#store.partitionOf(id)
  }

  summary(id: string): Promise<UploadSummary | undefined> {
    return this.#store.summary(id)
  }

  pathOf(record: UploadRecord, isFinished: boolean): string | undefined {
    return this.#store.pathOf(record, isFinished)
  }

  tidy(signal: AbortSignal): Promise<void> {
    return this.#store.tidy(signal)
  }

  objectOf(record: UploadRecord): ObjectPlace | undefined {
    return this.#store.objectOf?.(record)
  }

  space(): Promise<Space> {
    return this.#store.space()
  }

  lastChange(id: string): Promise<Date> {
    return this.#store.lastChange(id)
  }

  gone(deadline: Date): Promise<readonly string[]> {
    return this.#store.gone(deadline)
  }

  goneSince(id: string): Promise<Date | undefined> {
    return this.#store.goneSince(id)
  }

  forget(id: string): Promise<void> {
    return this.#store.forget(id)
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  /** Reserves the charge before anything waits. */
  async #create(record: UploadRecord, finished: boolean, make: () => Promise<StoredUpload>): Promise<StoredUpload> {
    const state = { record, received: [], finished, removed: false }
    const tracked = this.#ledger.reserveNew(record, (overhead) => chargeOf(state, overhead, 0))
    let stored: StoredUpload | undefined
    try {
      await this.#headroom.take(0)
      stored = await make()
      return new ChargedUpload(stored, this.#ledger, this.#headroom, tracked)
    } finally {
      this.#ledger.created(tracked, stored !== undefined)
    }
  }
}

/** An upload that is charged after each change of its state. */
class ChargedUpload implements StoredUpload {
  readonly #stored: StoredUpload
  readonly #ledger: Ledger
  readonly #headroom: Headroom
  readonly #tracked: TrackedUpload

  /** @param tracked without it, the upload exists and is charged already. */
  constructor(stored: StoredUpload, ledger: Ledger, headroom: Headroom, tracked?: TrackedUpload) {
    this.#stored = stored
    this.#ledger = ledger
    this.#headroom = headroom
    this.#tracked = tracked ?? ledger.track(stored.record, undefined)
    if (tracked === undefined && !dependsOnBlocks(stored)) this.#tracked.charge = this.#chargeOf(stored)
  }

  /** What the store has given for it. */
  static storedOf(upload: StoredUpload): StoredUpload {
    return upload instanceof ChargedUpload ? upload.#stored : upload
  }

  get record(): UploadRecord {
    return this.#stored.record
  }

  get received(): Ranges {
    return this.#stored.received
  }

  get finished(): boolean {
    return this.#stored.finished
  }

  get removed(): boolean {
    return this.#stored.removed
  }

  get finishedAt(): Date | undefined {
    return this.#stored.finishedAt
  }

  get path(): string | undefined {
    return this.#stored.path
  }

  get object(): ObjectPlace | undefined {
    return this.#stored.object
  }

  get moved(): boolean {
    return this.#stored.moved
  }

  get parallel(): number {
    return this.#stored.parallel
  }

  stride(position: number): number {
    return this.#stored.stride(position)
  }

  confirm(): Promise<void> {
    return this.#stored.confirm()
  }

  async begin(range: Range, count: Count): Promise<Attempt> {
    const attempt = await this.#stored.begin(range, count)
    const grows = growsWithBytes(this.#stored)
    let end = range.start
    return {
      get isDue() {
        return attempt.isDue
      },
      write: async (buffers) => {
        this.#ledger.noteBytes(this.#tracked)
        const bytes = bytesIn(buffers)
        const room = this.#headroom.take(bytes)
        if (room !== undefined) await room
        end += bytes
        if (grows) this.#reserveUpTo(end)
        await attempt.write(buffers)
      },
      commit: () => (grows ? this.#settledAfter(() => attempt.commit()) : attempt.commit()),
      discard: () => (grows ? this.#settledAfter(() => attempt.discard()) : attempt.discard()),
    }
  }

  async update(change: (record: UploadRecord) => UploadRecord): Promise<void> {
    await this.#settledAfter(() =>
      this.#stored.update((before) => {
        const record = change(before)
        const { received, finished, removed } = this.#stored
        // Only a new length can exceed a limit.
        if (record.length !== before.length) this.#reserve({ record, received, finished, removed })
        return record
      }),
    )
  }

  read(range: Range): AsyncIterable<Buffer> {
    return this.#stored.read(range)
  }

  finish(after?: Promise<void>): Promise<void> {
    return this.#settledAfter(() => this.#stored.finish(after))
  }

  fail(reason: FailureReason): Promise<void> {
    return this.#settledAfter(() => this.#stored.fail(reason))
  }

  async absorb(part: StoredUpload, position: number): Promise<boolean> {
    if (!(part instanceof ChargedUpload)) return this.#settledAfter(() => this.#stored.absorb(part, position))
    return part.#settledAfter(() => this.#settledAfter(() => this.#stored.absorb(part.#stored, position)))
  }

  discardBytes(): Promise<void> {
    return this.#settledAfter(() => this.#stored.discardBytes())
  }

  abandon(): Promise<void> {
    return this.#settledAfter(() => this.#stored.abandon())
  }

  seal(): Promise<string | undefined> {
    return this.#stored.seal()
  }

  quarantine(): Promise<void> {
    return this.#settledAfter(() => this.#stored.quarantine())
  }

  isQuarantined(): Promise<boolean> {
    return this.#stored.isQuarantined()
  }

  readmit(): Promise<void> {
    return this.#settledAfter(() => this.#stored.readmit())
  }

  touch(): Promise<void> {
    return this.#stored.touch()
  }

  occupied(): Promise<Occupied> {
    return this.#stored.occupied()
  }

  async remove(why: Departure): Promise<void> {
    try {
      await this.#ledger.removing(this.#tracked, () => this.#settledAfter(() => this.#stored.remove(why)))
    } finally {
      if (this.#stored.removed) this.#ledger.untrack(this.#tracked)
    }
  }

  lastChange(): Promise<Date> {
    return this.#stored.lastChange()
  }

  release(): Promise<void> {
    return this.#stored.release()
  }

  async close(): Promise<void> {
    await this.#stored.close()
    // Refused bytes of an upload that has failed may have been cut off since.
    if (this.#tracked.charge !== undefined) await this.#settle()
    this.#ledger.untrack(this.#tracked)
  }

  /** Runs `work`, then charges what the upload costs now, also if it threw. */
  async #settledAfter<T>(work: () => Promise<T>): Promise<T> {
    this.#tracked.charge ??= this.#chargeOf(this.#stored, await this.#occupiedBytes())
    try {
      return await work()
    } finally {
      await this.#settle()
    }
  }

  /** Charges what the upload costs now. */
  async #settle(): Promise<void> {
    const occupied = dependsOnBlocks(this.#stored) ? await this.#occupiedBytes() : 0
    this.#ledger.settle(this.#tracked, this.#chargeOf(this.#stored, occupied))
  }

  /** 0 if the store cannot tell: the next recount corrects it. */
  async #occupiedBytes(): Promise<number> {
    const occupied = await this.#stored.occupied().catch(() => undefined)
    return occupied?.bytes ?? 0
  }

  #reserve(state: ChargedState): void {
    this.#ledger.reserve(this.#tracked, this.#chargeOf(state))
  }

  /** Reserves the room for bytes before `end`. Those of a final upload are its parts', which may not be refused. */
  #reserveUpTo(end: number): void {
    const { record, received, finished, removed } = this.#stored
    const state = { record, received: [...received, { start: 0, end }], finished, removed }
    if (record.parts === undefined) this.#reserve(state)
    else this.#ledger.settle(this.#tracked, this.#chargeOf(state))
  }

  #chargeOf(state: ChargedState, occupied = 0): Charge {
    return chargeOf(state, this.#tracked.overhead, occupied)
  }
}
