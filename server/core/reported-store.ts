import { eventOf, eventOfFailure } from './events.ts'
import type { UploadRecord } from './record.ts'
import { Report, type Reports } from './report.ts'
import { both, finishedFacts, ReportedUpload } from './reported-upload.ts'
import type {
  Found,
  ObjectPlace,
  Prepared,
  Space,
  Store,
  StoredUpload,
  UnfinishedUpload,
  UploadSummary,
} from './store.ts'

/** A store that reports what happens to its uploads. */
export class ReportedStore implements Store {
  readonly #store: Store
  readonly #reports: Reports

  constructor(store: Store, reports: Reports) {
    this.#store = store
    this.#reports = reports
  }

  async create(record: UploadRecord, isTentative = false): Promise<StoredUpload> {
    const upload = { record, offset: 0, path: this.#store.pathOf(record, false) }
    const report = new Report(this.#reports, [eventOf('created', upload)])
    const stored = await report.around(async () => {
      await report.written
      return this.#store.create(record, isTentative)
    }, isTentative)
    return new ReportedUpload(this.#store, stored, this.#reports, isTentative ? report : undefined)
  }

  async createFinished(
    record: UploadRecord,
    bytes: readonly Buffer[],
    prepare?: () => Promise<Prepared>,
  ): Promise<StoredUpload> {
    // If nothing has to be asked, the events are written while the bytes are.
    let report = prepare === undefined ? this.#reportWhole(record) : undefined
    try {
      const stored = await this.#store.createFinished(record, bytes, async () => {
        const prepared = (await prepare?.()) ?? { record }
        report ??= this.#reportWhole(prepared.record)
        return { record: prepared.record, after: both(report.written, prepared.after) }
      })
      report?.confirm()
      return new ReportedUpload(this.#store, stored, this.#reports)
    } catch (error) {
      report?.doubt()
      throw error
    }
  }

  async createFrom(record: UploadRecord, source: StoredUpload): Promise<StoredUpload> {
    const upload = { record, offset: record.length ?? 0, path: this.#store.pathOf(record, false) }
    const report = new Report(this.#reports, [eventOf('created', upload)])
    const stored = await report.around(async () => {
      await report.written
      return this.#store.createFrom(record, ReportedUpload.storedOf(source))
    })
    return new ReportedUpload(this.#store, stored, this.#reports)
  }

  async open(id: string): Promise<Found> {
    const found = await this.#store.open(id)
    if (found.kind !== 'upload') return found
    return { kind: 'upload', upload: new ReportedUpload(this.#store, found.upload, this.#reports) }
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

  /** The events of an upload that has all its bytes from the beginning. */
  #reportWhole(record: UploadRecord): Report {
    const { failed } = record
    const created = { record, offset: 0, path: this.#store.pathOf(record, false) }
    const offset = record.length ?? 0
    const whole =
      failed === undefined
        ? { ...finishedFacts(this.#store, record), offset }
        : { record, offset, path: this.#store.pathOf(record, false) }
    const outcome = failed === undefined ? 'finished' : eventOfFailure(failed)
    return new Report(this.#reports, [eventOf('created', created), eventOf(outcome, whole)])
  }
}
