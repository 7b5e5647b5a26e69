import { type DoubtfulEvent, isCommitted } from '../core/committed.ts'
import { type EventType, eventId, type UploadEvent } from '../core/events.ts'
import type { Intent, Letter, Mailbox, Outbox } from '../core/outbox.ts'
import type { Store } from '../core/store.ts'
import type { SyncMode } from '../disk/environment.ts'
import { makeFolder } from '../disk/files.ts'
import { PRIVATE_FOLDER } from '../disk/modes.ts'
import { DeadLetters } from './dead-letters.ts'
import { EventLog, type OutboxStep, type Position } from './event-log.ts'
import type { WrittenEvent } from './lines.ts'
import type { Segment } from './segment.ts'

/** Maximum letters that an endpoint has in memory, and how many it has left when more are read. */
const MAX_LETTERS = 10_000
const READ_BELOW = MAX_LETTERS / 2
/** How often the folder of dead letters to send again is read, in milliseconds. */
const LOOK_EVERY = 5_000

/** Events that are as durable as the files that they are about. The others are as durable as their uploads. */
const DURABLE: ReadonlySet<EventType> = new Set(['finished', 'failed', 'rejected'])

export interface DiskOutboxOptions {
  /** A folder for the outbox alone. */
  readonly folder: string
  readonly sync: SyncMode
  readonly endpoints: readonly string[]
  /** The types of the events that are kept. */
  readonly types: ReadonlySet<EventType>
  /** The JSON that is delivered for an event. */
  readonly bodyOf: (event: UploadEvent) => unknown
  /** Receives notices for the operator. */
  readonly onNotice: (sentence: string, error?: unknown) => void
  readonly onStep: (step: OutboxStep) => void
}

/** An intent that is neither confirmed nor cancelled. */
interface Open {
  readonly id: string
  position: Position | undefined
  isOver: boolean
}

/** An endpoint, and how far the log was read for it. */
interface Reader {
  readonly endpoint: string
  readonly number: number
  readonly receive: (letter: Letter) => void
  /** The segment and the index that are read next; without a segment, the first one. */
  segment: Segment | undefined
  index: number
  letters: number
  isReading: boolean
}

/** An outbox in files. A process that owns the data directory owns it. */
export class DiskOutbox implements Outbox, Mailbox {
  readonly #options: DiskOutboxOptions
  readonly #log: EventLog
  readonly #dead: DeadLetters
  readonly #readers: Reader[] = []
  /** By event id. */
  readonly #open = new Map<string, Open>()
  /** By upload: events of an earlier process of which it is not known whether they are true. */
  readonly #doubtful = new Map<string, (Position & { readonly event: WrittenEvent })[]>()
  readonly #checking = new Map<string, Promise<void>>()
  #store: Pick<Store, 'summary' | 'open'> | undefined
  #loaded: Promise<void> = Promise.reject(new Error('The outbox is not open.'))
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(options: DiskOutboxOptions) {
    const { folder, sync, endpoints, onStep } = options
    this.#options = options
    this.#log = new EventLog({ folder, syncs: sync !== 'never', endpoints, onStep })
    this.#dead = new DeadLetters(folder)
    this.#loaded.catch(() => undefined)
  }

  handOut(endpoint: string, receive: (letter: Letter) => void): void {
    const number = this.#options.endpoints.indexOf(endpoint)
    const reader = { endpoint, number, receive, segment: undefined, index: 0, letters: 0, isReading: false }
    this.#readers.push(reader)
  }

  async begin(store: Pick<Store, 'summary' | 'open'>): Promise<void> {
    this.#store = store
    await makeFolder(this.#options.folder, PRIVATE_FOLDER)
    // Reading many events takes longer than the start of the service may.
    this.#loaded = this.#load()
    this.#loaded.catch((error: unknown) => this.#options.onNotice('The outbox could not be read.', error))
  }

  intend(all: readonly UploadEvent[]): Intent {
    const events = all.filter(({ type }) => this.#options.types.has(type))
    if (events.length === 0) return NOTHING
    const opened = events.map((event): Open => ({ id: eventId(event), position: undefined, isOver: false }))
    for (const one of opened) {
      const earlier = this.#open.get(one.id)
      if (earlier !== undefined) this.#cancel(earlier)
      this.#open.set(one.id, one)
    }
    return {
      written: this.#write(events, opened),
      confirm: () => {
        for (const one of opened) this.#confirm(one)
      },
      cancel: () => {
        for (const one of opened) this.#cancel(one)
      },
    }
  }

  /** Ends the deliveries: no letter is handed out or settled from now on. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#timer)
    await this.#looking.catch(() => undefined)
    await this.#loaded.catch(() => undefined)
    await this.#log.close()
  }

  async #load(): Promise<void> {
    await this.#log.load()
    const seen = new Set<string>()
    for (const segment of this.#log.segments) {
      const doubtful = new Set(segment.doubtful())
      if (doubtful.size === 0) continue
      for await (const found of this.#log.liveEvents(segment, 0)) {
        if (!doubtful.has(found.index)) continue
        if (seen.has(found.event.id)) this.#log.end(found)
        else this.#addDoubtful(found)
        seen.add(found.event.id)
      }
    }
    this.#checkAll().catch(() => undefined)
    this.#timer = setInterval(() => {
      this.#looking = this.#look()
    }, LOOK_EVERY)
    this.#timer.unref()
    this.#looking = this.#look()
  }

  #addDoubtful(found: Position & { readonly event: WrittenEvent }): void {
    const { upload } = found.event
    const known = this.#doubtful.get(upload) ?? []
    this.#doubtful.set(upload, known)
    known.push(found)
  }

  /** Compares the doubtful events with the store, then begins to hand out. */
  async #checkAll(): Promise<void> {
    for (const upload of [...this.#doubtful.keys()]) {
      if (this.#isClosed) return
      await this.#check(upload).catch((error: unknown) => {
        // The next change of the upload, or the next start, tries again.
        this.#options.onNotice('An event could not be compared with its upload.', error)
      })
    }
    for (const reader of this.#readers) this.#readOn(reader)
  }

  /** @throws UploadError `storage_error` while it is not known which events of the upload are true. */
  async #check(upload: string): Promise<void> {
    if (!this.#doubtful.has(upload)) return
    const running = this.#checking.get(upload) ?? this.#compare(upload)
    this.#checking.set(upload, running)
    await running.finally(() => this.#checking.delete(upload))
  }

  async #compare(upload: string): Promise<void> {
    const store = this.#store
    if (store === undefined) return
    for (const { event, ...position } of this.#doubtful.get(upload) ?? []) {
      if (position.segment.isOver(position.index) || position.segment.isConfirmed(position.index)) continue
      const doubtful: DoubtfulEvent = event
      if (await isCommitted(store, doubtful)) this.#confirmAt(position, event)
      else this.#log.end(position)
    }
    this.#doubtful.delete(upload)
  }

  async #write(events: readonly UploadEvent[], opened: readonly Open[]): Promise<void> {
    await this.#loaded
    const { sync, bodyOf } = this.#options
    for (const upload of new Set(events.map((event) => event.upload.record.id))) await this.#check(upload)
    const isDurable = sync === 'always' || (sync === 'finish' && events.some(({ type }) => DURABLE.has(type)))
    const written = events.map((event): WrittenEvent => {
      const { type, at, upload } = event
      const { id, createdAt } = upload.record
      return { id: eventId(event), type, upload: id, createdAt, at: at.getTime(), body: bodyOf(event) }
    })
    const positions = await this.#log.append(written, isDurable)
    for (const [i, one] of opened.entries()) {
      const position = positions[i]
      one.position = position
      if (position === undefined) continue
      for (const reader of this.#readers) this.#pass(reader, position)
      if (one.isOver) this.#log.end(position)
    }
  }

  /** A reader that has read everything need not read this event, which it receives when it is confirmed. */
  #pass(reader: Reader, { segment, index }: Position): void {
    if (reader.isReading || reader.letters >= MAX_LETTERS || this.#next(reader, segment)?.index !== index) return
    reader.segment = segment
    reader.index = index + 1
  }

  /** What is next for a reader that has read everything before `segment`. */
  #next({ segment, index }: Reader, last: Segment): { readonly index: number } | undefined {
    if (segment === last) return { index }
    return this.#isRead(segment, index) && this.#log.after(segment) === last ? { index: 0 } : undefined
  }

  /** Whether nothing of the segment is left to read. */
  #isRead(segment: Segment | undefined, index: number): boolean {
    return segment === undefined || index >= segment.end
  }

  #confirm(one: Open): void {
    if (one.isOver) return
    this.#close(one)
    if (one.position !== undefined) this.#confirmAt(one.position)
  }

  #cancel(one: Open): void {
    if (one.isOver) return
    this.#close(one)
    if (one.position !== undefined) this.#log.end(one.position)
  }

  #close(one: Open): void {
    one.isOver = true
    if (this.#open.get(one.id) === one) this.#open.delete(one.id)
  }
}

const NOTHING: Intent = { written: Promise.resolve(), confirm: () => undefined, cancel: () => undefined }
