import { hash } from 'node:crypto'
import { UploadError } from '../server/core/errors.ts'
import { failureError } from '../server/core/failure.ts'
import type { Upload } from '../server/core/upload.ts'
import { isVisible } from './caller.ts'
import type { FileFacts, FileRequest, Identity } from './identity.ts'
import type { LiveUploads } from './live-uploads.ts'
import type { SenderStore } from './options.ts'
import { chunkSetOf, fits, knowsSender, pageOf } from './page-record.ts'
import type { Candidate, Skippable } from './which-upload.ts'

/** The first upload of a sender: whether its id is taken, and how often its chunk size has changed. */
interface Taken {
  readonly isTaken: boolean
  readonly recut: number
}

/** With its later upload, and whether that has not been created yet. */
export interface FirstUpload extends Taken {
  readonly noted?: { readonly id: string; readonly isFree: boolean } | undefined
}

/** Finds the uploads that a request could mean. The cost does not grow with the number of files of one name. */
export class Lookup {
  readonly #live: LiveUploads
  /** Maps the first id of a sender to the id of its upload, if they differ. */
  readonly #notes: SenderStore

  constructor(live: LiveUploads, notes: SenderStore) {
    this.#live = live
    this.#notes = notes
  }

  /**
   * The upload of the sender, finished or not, or else the most recently fed unfinished ones of its file.
   *
   * @throws UploadError `storage_error`.
   */
  async find(request: FileRequest): Promise<{ candidates: readonly Candidate[]; first: FirstUpload }> {
    await this.#live.ready()
    const { own, open, nameless } = request.identities()
    const identities: Identity[] = []
    let first: FirstUpload = { isTaken: false, recut: 0 }
    const candidates: Candidate[] = []
    for (const identity of open === undefined ? [own] : [own, open]) {
      // A sender that has begun an upload with the cookie has not begun one without it.
      if (first.isTaken) break
      identities.push(identity)
      for await (const id of this.#idsOf(identity)) {
        const { candidate, isTaken, recut } = await this.#look(id, request, identity)
        if (candidate?.knowsSender && candidate.own) return { candidates: [candidate], first }
        // Any client without a cookie may have begun this one, so an upload of the caller is preferred.
        if (candidate?.knowsSender) candidates.push(candidate)
        if (identity !== own) continue
        const noted = id === own.firstId ? undefined : { id, isFree: !isTaken && id.startsWith(`${own.file}.`) }
        first = { isTaken: first.isTaken || isTaken, recut: Math.max(first.recut, recut), noted }
      }
    }
    for (const identity of identities) {
      for (const id of this.#live.of(identity.file)) {
        const { candidate } = await this.#look(id, request, identity, request.facts)
        if (candidate !== undefined) candidates.push(candidate)
      }
    }
    if (nameless === undefined) return { candidates, first }
    for (const id of this.#live.of(nameless.file)) {
      const { candidate } = await this.#look(id, request, nameless, request.facts)
      if (candidate?.knowsSender) candidates.push(candidate)
    }
    return { candidates, first }
  }

  /** The first id of a sender, the one that a note names, and those that other nodes have noted since. */
  async *#idsOf({ firstId }: Identity): AsyncGenerator<string> {
    yield firstId
    const seen = new Set<string>()
    let noted = await this.#notes.read(firstId)
    while (noted !== undefined && !seen.has(noted)) {
      seen.add(noted)
      yield noted
      noted = await this.#notes.read(successor(firstId, noted))
    }
  }

  /**
   * Remembers the upload that a sender is about to begin.
   *
   * @param earlier the noted one.
   * @returns whether no other node has noted one meanwhile. @throws UploadError `no_space`, `storage_error`.
   */
  async announce(firstId: string, id: string, earlier: string | undefined): Promise<boolean> {
    if (earlier === undefined) return this.#notes.add(firstId, id)
    // S3 can create a note for one node only, but not replace one.
    if (!(await this.#notes.add(successor(firstId, earlier), id))) return false
    // A short cut: if it is lost, or replaced by an earlier one, the other notes lead here.
    await this.#notes.write(firstId, id)
    return true
  }

  /** Remembers the upload of a sender. @throws UploadError `no_space`, `storage_error`. */
  async note(firstId: string, id: string): Promise<void> {
    if (id !== firstId) await this.#notes.write(firstId, id)
  }

  /** Views an upload as a candidate; `undefined` if it has failed, or the caller cannot access it. */
  candidateOf(upload: Upload, identity: Identity, { caller, facts }: FileRequest): Candidate | undefined {
    const { record, state } = upload
    if (!isUsable(upload) || !isVisible(record, caller)) return undefined
    return {
      id: record.id,
      own: record.webUploader?.visitor !== undefined || caller.owner === undefined,
      knowsSender: knowsSender(record, identity, facts.date),
      finished: state === 'finished' || isLanding(upload),
      ...this.skippableOf(upload),
      modified: pageOf(record).modified,
      fed: this.#live.fed(record.id),
    }
  }

  /** The facts that decide whether chunks of an upload may be skipped. */
  skippableOf(upload: Upload): Skippable {
    const { record, receiving } = upload
    return {
      contested: record.webUploader?.contested === true,
      atRest: this.#live.isAtRest(record.id) && !receiving.isRunning && !isLanding(upload),
      chunks: chunkSetOf(upload),
    }
  }

  /** @param facts must match if the upload was found by its name, not by its sender. */
  async #look(
    id: string,
    request: FileRequest,
    identity: Identity,
    facts?: FileFacts,
  ): Promise<Taken & { candidate: Candidate | undefined }> {
    try {
      return await request.caller.desk.use(id, async (upload) => {
        this.#settle(upload)
        const { record } = upload
        if (facts === undefined) refuseAgain(upload, request, identity)
        const isFit = facts === undefined || fits(record, identity, facts)
        const candidate = isFit ? this.candidateOf(upload, identity, request) : undefined
        const recut = record.failed?.code === 'chunk_size_changed' ? (record.webUploader?.recut ?? 0) + 1 : 0
        return { candidate, isTaken: true, recut }
      })
    } catch (error) {
      if (!(error instanceof UploadError) || !(error.code === 'not_found' || error.code === 'gone')) throw error
      this.#live.drop(id)
      return { candidate: undefined, isTaken: error.code === 'gone', recut: 0 }
    }
  }

  /** Settles an upload that a tus request or expiry has ended. */
  #settle(upload: Upload): void {
    const { id } = upload.record
    if (this.#live.isLive(id) && (upload.state === 'finished' || !isUsable(upload))) this.#live.settle(id)
  }
}

/** The name of the note about the upload that a sender has begun after this one, whose id may be long. */
function successor(firstId: string, id: string): string {
  return `${firstId}-${hash('sha256', id).slice(0, 32)}`
}

/** Whether all bytes are there, and the file is on its way. */
function isLanding({ state }: Upload): boolean {
  return state === 'finishing' || state === 'scanning'
}

/** WebUploader sends a refused chunk again: a refused file must not begin again with it. @throws UploadError why. */
function refuseAgain({ record }: Upload, { caller, facts }: FileRequest, identity: Identity): void {
  const { failed } = record
  if (failed?.code !== 'rejected' && failed?.code !== 'type_not_allowed') return
  if (!isVisible(record, caller) || !knowsSender(record, identity, facts.date)) return
  throw failureError(failed)
}

/** Whether the upload can still accept chunks, or be compared with them. */
export function isUsable({ state }: Upload): boolean {
  return state !== 'failed' && state !== 'gone'
}
