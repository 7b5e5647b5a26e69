import { type Evidence, isCommitted } from '../core/committed.ts'
import { EVENT_TYPES, type EventType, eventId, type UploadEvent } from '../core/events.ts'
import type { Intent, Letter, Mailbox, Outbox } from '../core/outbox.ts'
import type { WrittenEvent } from '../core/written-event.ts'
import type { OutboxStep, SyncMode } from '../disk/environment.ts'
import { makeFolder } from '../disk/files.ts'
import { PRIVATE_FOLDER } from '../disk/modes.ts'
import { DeadLetters } from './dead-letters.ts'
import { EndpointReader, type Found } from './endpoint-reader.ts'
import { EventLog } from './event-log.ts'

/** How often the folder of dead letters to send again is read, in milliseconds. */
const LOOK_EVERY = 5_000
/** The wait before the outbox is read or compared again after an error; each further one is twice as long. */
const FIRST_RETRY_DELAY = 1_000
const MAX_RETRY_DELAY = 60_000

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
  written: Found | undefined
  /** What has become of it. */
  end: 'confirmed' | 'cancelled' | 'doubted' | undefined
}

/** An outbox in files. A process that owns the data directory owns it. */
export class DiskOutbox implements Outbox, Mailbox {
  readonly #options: DiskOutboxOptions
  readonly #log: EventLog
  readonly #dead: DeadLetters
  readonly #readers: EndpointReader[] = []
  /** By event id. */
  readonly #open = new Map<string, Open>()
  /** By upload: events of which it is not known whether they are true. */
  readonly #doubtful = new Map<string, Found[]>()
  readonly #checking = new Map<string, Promise<void>>()
  #store: Evidence | undefined
  #loaded: Promise<void> = Promise.reject(new Error('The outbox is not open.'))
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> = Promise.resolve()
  #retry: NodeJS.Timeout | undefined
  #retryDelay = FIRST_RETRY_DELAY
  #isClosed = false

  constructor(options: DiskOutboxOptions) {
    const { folder, sync, endpoints, onStep, onNotice } = options
    this.#options = options
    this.#log = new EventLog({ folder, syncs: sync !== 'never', endpoints, onStep, onNotice })
    this.#dead = new DeadLetters(folder)
    this.#loaded.catch(() => undefined)
  }

  handOut(endpoint: string, receive: (letter: Letter) => void): void {
    const place = this.#options.endpoints.indexOf(endpoint)
    this.#readers.push(
      new EndpointReader({
        endpoint,
        place,
        receive,
        log: this.#log,
        dead: this.#dead,
        onNotice: this.#options.onNotice,
      }),
    )
  }

  async countDead(): Promise<number> {
    return (await this.#dead.names()).length
  }

  async begin(store: Evidence): Promise<void> {
    this.#store = store
    await makeFolder(this.#options.folder, PRIVATE_FOLDER)
    await this.#dead.begin()
    // Reading many events takes longer than the start of the service may.
    this.#startLoading()
  }

  intend(all: readonly UploadEvent[]): Intent {
    const events = all.filter(({ type }) => this.#options.types.has(type))
    if (events.length === 0) return { ...NOTHING, written: this.#evidenceKept(all) }
    const opened = events.map((event): Open => ({ id: eventId(event), written: undefined, end: undefined }))
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
      doubt: () => {
        for (const one of opened) this.#doubt(one)
      },
    }
  }

  /** Ends the deliveries: no letter is handed out or settled from now on. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const reader of this.#readers) reader.close()
    clearInterval(this.#timer)
    clearTimeout(this.#retry)
    await this.#looking.catch(() => undefined)
    await this.#loaded.catch(() => undefined)
    await this.#log.close()
  }

  /** Loads, or tries again later; until then, no event can be written. */
  #startLoading(): void {
    this.#loaded = this.#load()
    this.#loaded.catch((error: unknown) => {
      this.#options.onNotice('The outbox could not be read; retrying.', error)
      this.#later(() => this.#startLoading())
    })
  }

  async #load(): Promise<void> {
    await this.#log.load()
    this.#doubtful.clear()
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
    this.#startHandingOut().catch(() => undefined)
    this.#timer = setInterval(() => {
      this.#looking = this.#look()
    }, LOOK_EVERY)
    this.#timer.unref()
    this.#looking = this.#look()
  }

  #addDoubtful(found: Found): void {
    const { upload } = found.event
    const known = this.#doubtful.get(upload) ?? []
    this.#doubtful.set(upload, known)
    known.push(found)
  }

  async #startHandingOut(): Promise<void> {
    await this.#checkAll()
    for (const reader of this.#readers) reader.readOn()
  }

  /** Compares the doubtful events with the store; retries those that it cannot compare. */
  async #checkAll(): Promise<void> {
    let isUnknown = false
    for (const upload of [...this.#doubtful.keys()]) {
      if (this.#isClosed) return
      await this.#check(upload).catch((error: unknown) => {
        isUnknown = true
        this.#options.onNotice('An event could not be compared with its upload; retrying.', error)
      })
    }
    if (isUnknown) this.#later(() => void this.#checkAll())
    else this.#retryDelay = FIRST_RETRY_DELAY
  }

  #later(work: () => void): void {
    clearTimeout(this.#retry)
    if (this.#isClosed) return
    this.#retry = setTimeout(work, this.#retryDelay)
    this.#retry.unref()
    this.#retryDelay = Math.min(this.#retryDelay * 2, MAX_RETRY_DELAY)
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
    for (const found of this.#doubtful.get(upload) ?? []) {
      const { segment, index } = found
      if (segment.isOver(index) || segment.isConfirmed(index)) continue
      if (await isCommitted(store, found.event)) this.#handOut(found)
      else this.#log.end(found)
    }
    this.#doubtful.delete(upload)
  }

  async #write(events: readonly UploadEvent[], opened: readonly Open[]): Promise<void> {
    await this.#loaded
    const { sync, bodyOf } = this.#options
    for (const upload of new Set(events.map((event) => event.upload.record.id))) await this.#check(upload)
    const isDurable = sync === 'always' || (sync === 'finish' && events.some(({ type }) => DURABLE.has(type)))
    const written = events.map((event, i): WrittenEvent => {
      const { type, at, upload } = event
      const { id, createdAt } = upload.record
      return { id: opened[i]?.id ?? eventId(event), type, upload: id, createdAt, at: at.getTime(), body: bodyOf(event) }
    })
    const positions = await this.#log.append(written, isDurable)
    for (const [i, one] of opened.entries()) {
      const [position, event] = [positions[i], written[i]]
      if (position === undefined || event === undefined) continue
      one.written = { ...position, event }
      for (const reader of this.#readers) reader.noteWritten(position)
      if (one.end === 'cancelled') this.#log.end(position)
      if (one.end === 'doubted') this.#reconsider(one.written)
    }
  }

  /** A removal takes away what shows that earlier events are true: it waits until a mark says so. */
  async #evidenceKept(events: readonly UploadEvent[]): Promise<void> {
    if (!events.some(({ type }) => type === 'deleted' || type === 'expired')) return
    await this.#loaded
    for (const { upload } of events) await this.#check(upload.record.id)
    await this.#log.append([], false)
  }

  /** Hands out a confirmed event, unless the reader will find it. */
  #handOut(found: Found): void {
    this.#log.confirm(found)
    for (const reader of this.#readers) reader.handOut(found)
  }

  /** Takes dead letters that are to be sent again. */
  async #look(): Promise<void> {
    try {
      await this.#dead.takeRequested(async ({ why: _, ...letter }) => {
        const type = EVENT_TYPES.find((one) => one === letter.type)
        if (type === undefined || !this.#options.endpoints.includes(letter.only)) {
          this.#options.onNotice(`The event ${letter.id} has no receiver in WEBHOOK_URLS: it stays a dead letter.`)
          return false
        }
        const event = { ...letter, type, at: Date.now() }
        const [position] = await this.#log.append([event], true)
        if (position !== undefined) this.#handOut({ ...position, event })
        return true
      })
    } catch (error) {
      this.#options.onNotice('Dead letters could not be sent again.', error)
    }
  }

  #confirm(one: Open): void {
    if (one.end !== undefined) return
    this.#settle(one, 'confirmed')
    if (one.written !== undefined) this.#handOut(one.written)
  }

  #cancel(one: Open): void {
    if (one.end !== undefined) return
    this.#settle(one, 'cancelled')
    if (one.written !== undefined) this.#log.end(one.written)
  }

  #doubt(one: Open): void {
    if (one.end !== undefined) return
    this.#settle(one, 'doubted')
    if (one.written !== undefined) this.#reconsider(one.written)
  }

  #settle(one: Open, end: Open['end']): void {
    one.end = end
    if (this.#open.get(one.id) === one) this.#open.delete(one.id)
  }

  #reconsider(found: Found): void {
    this.#addDoubtful(found)
    this.#checkAll().catch(() => undefined)
  }
}

const NOTHING: Omit<Intent, 'written'> = { confirm: () => undefined, cancel: () => undefined, doubt: () => undefined }
