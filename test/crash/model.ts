import { add, covers, overlap, prefix, type Range, type Ranges, total } from '../../server/core/ranges.ts'
import type { ChunkFields } from '../support/webuploader.ts'
import type { Sweeps } from './sweeps.ts'

/** A promise of the service was broken. */
export class Violation extends Error {}

/** An upload needs no more work: it is gone or has failed, legitimately. */
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
 * The clients' knowledge of one upload: the bytes that they sent, and the responses that they received. Only a response
 * acknowledges; a request without one may have taken effect or not.
 */
export class UploadModel {
  readonly name: string
  readonly content: Buffer
  readonly nature: Nature
  /** `/files/<id>`, once a response has named it. */
  path: string | undefined
  finished = false
  removal: 'none' | 'asked' | 'done' = 'none'
  /** Whether it is gone, or seems to be, without a DELETE. */
  expired = false
  /**
   * Whether it has failed: `none` if it had no reason to, `possible` if it had one, `certain` if a response said so.
   */
  failure: 'none' | 'possible' | 'certain' = 'none'
  length: 'unknown' | 'stated' | 'acknowledged'
  /** Of a part: the final upload that last requested it. */
  final: UploadModel | undefined
  /** How a page that was reloaded cuts this file. */
  nextCut: Cut | undefined
  /** The upload with which the client continues after this one. */
  successor: UploadModel | undefined
  /** How many restarts it has survived correctly since it was finished, deleted, or joined. */
  restartsSeen = 0
  /** When its last byte arrived, or earlier, in milliseconds of `Date.now()`. */
  #lastByteAt = 0
  /** Whether it may have expired before bytes of its parts arrived. */
  #mayHaveExpiredBefore = false
  #acknowledged: Ranges = []
  #sent: Ranges = []

  constructor(name: string, content: Buffer, length: 'unknown' | 'acknowledged', nature: Nature) {
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

  /** Whether it needs more work. */
  get isOpen(): boolean {
    return !this.finished && this.removal === 'none' && this.failure !== 'certain'
  }

  /** The acknowledged length of the contiguous prefix. */
  get acknowledgedOffset(): number {
    return prefix(this.#acknowledged)
  }

  /** The maximum length of the contiguous prefix. */
  get sentOffset(): number {
    return prefix(this.#sent)
  }

  /** Whether all its bytes may have arrived. */
  get mayBeWhole(): boolean {
    if (this.nature.kind !== 'final') return covers(this.#sent, this.wholeFile)
    return this.parts.every((part) => part.length !== 'unknown' && part.mayBeWhole)
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

  /** Called before these bytes are sent: they may count from then on. */
  sending(range: Range): void {
    this.#sent = add(this.#sent, range)
  }

  acknowledge(range: Range): void {
    if (!covers(this.#sent, range)) this.broken(`has bytes from ${range.start} to ${range.end}, which were never sent`)
    this.#acknowledged = add(this.#acknowledged, range)
  }

  /** @param known the acknowledged offset when the request was sent. */
  acknowledgeOffset(offset: number, known: number): void {
    if (offset < known) this.broken(`fell back from offset ${known} to ${offset}`)
    if (offset > this.sentOffset) this.broken(`is at offset ${offset}, but only ${this.sentOffset} bytes were sent`)
    this.#acknowledged = add(this.#acknowledged, { start: 0, end: offset })
  }

  /** A response reported all bytes as received; a part remains a part. */
  acknowledgeFinished(): void {
    if (!this.mayBeWhole) this.broken('is finished, but not all of it was sent')
    if (this.length === 'unknown') this.broken('is finished, but its length was never stated')
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

  /** New bytes, or the upload itself, arrived after `time`, in milliseconds of `Date.now()`. */
  gotBytesAfter(time: number, sweeps: Sweeps): void {
    // They may have been too late for the final upload, although the part itself still existed.
    if (this.final?.mayHaveExpired(sweeps)) this.final.#mayHaveExpiredBefore = true
    this.#lastByteAt = Math.max(this.#lastByteAt, time)
  }

  /**
   * Notes a request to create it at `time`, in milliseconds of `Date.now()`. The first one may have created it even
   * without a response, and a repetition makes it no younger.
   */
  askedFor(time: number): void {
    if (this.#lastByteAt === 0) this.#lastByteAt = time
  }

  /** Whether the sweep may have removed it. Related uploads expire together. */
  mayHaveExpired(sweeps: Sweeps): boolean {
    const isFile = this.nature.kind === 'tus' || this.nature.kind === 'WebUploader'
    if (this.finished || (isFile && this.everythingAcknowledged)) return false
    const { final } = this
    const isKept = final?.path !== undefined && final.removal === 'none' && final.failure === 'none'
    if (isKept && !final.mayHaveExpired(sweeps)) return false
    if (this.#mayHaveExpiredBefore) return true
    // A part that is gone keeps no other upload.
    const kept = this.parts.filter(({ removal }) => removal === 'none')
    return [this, ...kept].every((upload) => sweeps.mayHaveRemoved(upload.#lastByteAt))
  }

  /**
   * Whether its deletion was requested, directly or with the final upload that has its bytes, or it may have expired.
   */
  mayBeGone(sweeps: Sweeps): boolean {
    const isForgotten = this.final !== undefined && this.final.removal !== 'none'
    return this.removal !== 'none' || isForgotten || this.mayHaveExpired(sweeps)
  }

  /** Records a response that it is gone. @throws Over, or Violation when it must not be. */
  isSaidToBeGone(sweeps: Sweeps): never {
    if (this.removal === 'none') {
      if (!this.mayBeGone(sweeps)) this.broken('is gone, but was not deleted and cannot have expired')
      // Reported from the beginning of its removal, which a kill may still undo.
      this.removal = 'asked'
      this.expired = true
    }
    throw new Over(`${this.name} is gone`)
  }

  /**
   * Records a response that it has failed, which is permanent.
   *
   * @throws Over, or Violation when it must not have failed.
   */
  isSaidToHaveFailed(): never {
    if (this.failure === 'none' || this.finished) this.broken('has failed without a reason')
    this.failure = 'certain'
    throw new Over(`${this.name} has failed`)
  }

  isAcknowledged(range: Range): boolean {
    return range.end === range.start || covers(this.#acknowledged, range)
  }

  /** Whether all bytes of the range may have arrived. */
  isSent(range: Range): boolean {
    return range.end === range.start || covers(this.#sent, range)
  }

  /** Whether any byte of the range may have arrived. */
  isTouched(range: Range): boolean {
    return this.#sent.some((sent) => overlap(sent, range))
  }

  /** The same file, sent again by its page; earlier requests may already have sent bytes of it. */
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
