import { add, covers, prefix, type Range, type Ranges, total } from '../../server/core/ranges.ts'
import type { ChunkFields } from '../support/webuploader.ts'

/** A promise of the service was broken. */
export class Violation extends Error {}

/** How a WebUploader page cuts its file. */
export interface Cut {
  readonly fields: ChunkFields
  readonly chunkSize: number
  readonly chunks: number
}

/**
 * What the clients know of one upload: what they have sent, and what they were told. Only an answer acknowledges; a request
 * without one may have happened or not.
 */
export class UploadModel {
  readonly name: string
  readonly content: Buffer
  /** Of a WebUploader file. */
  readonly cut: Cut | undefined
  /** `/files/<id>`, once an answer has told it. */
  path: string | undefined
  finished = false
  removal: 'none' | 'asked' | 'done' = 'none'
  length: 'not said' | 'said' | 'acknowledged'
  /** After how many restarts it was found as it should be since it was finished or deleted. */
  restartsSeen = 0
  #acknowledged: Ranges = []
  #sent: Ranges = []

  constructor(name: string, content: Buffer, length: 'not said' | 'acknowledged', cut?: Cut) {
    this.name = name
    this.content = content
    this.length = length
    this.cut = cut
  }

  get id(): string | undefined {
    return this.path?.slice('/files/'.length)
  }

  /** Up to where the client was told that its bytes are there. */
  get acknowledgedOffset(): number {
    return prefix(this.#acknowledged)
  }

  /** Up to where bytes may be there at most. */
  get sentOffset(): number {
    return prefix(this.#sent)
  }

  get acknowledgedBytes(): number {
    return total(this.#acknowledged)
  }

  get sentBytes(): number {
    return total(this.#sent)
  }

  get everythingAcknowledged(): boolean {
    return this.length === 'acknowledged' && this.path !== undefined && this.isAcknowledged(this.wholeFile)
  }

  get wholeFile(): Range {
    return { start: 0, end: this.content.length }
  }

  /** Said before bytes go to the socket that may count from then on. */
  sending(range: Range): void {
    this.#sent = add(this.#sent, range)
  }

  acknowledge(range: Range): void {
    if (!covers(this.#sent, range)) this.broken(`has bytes from ${range.start} to ${range.end}, which were never sent`)
    this.#acknowledged = add(this.#acknowledged, range)
  }

  /** @param known what had been acknowledged when the question was asked. */
  acknowledgeOffset(offset: number, known: number): void {
    if (offset < known) this.broken(`fell back from offset ${known} to ${offset}`)
    if (offset > this.sentOffset) this.broken(`is at offset ${offset}, but only ${this.sentOffset} bytes were sent`)
    this.#acknowledged = add(this.#acknowledged, { start: 0, end: offset })
  }

  acknowledgeFinished(): void {
    if (!covers(this.#sent, this.wholeFile)) this.broken('is finished, but not all of it was sent')
    if (this.length === 'not said') this.broken('is finished, but its length was never said')
    this.#acknowledged = [this.wholeFile].filter(({ end }) => end > 0)
    this.length = 'acknowledged'
    if (!this.finished) this.restartsSeen = 0
    this.finished = true
  }

  acknowledgeRemoved(): void {
    this.removal = 'done'
    this.restartsSeen = 0
  }

  isAcknowledged(range: Range): boolean {
    return range.end === range.start || covers(this.#acknowledged, range)
  }

  /** Whether all bytes of the range may be there. */
  isSent(range: Range): boolean {
    return range.end === range.start || covers(this.#sent, range)
  }

  /** @throws Violation */
  broken(what: string): never {
    throw new Violation(`${this.cut === undefined ? 'tus' : 'WebUploader'} upload ${this.name} (${this.path}) ${what}`)
  }
}

/** The bytes of one chunk. */
export function chunkRange(upload: UploadModel, cut: Cut, chunk: number): Range {
  const start = chunk * cut.chunkSize
  return { start, end: Math.min(upload.content.length, start + cut.chunkSize) }
}
