import type { Logger } from 'pino'
import { UploadError } from '../core/errors.ts'
import type { Events, EventType, UploadEvent } from '../core/events.ts'
import type { Uploads } from '../core/uploads.ts'
import type { ListQuery } from './contract.ts'
import type { IndexAnswers, IndexPage, IndexQuestion, IndexRow, StaleUploads } from './index/rows.ts'
import { building, IndexThread } from './index-thread.ts'
import { factsOfLive, rowOf, storedFacts } from './upload-facts.ts'
import { Walk } from './walk.ts'

/** How long changes are gathered, in milliseconds. */
const GATHER_TIME = 50

/** So many messages of changes may be on their way to the worker. */
const MAX_MESSAGES = 4

/** When an upload is read again that could not be, in milliseconds. */
const READ_AGAIN = 1_000

/** So many changed uploads may wait; with more, the index is built again. */
const MAX_WAITING = 100_000

/** How long after its end the worker is started again, in milliseconds; each further wait is twice as long. */
const FIRST_RESTART = 1_000
const MAX_RESTART = 60_000

/** Where other nodes change uploads, the index is compared with the store so often, in milliseconds. */
const REFRESH_EVERY = 15 * 60_000

const TYPES = ['created', 'finished', 'failed', 'rejected', 'deleted', 'expired'] as const satisfies EventType[]

export type ChangeType = (typeof TYPES)[number] | 'changed'

/** A change of an upload that the index has received. */
export interface Change {
  readonly type: ChangeType
  readonly at: Date
  /** Afterwards; before it, if it is gone. */
  readonly row: IndexRow
}

interface Noted {
  /** Of the last event; `undefined` if only its bytes or its state have changed. */
  readonly event: UploadEvent | undefined
  readonly types: readonly ChangeType[]
}

/**
 * The index of uploads, in a worker. It is built by a walk over the store, and follows the events. When the worker ends,
 * it is built again.
 */
export class AdminIndex {
  readonly #uploads: Uploads
  readonly #log: Logger
  readonly #onChange: (change: Change) => void
  readonly #unsubscribe: () => void
  readonly #noted = new Map<string, Noted>()
  #thread: IndexThread
  #walk: Walk
  #isComplete = false
  #builtAt: Date | undefined
  #timer: NodeJS.Timeout | undefined
  #restart: NodeJS.Timeout | undefined
  #restartAfter = FIRST_RESTART
  #isFlushing = false
  #isClosed = false
  readonly #refresh: NodeJS.Timeout | undefined

  /** @param onChange called with each change, some time after it. */
  constructor(uploads: Uploads, events: Events, log: Logger, onChange: (change: Change) => void) {
    this.#uploads = uploads
    this.#log = log
    this.#onChange = onChange
    this.#unsubscribe = events.on(TYPES, (event) => this.#note(event.upload.record.id, event))
    this.#thread = this.#startThread()
    this.#walk = this.#startWalk(false)
    if (!uploads.isShared) return
    this.#refresh = setInterval(() => {
      if (this.#isComplete && this.#walk.isOver) this.#walk = this.#startWalk(true)
    }, REFRESH_EVERY).unref()
  }

  get status(): { readonly isComplete: boolean; readonly indexed: number; readonly builtAt: Date | undefined } {
    return { isComplete: this.#isComplete, indexed: this.#walk.looked, builtAt: this.#builtAt }
  }

  /** @throws UploadError `index_building`; `bad_request` for a wrong cursor. */
  page(query: ListQuery): Promise<IndexPage> {
    return this.#ask({ kind: 'page', query })
  }

  /** The uploads that have not changed since `before`, in milliseconds, and expire. @throws UploadError `index_building`. */
  stale(before: number): Promise<StaleUploads> {
    return this.#ask({ kind: 'stale', before })
  }

  /** The uploads by state, as far as they are known. @returns `undefined` while the worker starts. */
  async amounts(): Promise<IndexAnswers['amounts'] | undefined> {
    return this.#thread.ask({ kind: 'amounts' }).catch(() => undefined)
  }

  /** Notes that the bytes, or the state, of an upload have changed. */
  note(id: string): void {
    this.#note(id, undefined)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#unsubscribe()
    clearTimeout(this.#timer)
    clearTimeout(this.#restart)
    clearInterval(this.#refresh)
    this.#walk.stop()
    await this.#thread.close()
  }

  #ask<Q extends IndexQuestion>(question: Q): Promise<IndexAnswers[Q['kind']]> {
    if (!this.#isComplete) return Promise.reject(building(this.#walk.progress))
    return this.#thread.ask(question)
  }

  #startThread(): IndexThread {
    return new IndexThread((error) => {
      this.#isComplete = false
      this.#walk.stop()
      if (this.#isClosed) return
      this.#log.error({ err: error }, 'The worker of the index of uploads has ended; the index is built again.')
      this.#restart = setTimeout(() => {
        this.#thread = this.#startThread()
        this.#walk = this.#startWalk(false)
      }, this.#restartAfter).unref()
      this.#restartAfter = Math.min(this.#restartAfter * 2, MAX_RESTART)
    })
  }

  #startWalk(isRefresh: boolean): Walk {
    const thread = this.#thread
    const walk = new Walk(this.#uploads, thread)
    walk
      .run(isRefresh)
      .then((isWhole) => {
        if (!isWhole || thread !== this.#thread) return
        this.#isComplete = true
        this.#builtAt = new Date()
        this.#restartAfter = FIRST_RESTART
      })
      .catch((error: unknown) => {
        if (this.#isClosed || thread !== this.#thread || isStopping(error)) return
        this.#log.error({ err: error }, 'Building the index of uploads failed; it is tried again.')
        this.#restart = setTimeout(() => {
          this.#walk = this.#startWalk(isRefresh)
        }, MAX_RESTART).unref()
      })
    return walk
  }

  #note(id: string, event: UploadEvent | undefined): void {
    this.#walk.changed(id)
    const before = this.#noted.get(id)
    const type: ChangeType = event === undefined || event.type === 'progress' ? 'changed' : event.type
    const types = before?.types.includes(type) ? before.types : [...(before?.types ?? []), type]
    this.#noted.set(id, { event: event ?? before?.event, types })
    if (this.#noted.size > MAX_WAITING) this.#buildAgain()
    this.#timer ??= setTimeout(() => this.#flush(), GATHER_TIME).unref()
  }

  /** Too many changes for the worker: what it has is of no use. */
  #buildAgain(): void {
    this.#noted.clear()
    this.#isComplete = false
    this.#walk.stop()
    this.#walk = this.#startWalk(false)
  }

  #flush(): void {
    this.#timer = undefined
    if (this.#isFlushing || this.#isClosed || this.#thread.waiting >= MAX_MESSAGES) {
      if (!this.#isClosed) this.#timer = setTimeout(() => this.#flush(), GATHER_TIME).unref()
      return
    }
    this.#isFlushing = true
    this.#send()
      .catch((error: unknown) => {
        // The worker has ended, and the index is built again.
        if (!isStopping(error)) this.#log.debug({ err: error }, 'Changes did not reach the index of uploads.')
      })
      .finally(() => {
        this.#isFlushing = false
      })
  }

  async #send(): Promise<void> {
    const noted = [...this.#noted]
    this.#noted.clear()
    const rows: IndexRow[] = []
    const gone: string[] = []
    const changes: Change[] = []
    for (const [id, { event, types }] of noted) {
      const row = await this.#rowOf(id, event).catch((error: unknown) => this.#readAgain(id, error))
      if (row === 'unknown') continue
      if (row === undefined) gone.push(id)
      else rows.push(row)
      const shown = row ?? (event && goneRow(event))
      if (shown === undefined) continue
      const told = types.length > 1 ? types.filter((type) => type !== 'changed') : types
      for (const type of told) changes.push({ type, at: event?.at ?? new Date(), row: shown })
    }
    // Not awaited by the next changes, which come later in any case.
    const applied = this.#thread.ask({ kind: 'apply', changes: { rows, gone } })
    for (const change of changes) this.#onChange(change)
    await applied
  }

  #readAgain(id: string, error: unknown): 'unknown' {
    this.#log.debug({ upload: id, err: error }, 'A changed upload could not be read for the index; it is read again.')
    setTimeout(() => this.#isClosed || this.#note(id, undefined), READ_AGAIN).unref()
    return 'unknown'
  }

  /** @returns `undefined` if it is gone. */
  async #rowOf(id: string, event: UploadEvent | undefined): Promise<IndexRow | undefined> {
    const live = this.#uploads.peek(id)
    const facts = live && (await factsOfLive(live))
    if (facts !== undefined) return rowOf(facts)
    if (event?.type === 'deleted' || event?.type === 'expired') {
      // Its id may have come again since.
      const again = event.upload.record.webUploader && (await storedFacts(this.#uploads, id))
      return again && rowOf(again)
    }
    const stored = await storedFacts(this.#uploads, id)
    return stored && rowOf(stored)
  }
}

function goneRow({ upload: { record, offset }, at }: UploadEvent): IndexRow {
  const received = [{ start: 0, end: offset }].filter(({ end }) => end > 0)
  const state = record.failed === undefined ? 'receiving' : record.failed.code === 'rejected' ? 'rejected' : 'failed'
  const isWhole = record.length === offset && state === 'receiving'
  return rowOf({ record, received, state: isWhole ? 'finished' : state, changedAt: at })
}

function isStopping(error: unknown): boolean {
  return error instanceof UploadError && (error.code === 'stopping' || error.code === 'index_building')
}
