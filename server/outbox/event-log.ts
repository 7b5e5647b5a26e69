import { constants } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { stopping, type UploadError } from '../core/errors.ts'
import { queue } from '../core/queue.ts'
import type { WrittenEvent } from '../core/written-event.ts'
import { diskError, onDisk } from '../disk/disk-error.ts'
import type { OutboxStep } from '../disk/environment.ts'
import { openToRead, syncPath, writeAll } from '../disk/files.ts'
import { PRIVATE_FILE } from '../disk/modes.ts'
import { compacted } from './compaction.ts'
import { eventIn, intentLine, lineAt, linesIn, marksLine } from './lines.ts'
import { foreignLine, loadSegments, pathOf } from './load-segments.ts'
import { hasMarks, merged, noMarks, type PendingMarks } from './pending-marks.ts'
import { placeOf, Segment } from './segment.ts'

/** After so many bytes, a new segment begins. */
const MAX_SEGMENT = 1024 * 1024
/** How long marks wait for an intent with which they are written, in milliseconds. A crash loses them. */
const MARKS_WAIT = 50
/** When marks are written again for which there was no space, in milliseconds. */
const RETRY_DELAY = 1_000
/** A segment is compacted when less than this share of its intents is still to be delivered. */
const SPARSE = 1 / 8

/** Where an intent is. */
export interface Position {
  readonly segment: Segment
  readonly index: number
  /** Bytes from the beginning of the segment, unless it was compacted since. */
  readonly start: number
  readonly end: number
}

export interface EventLogOptions {
  readonly folder: string
  /** Whether anything is synced to disk. */
  readonly syncs: boolean
  /** The names of all endpoints, at most `MAX_ENDPOINTS`. */
  readonly endpoints: readonly string[]
  readonly onStep: (step: OutboxStep) => void
  /** Receives notices for the operator. */
  readonly onNotice: (sentence: string) => void
}

interface Pending {
  readonly events: readonly WrittenEvent[]
  readonly isDurable: boolean
  readonly resolve: (positions: readonly Position[]) => void
  readonly reject: (error: UploadError) => void
}

/** Append-only files of intents and marks. Concurrent intents share one write and one sync. */
export class EventLog {
  readonly #options: EventLogOptions
  #segments = new Map<number, Segment>()
  #current: { readonly segment: Segment; readonly file: FileHandle } | undefined
  #isFolderSynced = true
  /** Numbers are not used again: marks that are not written yet may be about a segment that is gone. */
  #lastNumber = 0
  #pending: Pending[] = []
  #marks: PendingMarks = noMarks()
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined
  #isClosed = false
  readonly #compacting = queue()
  readonly #toCompact = new Set<Segment>()

  constructor(options: EventLogOptions) {
    this.#options = options
  }

  /** All segments, in order. */
  get segments(): readonly Segment[] {
    return [...this.#segments.values()]
  }

  /** The first segment whose number is at least `number`. */
  from(number: number): Segment | undefined {
    for (const segment of this.#segments.values()) if (segment.number >= number) return segment
    return undefined
  }

  /** Reads the segments that earlier processes have left. May be called again after it threw. @throws the OS error. */
  async load(): Promise<void> {
    this.#segments = await loadSegments(this.#options)
    this.#lastNumber = Math.max(0, ...this.#segments.keys())
    for (const segment of this.#segments.values()) this.#considerCompacting(segment)
  }

  /** The events of a segment that are not over, in order, from a position on. @throws UploadError `storage_error`. */
  async *liveEvents(segment: Segment, from: number): AsyncGenerator<Position & { readonly event: WrittenEvent }> {
    const bytes = await onDisk(() => segment.bytes())
    for (const line of linesIn(bytes)) {
      const { kind, index, start, end } = line
      if (kind !== 'intent' || index < from || segment.isOver(index) || segment.isForeign(index)) continue
      const event = eventIn(bytes, line)
      if (event !== undefined) yield { segment, index, start, end, event }
      else this.#setAside(segment, index)
    }
  }

  /**
   * Writes events in order.
   *
   * @param isDurable whether they are on disk when this returns.
   * @throws UploadError `no_space`, `storage_error`, `stopping`; then none of them counts.
   */
  append(events: readonly WrittenEvent[], isDurable: boolean): Promise<readonly Position[]> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(stopping())
      this.#pending.push({ events, isDurable, resolve, reject })
      this.#write()
    })
  }

  confirm({ segment, index }: Position): void {
    segment.confirm(index)
    this.#marks.confirmed.push(placeOf(segment, index))
    this.#writeSoon()
  }

  /** The event is over: cancelled, or wanted by no endpoint. */
  end({ segment, index }: Position): void {
    if (segment.isOver(index)) return
    segment.end(index)
    this.#marks.over.push(placeOf(segment, index))
    this.#writeSoon()
    this.#considerCompacting(segment)
  }

  deliver(position: Position, endpoint: number): void {
    const { segment, index } = position
    const { endpoints } = this.#options
    if (segment.deliver(index, endpoint, endpoints.length)) {
      this.end(position)
      return
    }
    const name = endpoints[endpoint] ?? ''
    const places = this.#marks.delivered.get(name) ?? []
    this.#marks.delivered.set(name, places)
    places.push(placeOf(segment, index))
    this.#writeSoon()
  }

  /** @throws UploadError `storage_error`. */
  read({ segment, index, start, end }: Position): Promise<WrittenEvent> {
    return onDisk(async () => {
      const bytes = await this.#bytesAt(segment, start, end)
      const line = lineAt(bytes, 0, bytes.length)
      if (line.index === index) return known(eventIn(bytes, line), segment)
      // The segment was compacted.
      const all = await segment.bytes()
      for (const moved of linesIn(all)) if (moved.index === index) return known(eventIn(all, moved), segment)
      return known(undefined, segment)
    })
  }

  /** Writes all marks. Nothing can be written afterwards. */
  async close(): Promise<void> {
    this.#isClosed = true
    while (this.#writing !== undefined) await this.#writing
    await this.#flush().catch(() => undefined)
    clearTimeout(this.#timer)
    await this.#compacting(async () => undefined)
    await this.#abandon()
  }

  #setAside(segment: Segment, index: number): void {
    segment.setAside(index)
    this.#options.onNotice(foreignLine(segment))
  }

  async #bytesAt(segment: Segment, start: number, end: number): Promise<Buffer> {
    const bytes = Buffer.alloc(end - start)
    const current = this.#current
    const file = current?.segment === segment ? current.file : await openToRead(segment.path)
    try {
      const { bytesRead } = await file.read(bytes, 0, bytes.length, start)
      return bytes.subarray(0, bytesRead)
    } finally {
      if (file !== current?.file) await file.close()
    }
  }

  #writeSoon(delay = MARKS_WAIT): void {
    if (this.#timer !== undefined || this.#isClosed) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#write()
    }, delay)
    this.#timer.unref()
  }

  #write(): void {
    if (this.#writing !== undefined) return
    this.#writing = this.#writeAll().finally(() => {
      this.#writing = undefined
    })
  }

  async #writeAll(): Promise<void> {
    do {
      try {
        await this.#flush()
      } catch {
        // The intents have their error; the marks are written later.
        this.#writeSoon(RETRY_DELAY)
      }
    } while (this.#pending.length > 0)
  }

  /** Writes what is pending. @throws UploadError when nothing of it counts. */
  async #flush(): Promise<void> {
    const pending = this.#pending
    const marks = this.#marks
    this.#pending = []
    this.#marks = noMarks()
    try {
      const isDurable = this.#options.syncs && pending.some((one) => one.isDurable)
      const positions = await this.#writeBatch(marks, pending, isDurable)
      for (const { resolve, events } of pending) resolve(positions.splice(0, events.length))
    } catch (error) {
      const reason = diskError(error)
      for (const { reject } of pending) reject(reason)
      this.#marks = merged(marks, this.#marks)
      throw reason
    }
  }

  async #writeBatch(marks: PendingMarks, pending: readonly Pending[], isDurable: boolean): Promise<Position[]> {
    const events = pending.flatMap((one) => one.events)
    const lines = hasMarks(marks) ? [marksLine(marks)] : []
    if (events.length + lines.length === 0) return []
    const { segment, file } = await this.#writable()
    const start = segment.size
    const first = segment.next
    let end = start + (lines[0]?.length ?? 0)
    const positions = events.map((event, i): Position => {
      const line = intentLine(first + i, event)
      lines.push(line)
      end += line.length
      return { segment, index: first + i, start: end - line.length, end }
    })
    try {
      await writeAll(file, lines, start)
    } catch (error) {
      // What is written after a torn line would not be read.
      await file.truncate(start).catch(() => this.#abandon())
      throw error
    }
    segment.size = end
    for (const { index } of positions) segment.add(index)
    this.#options.onStep(events.length > 0 ? 'outbox:written' : 'outbox:marked')
    if (!isDurable) return positions
    try {
      await this.#sync(file)
    } catch (error) {
      // The kernel may have dropped the lines: nothing more is added to them, and the intents do not count.
      await this.#abandon()
      for (const position of positions) this.end(position)
      throw error
    }
    this.#options.onStep('outbox:synced')
    return positions
  }

  async #sync(file: FileHandle): Promise<void> {
    await file.datasync()
    if (this.#isFolderSynced) return
    await syncPath(this.#options.folder, 'all')
    this.#isFolderSynced = true
  }

  async #writable(): Promise<{ readonly segment: Segment; readonly file: FileHandle }> {
    if (this.#current !== undefined && this.#current.segment.size < MAX_SEGMENT) return this.#current
    await this.#abandon()
    const number = this.#lastNumber + 1
    const segment = new Segment(number, pathOf(this.#options.folder, number))
    const file = await open(segment.path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, PRIVATE_FILE.bits)
    this.#isFolderSynced = false
    this.#lastNumber = number
    this.#segments.set(number, segment)
    this.#current = { segment, file }
    return this.#current
  }

  /** Ends the current segment. */
  async #abandon(): Promise<void> {
    const current = this.#current
    this.#current = undefined
    if (current === undefined) return
    await current.file.close().catch(() => undefined)
    this.#considerCompacting(current.segment)
  }

  #considerCompacting(segment: Segment): void {
    if (segment === this.#current?.segment || this.#toCompact.has(segment) || this.#isClosed) return
    const { live, count, targets } = segment
    const isDue = live === 0 ? count > 0 || targets === undefined : live < count * SPARSE
    if (isDue) this.#compactSoon(segment)
  }

  #compactSoon(segment: Segment): void {
    this.#toCompact.add(segment)
    const compact = async (): Promise<void> => {
      this.#toCompact.delete(segment)
      if (this.#isClosed) return
      await this.#compact(segment)
    }
    // A segment that is not compacted costs space, no event.
    this.#compacting(compact).catch(() => undefined)
  }

  /**
   * Replaces a segment by its intents that are not over, and the marks of intents that are still in a file. Its number
   * stays, so that the order of events does.
   */
  async #compact(segment: Segment): Promise<void> {
    const { kept, dropped, targets } = compacted(segment, await segment.bytes(), this.#segments)
    if (kept.length === 0) await rm(segment.path, { force: true })
    else await this.#replace(segment, kept)
    for (const index of dropped) segment.drop(index)
    segment.size = kept.reduce((sum, { length }) => sum + length, 0)
    segment.targets = targets
    if (kept.length === 0) this.#segments.delete(segment.number)
    this.#options.onStep('outbox:compacted')
    // Marks of intents that are in no file any more are not needed.
    for (const other of this.#segments.values()) {
      if (other.live === 0 && other.targets?.has(segment.number) && !this.#toCompact.has(other))
        this.#compactSoon(other)
    }
  }

  async #replace(segment: Segment, lines: readonly Buffer[]): Promise<void> {
    const temporary = `${segment.path}.tmp`
    await rm(temporary, { force: true })
    const file = await open(temporary, 'wx', PRIVATE_FILE.bits)
    try {
      await writeAll(file, lines, 0)
      if (this.#options.syncs) await file.datasync()
    } finally {
      await file.close()
    }
    await rename(temporary, segment.path)
    if (this.#options.syncs) await syncPath(this.#options.folder, 'all')
  }
}

function known(event: WrittenEvent | undefined, segment: Segment): WrittenEvent {
  if (event === undefined) throw new Error(`${segment.path} has lost an event.`)
  return event
}
