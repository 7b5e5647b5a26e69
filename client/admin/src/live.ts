import { type StatsShown, statsShape, type UploadEvent, uploadEventShape } from './api/answers.ts'
import { type Api, ApiError } from './api/api.ts'
import type { StreamEvent } from './api/event-stream.ts'

/** Minimum time between two updates of the page, in milliseconds. */
const UPDATE_EVERY = 1000

/** How long to wait before the next connection, in milliseconds. */
const RECONNECT_AFTER = { first: 500, most: 10_000 } as const

/** What has happened to an upload since the last update. */
export interface UploadChange {
  /** As the latest event has it. */
  readonly upload: UploadEvent['upload']
  /** Bytes per second. */
  readonly rate: number
  /** The types of all events: an upload may be created and finished within one update. */
  readonly types: ReadonlySet<UploadEvent['type']>
}

/** What has happened since the last update. */
export interface Update {
  readonly uploads: ReadonlyMap<string, UploadChange>
  /** The latest totals, if there are new ones. */
  readonly stats: StatsShown | undefined
  /** Whether there were events that the page did not receive. */
  readonly isIncomplete: boolean
}

export interface LiveListener {
  /** Called at most once a second. */
  updated(update: Update): void
  /** The connection was opened, or lost. */
  connected(isConnected: boolean): void
}

/** Receives the events of the service, and connects again when that breaks. */
export class Live {
  readonly #api: Api
  readonly #listener: LiveListener
  readonly #ending = new AbortController()
  #uploads = new Map<string, UploadChange>()
  #stats: StatsShown | undefined
  #isIncomplete = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #updatedAt = 0

  constructor(api: Api, listener: LiveListener) {
    this.#api = api
    this.#listener = listener
  }

  /** Receives events until `stop`, or until the service refuses the token. Never throws. */
  async run(): Promise<void> {
    let wait: number = RECONNECT_AFTER.first
    while (!this.#ending.signal.aborted) {
      try {
        for await (const event of this.#api.events(this.#ending.signal)) {
          if (wait !== 0) {
            this.#listener.connected(true)
            // What happened before, the stream does not tell.
            this.#isIncomplete = true
            wait = 0
          }
          this.#receive(event)
        }
      } catch (error) {
        if (error instanceof ApiError && error.isRefusal) return
      }
      if (this.#ending.signal.aborted) return
      this.#listener.connected(false)
      wait = Math.min(RECONNECT_AFTER.most, wait === 0 ? RECONNECT_AFTER.first : wait * 2)
      await new Promise((resolve) => setTimeout(resolve, wait))
    }
  }

  stop(): void {
    this.#ending.abort()
    clearTimeout(this.#timer)
  }

  #receive({ name, data }: StreamEvent): void {
    const value: unknown = JSON.parse(data)
    if (name === 'stats') this.#stats = statsShape.parse(value)
    if (name === 'missed') this.#isIncomplete = true
    if (name === 'upload') {
      const { type, upload, rate } = uploadEventShape.parse(value)
      const types = new Set(this.#uploads.get(upload.id)?.types).add(type)
      this.#uploads.set(upload.id, { upload, rate, types })
    }
    this.#timer ??= setTimeout(() => this.#update(), Math.max(0, this.#updatedAt + UPDATE_EVERY - Date.now()))
  }

  #update(): void {
    const update = {
      uploads: this.#uploads,
      stats: this.#stats,
      isIncomplete: this.#isIncomplete,
    }
    this.#timer = undefined
    this.#updatedAt = Date.now()
    this.#uploads = new Map()
    this.#stats = undefined
    this.#isIncomplete = false
    this.#listener.updated(update)
  }
}
