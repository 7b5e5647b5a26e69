import type { Letter } from '../core/outbox.ts'
import type { WrittenEvent } from '../core/written-event.ts'
import type { BucketDeadLetters } from './dead-letters.ts'
import { readEvent } from './event-objects.ts'
import type { S3Port } from './s3-port.ts'
import { onS3 } from './storage-error.ts'

/** Maximum events that are handed out, and how many are left when further ones are looked for. */
const MAX_EVENTS = 10_000
const LOOK_BELOW = MAX_EVENTS / 2
/** How many events have their text in memory; the text of further ones is read when it is sent. */
const MAX_TEXTS = 100

/** A true event that endpoints lack. */
export interface TrueEvent {
  /** Distinguishes it from all others that are handed out. */
  readonly name: string
  readonly event: WrittenEvent
  /** The objects that hold it. They are deleted when all endpoints have it. */
  readonly keys: readonly string[]
  /** The endpoints that have it already, and the keys that say so. */
  readonly sent: ReadonlyMap<string, string>
  /** The key that says that an endpoint has it; without it, nothing says so. */
  readonly sentKey?: (endpoint: string) => string
}

interface Held {
  /** The objects that hold it. */
  readonly copies: Set<string>
  /** The objects that say who has it. */
  readonly marks: Set<string>
  /** The endpoints that have not received it. */
  readonly due: Set<string>
}

interface DeliveriesOptions {
  readonly port: S3Port
  readonly dead: BucketDeadLetters
  readonly onNotice: (sentence: string, error?: unknown) => void
  /** Called when there is room for further events. */
  readonly onRoom: () => void
}

/** The events that this process has handed out, until all endpoints have them. */
export class Deliveries {
  readonly #options: DeliveriesOptions
  readonly #receivers = new Map<string, (letter: Letter) => void>()
  readonly #held = new Map<string, Held>()
  /** Names of events that all endpoints have, and whose objects are still there. */
  readonly #over = new Set<string>()
  #removing: Promise<void> | undefined
  readonly #marking = new Set<Promise<unknown>>()
  #isClosed = false

  constructor(options: DeliveriesOptions) {
    this.#options = options
  }

  handOut(endpoint: string, receive: (letter: Letter) => void): void {
    this.#receivers.set(endpoint, receive)
  }

  isKnown(endpoint: string): boolean {
    return this.#receivers.has(endpoint)
  }

  get hasRoom(): boolean {
    return this.#held.size < MAX_EVENTS
  }

  has(name: string): boolean {
    return this.#held.has(name)
  }

  /** Notes further objects that hold an event that is handed out. */
  addCopies(name: string, keys: readonly string[]): void {
    for (const key of keys) this.#held.get(name)?.copies.add(key)
  }

  /** Hands an event out to the endpoints that lack it. */
  give({ name, event, keys, sent, sentKey }: TrueEvent): void {
    if (this.#isClosed || this.#held.has(name)) return
    const { only } = event
    const due = [...this.#receivers].filter(
      ([endpoint]) => !sent.has(endpoint) && (only === undefined || only === endpoint),
    )
    const held: Held = {
      copies: new Set(keys),
      marks: new Set(sent.values()),
      due: new Set(due.map(([endpoint]) => endpoint)),
    }
    this.#held.set(name, held)
    if (due.length === 0) this.#end(name)
    // The event itself may be long: it is not kept.
    const text = this.#held.size <= MAX_TEXTS ? JSON.stringify(event.body) : undefined
    const { id, upload, at } = event
    for (const [endpoint, receive] of due) {
      receive({
        id,
        upload,
        at,
        body: async () => text ?? bodyOf(await this.#read(held)),
        delivered: () => this.#settle(name, held, endpoint, sentKey),
        postponed: () => undefined,
        dead: async (why) => {
          const found = await this.#read(held)
          if (found !== undefined) await this.#options.dead.add(found, endpoint, why)
          this.#settle(name, held, endpoint, sentKey)
        },
      })
    }
  }

  /** Deletes the objects of events that all endpoints have, also those for which that has failed before. */
  removeObjects(): Promise<void> {
    this.#removing ??= this.#remove().finally(() => {
      this.#removing = undefined
    })
    return this.#removing
  }

  /** From now on, no letter is handed out or settled. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(this.#marking)
    await this.removeObjects()
  }

  /** @returns `undefined` if another node has delivered it. @throws UploadError `storage_error`. */
  #read({ copies }: Held): Promise<WrittenEvent | undefined> {
    return onS3(async () => {
      for (const key of copies) {
        const event = await readEvent(this.#options.port, key)
        if (event !== undefined) return event
      }
      return undefined
    })
  }

  #settle(name: string, held: Held, endpoint: string, sentKey: TrueEvent['sentKey']): void {
    if (this.#isClosed || !held.due.delete(endpoint)) return
    if (held.due.size === 0) this.#end(name)
    else if (sentKey !== undefined) this.#mark(held, sentKey(endpoint))
  }

  #mark(held: Held, key: string): void {
    held.marks.add(key)
    const marking = this.#options.port
      .put(key, Buffer.alloc(0))
      .catch((error: unknown) => this.#options.onNotice('A webhook may be sent twice: S3 did not note it.', error))
      .finally(() => this.#marking.delete(marking))
    this.#marking.add(marking)
  }

  #end(name: string): void {
    this.#over.add(name)
    this.removeObjects().catch(() => undefined)
  }

  async #remove(): Promise<void> {
    while (this.#over.size > 0) {
      const names = [...this.#over]
      const ended = names.flatMap((name) => this.#held.get(name) ?? [])
      await this.#options.port.remove(ended.flatMap(({ copies, marks }) => [...copies, ...marks]))
      for (const name of names) {
        this.#over.delete(name)
        this.#held.delete(name)
      }
      if (this.#held.size < LOOK_BELOW) this.#options.onRoom()
    }
  }
}

function bodyOf(event: WrittenEvent | undefined): string | undefined {
  return event === undefined ? undefined : JSON.stringify(event.body)
}
