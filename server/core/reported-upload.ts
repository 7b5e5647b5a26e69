import type { UploadFacts } from './decisions.ts'
import { UploadError } from './errors.ts'
import { type EventType, eventOf, eventOfFailure } from './events.ts'
import { prefix, type Range, type Ranges } from './ranges.ts'
import type { FailureReason, UploadRecord } from './record.ts'
import { Report, type Reports } from './report.ts'
import type { Attempt, Count, Departure, ObjectPlace, Occupied, Store, StoredUpload } from './store.ts'

/** An upload whose changes of state are reported. */
export class ReportedUpload implements StoredUpload {
  readonly #store: Store
  readonly #stored: StoredUpload
  readonly #reports: Reports
  /** The creation that is not confirmed yet. */
  #creation: Report | undefined
  /** Of a finish that threw: the file may have its final name, and a later finish may succeed. */
  #finish: Report | undefined
  #isFailed: boolean
  #failing: Promise<void> | undefined
  /** When progress was last reported, in milliseconds, and the offset that was. */
  #lastProgress = { time: Number.NEGATIVE_INFINITY, offset: 0 }

  constructor(store: Store, stored: StoredUpload, reports: Reports, creation?: Report) {
    this.#store = store
    this.#stored = stored
    this.#reports = reports
    this.#creation = creation
    this.#isFailed = stored.record.failed !== undefined
    this.#lastProgress.offset = prefix(stored.received)
  }

  /** What the store has given for it. */
  static storedOf(upload: StoredUpload): StoredUpload {
    return upload instanceof ReportedUpload ? upload.#stored : upload
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
    if (this.#creation === undefined && !this.#reports.events.isHeard('progress')) return attempt
    return {
      get isDue() {
        return attempt.isDue
      },
      write: (buffers) => attempt.write(buffers),
      commit: async () => {
        await attempt.commit()
        this.#confirmCreation()
        this.#reportProgress(this.#reports.progressInterval)
      },
      discard: () => attempt.discard(),
    }
  }

  async update(change: (record: UploadRecord) => UploadRecord): Promise<void> {
    await this.#stored.update(change)
  }

  read(range: Range): AsyncIterable<Buffer> {
    return this.#stored.read(range)
  }

  seal(): Promise<string | undefined> {
    return this.#stored.seal()
  }

  async finish(after?: Promise<void>): Promise<void> {
    await this.#ensureCreation()
    const facts = { ...this.#facts, ...finishedFacts(this.#store, this.#stored.record) }
    const report = this.#finish ?? this.#report('finished', facts)
    this.#finish = report
    report.written.catch(() => {
      if (this.#finish === report) this.#cancelFinish()
    })
    await this.#stored.finish(both(report.written, after))
    report.confirm()
    this.#finish = undefined
  }

  async fail(reason: FailureReason): Promise<void> {
    if (this.#isFailed) return this.#stored.fail(reason)
    this.#failing ??= this.#reportFailure(reason).finally(() => {
      this.#failing = undefined
    })
    await this.#failing
  }

  async #reportFailure(reason: FailureReason): Promise<void> {
    await this.#ensureCreation()
    const upload = this.#facts
    const failed = { ...upload, record: { ...upload.record, failed: reason } }
    const report = this.#report(eventOfFailure(reason), failed)
    await report.around(async () => {
      await report.written
      await this.#stored.fail(reason)
    })
    this.#isFailed = true
    this.#cancelFinish()
  }

  absorb(part: StoredUpload, position: number): Promise<boolean> {
    return this.#stored.absorb(part instanceof ReportedUpload ? part.#stored : part, position)
  }

  discardBytes(): Promise<void> {
    return this.#stored.discardBytes()
  }

  abandon(): Promise<void> {
    return this.#stored.abandon()
  }

  quarantine(): Promise<void> {
    return this.#stored.quarantine()
  }

  isQuarantined(): Promise<boolean> {
    return this.#stored.isQuarantined()
  }

  async readmit(): Promise<void> {
    await this.#stored.readmit()
    this.#isFailed = false
  }

  touch(): Promise<void> {
    return this.#stored.touch()
  }

  async remove(why: Departure): Promise<void> {
    // It threw when it was removed, which is reported.
    if (this.#stored.removed) return this.#stored.remove(why)
    if (why === 'refused') return this.#removeRefused()
    this.#confirmCreation()
    const facts = this.#facts
    const report = this.#report(why, facts)
    const isUnwritten = await hadNoSpace(report.written).catch((error: unknown) => {
      report.cancel()
      throw error
    })
    try {
      await this.#stored.remove(why)
    } finally {
      if (this.#stored.removed) {
        this.#cancelFinish()
        report.confirm()
        if (isUnwritten) await this.#reportLate(why, facts)
      } else report.cancel()
    }
  }

  async #removeRefused(): Promise<void> {
    try {
      await this.#stored.remove('refused')
    } finally {
      if (this.#stored.removed) {
        this.#creation?.cancel()
        this.#creation = undefined
      }
    }
  }

  /** The removal may have made room for its event. A crash before this loses the event. */
  async #reportLate(why: Exclude<Departure, 'refused'>, facts: UploadFacts): Promise<void> {
    const intent = this.#reports.outbox?.intend([eventOf(why, facts)])
    await intent?.written.then(
      () => intent.confirm(),
      () => intent.cancel(),
    )
  }

  occupied(): Promise<Occupied> {
    return this.#stored.occupied()
  }

  lastChange(): Promise<Date> {
    return this.#stored.lastChange()
  }

  async release(): Promise<void> {
    // A refused upload is removed instead.
    this.#confirmCreation()
    this.#reportProgress(0)
    await this.#stored.release()
  }

  async close(): Promise<void> {
    if (this.#stored.moved) this.#doubt()
    else this.#confirmCreation()
    await this.#stored.close()
  }

  get #facts(): UploadFacts {
    const { record, received, path, object } = this.#stored
    return { record, offset: prefix(received), path, object }
  }

  #report(type: EventType, upload: UploadFacts = this.#facts): Report {
    return new Report(this.#reports, [eventOf(type, upload)])
  }

  /** From the first byte on, the upload can only be deleted, not refused. */
  #confirmCreation(): void {
    this.#creation?.confirm()
    this.#creation = undefined
  }

  /** A tentative upload may not be stored before its first byte, and some have none. */
  async #ensureCreation(): Promise<void> {
    if (this.#creation === undefined) return
    await this.#stored.confirm()
    this.#confirmCreation()
  }

  /** Another object decides what becomes of the upload: the store shows it. */
  #doubt(): void {
    this.#creation?.doubt()
    this.#creation = undefined
    this.#finish?.doubt()
    this.#finish = undefined
  }

  #cancelFinish(): void {
    this.#finish?.cancel()
    this.#finish = undefined
  }

  #reportProgress(interval: number): void {
    const { events } = this.#reports
    if (!events.isHeard('progress')) return
    const offset = prefix(this.#stored.received)
    const now = performance.now()
    if (offset === this.#lastProgress.offset || now - this.#lastProgress.time < interval) return
    this.#lastProgress = { time: now, offset }
    events.emit(eventOf('progress', this.#facts))
  }
}

/** What an application sees of a finished upload. */
export function finishedFacts(store: Store, record: UploadRecord): Omit<UploadFacts, 'offset'> {
  return { record, path: store.pathOf(record, true), object: store.objectOf?.(record) }
}

/** Whether events could not be written because the disk is full: a removal makes room. @throws any other error. */
async function hadNoSpace(written: Promise<void>): Promise<boolean> {
  try {
    await written
    return false
  } catch (error) {
    if (error instanceof UploadError && error.code === 'no_space') return true
    throw error
  }
}

/** Waits for both. It may reject without being awaited: the change may fail before. */
export function both(first: Promise<void>, second: Promise<void> | undefined): Promise<void> {
  const all = first.then(() => second)
  all.catch(() => undefined)
  return all
}
