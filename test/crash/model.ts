import { add, covers, overlap, prefix, type Range, type Ranges, total } from '../../server/core/ranges.ts'
import type { ChunkFields } from '../support/webuploader.ts'
import type { Sweeps } from './sweeps.ts'

/** A promise of the service was broken. */
export class Violation extends Error {}

/** There is nothing more to do with an upload: it is gone or has failed, as it may. */
export class Over extends Error {}

/** How a WebUploader page cuts its file. */
export interface Cut {
  readonly fields: ChunkFields
  readonly chunkSize: number
  readonly chunks: number
}

/** What an upload is: a file by tus or by WebUploader, a part of a final upload, or a final upload of parts. */
export type Nature =
  | { readonly kind: 'tus' }
  | { readonly kind: 'WebUploader'; readonly cut: Cut }
  | { readonly kind: 'part' }
  | { readonly kind: 'final'; readonly parts: readonly UploadModel[] }

/**
 * What the clients know of one upload: what they have sent, and what they were told. Only an answer acknowledges; a request
 * without one may have happened or not.
 */
export class UploadModel {
  readonly name: string
  readonly content: Buffer
  readonly nature: Nature
  /** `/files/<id>`, once an answer has told it. */
  path: string | undefined
  finished = false
  removal: 'none' | 'asked' | 'done' = 'none'
  /** Whether it is gone, or seems to be, without anybody having asked for it. */
  expired = false
  /** Whether it has ended in `failed`: nothing was done for which it may, something was, or it has told so. */
  failure: 'none' | 'possible' | 'certain' = 'none'
  length: 'not said' | 'said' | 'acknowledged'
  /** Of a part: the final upload that it was asked to be a part of last. */
  final: UploadModel | undefined
  /** How a page that was reloaded cuts this file. */
  nextCut: Cut | undefined
  /** The upload with which the client goes on after this one is over. */
  successor: UploadModel | undefined
  /** After how many restarts it was found as it should be since it was finished or deleted. */
  restartsSeen = 0
  /** When its last byte came, or earlier, in milliseconds of `Date.now()`. */
  #lastByteAt = 0
  /** Whether it may have been removed at a time after which bytes of its parts came. */
  #mayHaveExpiredBefore = false
  #acknowledged: Ranges = []
  #sent: Ranges = []

  constructor(name: string, content: Buffer, length: 'not said' | 'acknowledged', nature: Nature) {
    this.name = name
    this.content = content
    this.length = length
    this.nature = nature
  }

  get cut(): Cut | undefined {
    return this.nature.kind === 'WebUploader' ? this.nature.cut : undefined
  }

  get parts(): readonly UploadModel[] {
    return this.nature.kind === 'final' ? this.nature.parts : []
  }

  get id(): string | undefined {
    return this.path?.slice('/files/'.length)
  }

  /** Whether there is something left to do with it. */
  get isOpen(): boolean {
    return !this.finished && this.removal === 'none' && this.failure !== 'certain'
  }

  /** Up to where the client was told that its bytes are there. */
  get acknowledgedOffset(): number {
    return prefix(this.#acknowledged)
  }

  /** Up to where bytes may be there at most. */
  get sentOffset(): number {
    return prefix(this.#sent)
  }

  /** Whether all bytes of it may be there. */
  get mayBeWhole(): boolean {
    if (this.nature.kind !== 'final') return covers(this.#sent, this.wholeFile)
    return this.parts.every((part) => part.length !== 'not said' && part.mayBeWhole)
  }

  get acknowledgedBytes(): number {
    return total(this.#acknowledged)
  }

  get sentBytes(): number {
    return total(this.#sent)
  }

  get everythingAcknowledged(): boolean {
    if (this.nature.kind === 'final')
      return this.path !== undefined && this.parts.every((p) => p.everythingAcknowledged)
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

  /** All bytes are there and it was told so; what is a part stays one. */
  acknowledgeFinished(): void {
    if (!this.mayBeWhole) this.broken('is finished, but not all of it was sent')
    if (this.length === 'not said') this.broken('is finished, but its length was never said')
    this.#acknowledged = [this.wholeFile].filter(({ end }) => end > 0)
    this.length = 'acknowledged'
    if (this.nature.kind === 'part') return
    if (!this.finished) this.restartsSeen = 0
    this.finished = true
  }

  acknowledgeRemoved(): void {
    this.removal = 'done'
    this.restartsSeen = 0
  }

  /** Bytes that were new, or the upload itself, came after `time`, in milliseconds of `Date.now()`. */
  gotBytesAfter(time: number, sweeps: Sweeps): void {
    // They may have come too late for the final upload, while the part itself was still there.
    if (this.final?.mayHaveExpired(sweeps)) this.final.#mayHaveExpiredBefore = true
    this.#lastByteAt = Math.max(this.#lastByteAt, time)
  }

  /** Whether the sweep may have removed it. What belongs together stays together. */
  mayHaveExpired(sweeps: Sweeps): boolean {
    const isFile = this.nature.kind === 'tus' || this.nature.kind === 'WebUploader'
    if (this.finished || (isFile && this.everythingAcknowledged)) return false
    const { final } = this
    const isKept = final?.path !== undefined && final.removal === 'none' && final.failure === 'none'
    if (isKept && !final.mayHaveExpired(sweeps)) return false
    if (this.#mayHaveExpiredBefore) return true
    // A part that is gone keeps nobody.
    const kept = this.parts.filter(({ removal }) => removal === 'none')
    return [this, ...kept].every((upload) => sweeps.mayHaveRemoved(upload.#lastByteAt))
  }

  /** Whether it was asked to be deleted, by itself or with the final upload that has its bytes, or may have expired. */
  mayBeGone(sweeps: Sweeps): boolean {
    const isForgotten = this.final !== undefined && this.final.removal !== 'none'
    return this.removal !== 'none' || isForgotten || this.mayHaveExpired(sweeps)
  }

  /** Takes an answer that it is gone. @throws Over, or Violation when it must not be. */
  isSaidToBeGone(sweeps: Sweeps): never {
    if (this.removal === 'none') {
      if (!this.mayBeGone(sweeps)) this.broken('is gone, but was not deleted and cannot have expired')
      // Told from the moment that its removal begins, which a kill may still undo.
      this.removal = 'asked'
      this.expired = true
    }
    throw new Over(`${this.name} is gone`)
  }

  /** Takes an answer that it has failed, which it stays for ever. @throws Over, or Violation when it must not have failed. */
  isSaidToHaveFailed(): never {
    if (this.failure === 'none' || this.finished) this.broken('has failed, though nothing was wrong with it')
    this.failure = 'certain'
    throw new Over(`${this.name} has failed`)
  }

  isAcknowledged(range: Range): boolean {
    return range.end === range.start || covers(this.#acknowledged, range)
  }

  /** Whether all bytes of the range may be there. */
  isSent(range: Range): boolean {
    return range.end === range.start || covers(this.#sent, range)
  }

  /** Whether any byte of the range may be there. */
  isTouched(range: Range): boolean {
    return this.#sent.some((sent) => overlap(sent, range))
  }

  /** The same file, sent anew by its page; requests that were under way may have brought bytes of it already. */
  again(cut: Cut): UploadModel {
    const next = new UploadModel(this.name, this.content, 'acknowledged', { kind: 'WebUploader', cut })
    next.#sent = this.#sent
    this.successor = next
    return next
  }

  /** @throws Violation */
  broken(what: string): never {
    throw new Violation(`${this.nature.kind} upload ${this.name} (${this.path}) ${what}`)
  }
}

/** The bytes of one chunk. */
export function chunkRange(upload: UploadModel, cut: Cut, chunk: number): Range {
  const start = chunk * cut.chunkSize
  return { start, end: Math.min(upload.content.length, start + cut.chunkSize) }
}
