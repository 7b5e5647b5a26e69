import type { Letter } from '../core/outbox.ts'
import type { WrittenEvent } from '../core/written-event.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { EventLog, Position } from './event-log.ts'

/** Maximum letters that an endpoint has in memory. */
const MAX_LETTERS = 10_000
/**
 * How many letters of an endpoint, except postponed ones, are read ahead, and have their text in memory; the text of
 * further ones is read when it is sent. So few live so shortly that the memory of the process does not grow by them.
 */
const READ_AHEAD = 128

export type Found = Position & { readonly event: WrittenEvent }

export interface EndpointReaderOptions {
  readonly endpoint: string
  /** The place of the endpoint among all. */
  readonly place: number
  readonly receive: (letter: Letter) => void
  readonly log: EventLog
  readonly dead: DeadLetters
  /** Receives notices for the operator. */
  readonly onNotice: (sentence: string, error?: unknown) => void
}

/** Hands the events of the log out to an endpoint, as letters. */
export class EndpointReader {
  readonly #options: EndpointReaderOptions
  /** The number of the segment, and the index, that are read next. */
  #segment = 0
  #index = 0
  /** Whether it has read everything: new events are handed out without being read. */
  #isCaughtUp = false
  #isReading = false
  #isClosed = false
  /** What is being read. */
  #found: AsyncGenerator<Found> | undefined
  /** How many letters are handed out. */
  #letters = 0
  /** Those of them that are not postponed. */
  #fresh = 0

  constructor(options: EndpointReaderOptions) {
    this.#options = options
  }

  /** An event was written: if the endpoint has its fill, this one and those after it are read later. */
  noteWritten({ segment, index }: Position): void {
    if (this.#letters < MAX_LETTERS || !this.#isCaughtUp) return
    this.#isCaughtUp = false
    this.#segment = segment.number
    this.#index = index
  }

  /** Hands out a confirmed event, unless it will be read. */
  handOut(found: Found): void {
    if (this.#isCaughtUp || this.#isBehind(found)) this.#give(found)
  }

  /** Reads what the endpoint has not received, in the background. */
  readOn(): void {
    const isFull = this.#fresh > READ_AHEAD / 2 || this.#letters >= MAX_LETTERS
    if (this.#isCaughtUp || this.#isReading || isFull || this.#isClosed) return
    this.#isReading = true
    this.#read()
      .catch((error: unknown) => {
        this.#found = undefined
        this.#options.onNotice('The outbox could not be read.', error)
      })
      .finally(() => {
        this.#isReading = false
      })
  }

  /** Ends: no letter is handed out or settled from now on. */
  close(): void {
    this.#isClosed = true
  }

  #isBehind({ segment, index }: Position): boolean {
    return segment.number < this.#segment || (segment.number === this.#segment && index < this.#index)
  }

  #give({ event, ...position }: Found): void {
    const { segment, index } = position
    const { endpoint, place, receive, log, dead } = this.#options
    if (segment.isOver(index) || segment.isDelivered(index, place)) return
    if (event.only !== undefined && event.only !== endpoint) {
      log.deliver(position, place)
      return
    }
    this.#letters += 1
    this.#fresh += 1
    let isFresh = true
    let text = this.#fresh <= READ_AHEAD ? JSON.stringify(event.body) : undefined
    const postpone = (): void => {
      if (isFresh) this.#fresh -= 1
      isFresh = false
      text = undefined
      this.readOn()
    }
    const settle = (): void => {
      if (this.#isClosed) return
      log.deliver(position, place)
      this.#letters -= 1
      postpone()
    }
    // The event itself may be long: it is not kept.
    const { id, upload, at } = event
    receive({
      id,
      upload,
      at,
      body: async () => text ?? JSON.stringify((await log.read(position)).body),
      delivered: settle,
      postponed: postpone,
      dead: async (why) => {
        await dead.add(await log.read(position), endpoint, why)
        settle()
      },
    })
  }

  async #read(): Promise<void> {
    while (!this.#isClosed && !this.#isCaughtUp && this.#fresh < READ_AHEAD && this.#letters < MAX_LETTERS) {
      this.#found ??= this.#events()
      const { value: found } = await this.#found.next()
      if (found === undefined) {
        this.#found = undefined
        continue
      }
      this.#index = found.index + 1
      if (found.segment.isConfirmed(found.index)) this.#give(found)
    }
  }

  /** What is to be read, until the endpoint has caught up. */
  async *#events(): AsyncGenerator<Found> {
    const { log } = this.#options
    while (!this.#isClosed) {
      const segment = log.from(this.#segment)
      if (segment === undefined) {
        this.#isCaughtUp = true
        return
      }
      if (segment.number !== this.#segment) this.#goTo(segment.number)
      const end = segment.next
      yield* log.liveEvents(segment, this.#index)
      this.#index = Math.max(this.#index, end)
      if (this.#index < segment.next) continue
      if (log.from(segment.number + 1) === undefined) {
        this.#isCaughtUp = true
        return
      }
      this.#goTo(segment.number + 1)
    }
  }

  #goTo(segment: number): void {
    this.#segment = segment
    this.#index = 0
  }
}
