import { type EventType, eventId, type UploadEvent } from '../core/events.ts'
import { KeyedQueue } from '../core/keyed-queue.ts'
import type { Intent, Letter, Mailbox, Outbox } from '../core/outbox.ts'
import type { WrittenEvent } from '../core/written-event.ts'
import { BucketDeadLetters } from './dead-letters.ts'
import { Deliveries } from './deliveries.ts'
import type { Environment } from './environment.ts'
import { eventName } from './event-names.ts'
import {
  EventList,
  eventsOf,
  type ListedEvent,
  readEvent,
  sentKey,
  UnknownEvent,
  type UploadEvents,
} from './event-objects.ts'
import { truthOf } from './event-truth.ts'
import { eventFolder } from './keys.ts'
import { type Living, LivingNodes, SIGN_EVERY } from './living-nodes.ts'
import { onS3 } from './storage-error.ts'

/** How often this node looks for events that no living node delivers, in milliseconds. */
const LOOK_EVERY = 60_000
/** Maximum pages of events that are listed at a time; the next look continues. */
const MAX_PAGES = 20
/** How many uploads are compared with their events at a time. */
const PARALLEL = 16
/** How long an event waits for its change, in milliseconds by the clock of S3. It is written right before the change. */
const LONGEST_DOUBT = 60 * 60 * 1000
/** How long an event that is not true yet is not compared again, in milliseconds. */
const COMPARE_EVERY = 10 * 60 * 1000
/** How long the end may wait for S3, in milliseconds. */
const LONGEST_END = 5_000
/** How many uploads are known to have been created here, and how many events are known to be not true yet. */
const MAX_KNOWN = 10_000

export interface S3OutboxOptions {
  /** The types of the events that are kept. */
  readonly types: ReadonlySet<EventType>
  /** The JSON that is delivered for an event. */
  readonly bodyOf: (event: UploadEvent) => unknown
  /** Receives notices for the operator. */
  readonly onNotice: (sentence: string, error?: unknown) => void
}

/** An intent of this process that is neither confirmed nor cancelled. */
interface Open {
  readonly event: WrittenEvent
  readonly key: string
  isOver: boolean
}

/**
 * An outbox in the bucket of the uploads. Any number of nodes share it: each delivers the events that it has written,
 * and those of nodes that are gone.
 */
export class S3Outbox implements Outbox, Mailbox {
  readonly #environment: Environment
  readonly #options: S3OutboxOptions
  readonly #nodes: LivingNodes
  readonly #dead: BucketDeadLetters
  readonly #deliveries: Deliveries
  /** By upload: everything that is done with its events. */
  readonly #turns = new KeyedQueue()
  /** By event id. */
  readonly #open = new Map<string, Open>()
  /** Uploads that were created by this process, so no other one has written an earlier event than it has. */
  readonly #createdHere = new Set<string>()
  /** Ids of events that are not true yet, and when they are compared again. */
  readonly #pending = new Map<string, number>()
  readonly #closing = new AbortController()
  #signed: Promise<void> = Promise.resolve()
  #loops: readonly Promise<void>[] = []
  #looking: Promise<void> | undefined
  #list: EventList
  /** How many true events were left in the bucket because too many are handed out. */
  #left = 0
  /** The same when the list of events was begun. */
  #leftBefore = 0
  /** Whether such events may still be there. Then, later ones are left there too: this keeps their order. */
  #isBehind = false
  /** Whether a look ended early, or an event was left: the next one begins when there is room. */
  #isFull = false

  constructor(environment: Environment, options: S3OutboxOptions) {
    this.#environment = environment
    this.#options = options
    this.#nodes = new LivingNodes(environment)
    this.#dead = new BucketDeadLetters(environment)
    this.#list = new EventList(environment)
    const { port } = environment
    const { onNotice } = options
    this.#deliveries = new Deliveries({ port, dead: this.#dead, onNotice, onRoom: () => this.#continue() })
  }

  handOut(endpoint: string, receive: (letter: Letter) => void): void {
    this.#deliveries.handOut(endpoint, receive)
  }

  async countDead(): Promise<number> {
    return (await this.#dead.names()).length
  }

  async begin(): Promise<void> {
    // Without a sign of life, other nodes would take the first events for those of a node that is gone.
    this.#signed = this.#sign()
    this.#loops = [
      this.#repeat(SIGN_EVERY, () => this.#sign()),
      this.#signed.then(() => this.#repeat(LOOK_EVERY, () => this.#look())),
    ]
  }

  intend(all: readonly UploadEvent[]): Intent {
    for (const { type, upload } of all) if (type === 'created') this.#noteCreated(upload.record.id)
    const opened = all.filter(({ type }) => this.#options.types.has(type)).map((event) => this.#opened(event))
    const written = this.#write(opened)
    for (const one of opened) this.#open.set(one.event.id, one)
    const settle = (work: (one: Open) => Promise<void>) => () => {
      for (const one of opened) this.#settle(one, written, work)
    }
    return {
      written,
      confirm: settle((one) => this.#deliver(one)),
      cancel: settle((one) => this.#cancel(one)),
      doubt: settle((one) => this.#reconsider(one)),
    }
  }

  /** Ends the deliveries, and leaves the rest to other nodes. */
  async close(): Promise<void> {
    this.#closing.abort()
    // If S3 does not answer, others find out that this node is gone by its silence.
    await Promise.race([this.#end(), this.#environment.clock.sleep(LONGEST_END)])
  }

  async #end(): Promise<void> {
    await this.#deliveries.close().catch(() => undefined)
    await Promise.all([...this.#loops, this.#looking])
    if (this.#loops.length > 0) await this.#nodes.leave().catch(() => undefined)
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  async #repeat(interval: number, work: () => Promise<void>): Promise<void> {
    while (!this.#isClosed) {
      await work()
      await this.#environment.clock.sleep(interval, this.#closing.signal).catch(() => undefined)
    }
  }

  async #sign(): Promise<void> {
    await this.#nodes.sign().catch((error: unknown) => this.#options.onNotice('S3 noted no sign of life.', error))
  }

  #noteCreated(upload: string): void {
    if (this.#createdHere.size >= MAX_KNOWN) this.#createdHere.clear()
    this.#createdHere.add(upload)
  }

  #opened(event: UploadEvent): Open {
    const { prefix, node } = this.#environment
    const { type, at, upload } = event
    const { id: uploadId, createdAt } = upload.record
    const id = eventId(event)
    const body = this.#options.bodyOf(event)
    return {
      event: { id, type, upload: uploadId, createdAt, at: at.getTime(), body },
      key: `${eventFolder(prefix)}${uploadId}/${eventName(type, id, node)}`,
      isOver: false,
    }
  }

  async #write(opened: readonly Open[]): Promise<void> {
    if (opened.length === 0) return
    const { port } = this.#environment
    await this.#turns.run(uploadsOf(opened), async () => {
      await this.#signed
      await onS3(() => Promise.all(opened.map(({ key, event }) => port.put(key, Buffer.from(JSON.stringify(event))))))
    })
  }

  /** Decides what becomes of an intent, once. A later intent of the same event replaces it, and decides instead. */
  #settle(one: Open, written: Promise<void>, work: (one: Open) => Promise<void>): void {
    if (one.isOver) return
    one.isOver = true
    const { id, upload } = one.event
    this.#turns
      .run([upload], async () => {
        if (this.#open.get(id) !== one) return
        try {
          await written
          await work(one)
        } finally {
          // Until now, a look must not take it for one that was left.
          if (this.#open.get(id) === one) this.#open.delete(id)
        }
      })
      // The next look finds what is in the bucket.
      .catch(() => undefined)
  }

  /** Hands out a true event of this node, after the earlier ones of its upload that other nodes have written. */
  async #deliver({ event, key }: Open): Promise<void> {
    const { id, type, upload } = event
    if (this.#isBehind || !this.#deliveries.hasRoom) return this.#leave()
    const isFirst = type === 'created' || (this.#createdHere.has(upload) && type !== 'deleted' && type !== 'expired')
    const own = { id, copies: [{ key, node: this.#environment.node, age: 0 }], sent: new Map<string, string>() }
    try {
      this.#give(event, (isFirst ? undefined : await this.#takeBefore(upload, id)) ?? own)
    } catch (error) {
      this.#options.onNotice('The events of an upload could not be read; retrying.', error)
      this.#leave()
    }
  }

  /** Takes the events of an upload before this one. @returns this one, if it is still listed. @throws S3Error */
  async #takeBefore(upload: string, id: string): Promise<ListedEvent | undefined> {
    const listed = await eventsOf(this.#environment, upload)
    const place = listed.findIndex((one) => one.id === id)
    for (const earlier of listed.slice(0, Math.max(0, place))) await this.#take(earlier, (node) => this.#isOwn(node))
    return listed[place]
  }

  async #cancel(one: Open): Promise<void> {
    // Only its creator writes this event. Any other change may have been made by another node, or may still be made.
    if (one.event.type === 'created') await this.#environment.port.remove([one.key])
    else await this.#reconsider(one)
  }

  async #reconsider(one: Open): Promise<void> {
    const truth = await truthOf(this.#environment, one.event)
    if (truth === 'true') await this.#deliver(one)
    else if (truth === 'false') await this.#environment.port.remove([one.key])
    else this.#notePending(one.event.id)
  }

  /** Looks for events that no living node delivers. One look runs at a time. */
  #look(): Promise<void> {
    this.#looking ??= this.#lookOnce()
      .catch((error: unknown) => this.#options.onNotice('The events in the bucket could not be read; retrying.', error))
      .finally(() => {
        this.#looking = undefined
      })
    return this.#looking
  }

  async #lookOnce(): Promise<void> {
    this.#isFull = false
    await this.#deliveries.removeObjects()
    const living = await this.#nodes.list()
    await this.#takeRequested(living)
    for (let page = 0; page < MAX_PAGES && !this.#isClosed; page += 1) {
      if (!this.#deliveries.hasRoom) {
        this.#isFull = true
        return
      }
      await this.#takePage(await this.#list.next(), living)
      if (!this.#list.isOver) continue
      this.#isBehind = this.#left !== this.#leftBefore
      this.#list = new EventList(this.#environment)
      this.#leftBefore = this.#left
      if (!this.#isBehind) return
    }
  }

  /** Called when many events have been delivered. */
  #continue(): void {
    if (this.#isFull && !this.#isClosed) this.#look().catch(() => undefined)
  }

  /** Takes dead letters that are to be sent again. */
  async #takeRequested(living: Living): Promise<void> {
    for await (const letter of this.#dead.requested()) {
      const { key, id, endpoint, age } = letter
      if (this.#isClosed || !this.#deliveries.hasRoom) return
      if (this.#deliveries.has(key) || !living.isHeir(id)) continue
      const event = this.#deliveries.isKnown(endpoint) ? await this.#read([key]) : undefined
      if (event === undefined) {
        this.#options.onNotice(`The event ${id} has no receiver in WEBHOOK_URLS: it stays a dead letter.`)
        await this.#dead.putBack(letter)
        continue
      }
      const requested = { ...event, only: endpoint, at: this.#environment.clock.now() - age }
      this.#deliveries.give({ name: key, event: requested, keys: [key], sent: new Map() })
    }
  }

  /** Takes the events of uploads of which this node has written one, or inherits one. */
  async #takePage(uploads: readonly UploadEvents[], living: Living): Promise<void> {
    const wanted = uploads.flatMap(({ upload, events }) => {
      const isHeir = living.isHeir(upload)
      const isOurs = (node: string): boolean => this.#isOwn(node) || (isHeir && !living.has(node))
      const isWanted = events.some((event) => this.#isNew(event) && event.copies.some(({ node }) => isOurs(node)))
      return isWanted ? [{ upload, events, isOurs }] : []
    })
    const left = wanted.values()
    const takeNext = async (): Promise<void> => {
      for (const { upload, events, isOurs } of left) {
        if (this.#isClosed) return
        await this.#turns.run([upload], async () => {
          for (const event of events) await this.#take(event, isOurs)
        })
      }
    }
    await Promise.all(Array.from({ length: PARALLEL }, takeNext))
    const useless = uploads.flatMap(({ leftovers }) => leftovers.filter(({ age }) => age > LONGEST_DOUBT))
    if (useless.length > 0) await this.#environment.port.remove(useless.map(({ key }) => key))
  }

  #isNew({ id }: ListedEvent): boolean {
    if (this.#open.has(id) || this.#deliveries.has(id)) return false
    return (this.#pending.get(id) ?? 0) <= this.#environment.clock.elapsed()
  }

  /**
   * Hands out a listed event if it is true. Runs in the turn of its upload.
   *
   * @param isOurs whether this node may delete what a node has written.
   */
  async #take(listed: ListedEvent, isOurs: (node: string) => boolean): Promise<void> {
    const { id, copies } = listed
    if (this.#open.has(id)) return
    const keys = copies.map(({ key }) => key)
    if (this.#deliveries.has(id)) return this.#deliveries.addCopies(id, keys)
    const event = await this.#read(keys)
    if (event === undefined) return this.#notePending(id)
    const truth = await truthOf(this.#environment, event)
    if (truth === 'true') return this.#give(event, listed)
    const isOld = Math.min(...copies.map(({ age }) => age)) > LONGEST_DOUBT
    if (truth === 'false' || (truth === 'open' && isOld)) {
      const ours = copies.filter(({ node }) => isOurs(node)).map(({ key }) => key)
      if (ours.length > 0) await this.#environment.port.remove(ours)
    } else this.#notePending(id)
  }

  #give(event: WrittenEvent, { id, copies, sent }: ListedEvent): void {
    this.#pending.delete(id)
    const keys = copies.map(({ key }) => key)
    this.#deliveries.give({
      name: id,
      event,
      keys,
      sent,
      sentKey: (endpoint) => sentKey(this.#environment, event, endpoint),
    })
  }

  /** @returns `undefined` if another node has delivered it, or another version has written it. @throws S3Error */
  async #read(keys: readonly string[]): Promise<WrittenEvent | undefined> {
    try {
      for (const key of keys) {
        const event = await readEvent(this.#environment.port, key)
        if (event !== undefined) return event
      }
    } catch (error) {
      if (!(error instanceof UnknownEvent)) throw error
      this.#options.onNotice(`${error.message} It is not delivered.`)
    }
    return undefined
  }

  /** A true event stays in the bucket until others have been delivered. */
  #leave(): void {
    this.#left += 1
    this.#isBehind = true
    this.#isFull = true
  }

  /** An event that is not true yet is not compared again at once. */
  #notePending(id: string): void {
    if (this.#pending.size >= MAX_KNOWN) this.#pending.clear()
    this.#pending.set(id, this.#environment.clock.elapsed() + COMPARE_EVERY)
  }

  #isOwn(node: string): boolean {
    return node === this.#environment.node
  }
}

function uploadsOf(opened: readonly Open[]): readonly string[] {
  return [...new Set(opened.map(({ event }) => event.upload))]
}
