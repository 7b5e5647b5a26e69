import { UploadError } from '../server/core/errors.ts'
import type { Upload } from '../server/core/upload.ts'
import type { Uploads } from '../server/core/uploads.ts'
import { type Caller, candidateOf, type FileFacts, fits, isUsable } from './candidates.ts'
import type { Identities, Identity } from './identity.ts'
import type { LiveUploads } from './live-uploads.ts'
import type { TextStore } from './told-books.ts'
import type { Candidate } from './which-upload.ts'

/** A request that means a file. */
export interface FileRequest {
  readonly caller: Caller
  readonly identities: () => Identities
  readonly facts: FileFacts
}

/** What became of the first upload of a sender: whether its id is taken, and how often its chunks were cut in two sizes. */
export interface FirstUpload {
  readonly isTaken: boolean
  readonly recut: number
}

/** Looks for the uploads that a request could mean. Its cost does not grow with how many files of one name there are. */
export class Lookup {
  readonly #uploads: Uploads
  readonly #live: LiveUploads
  /** By the first id of a sender the id of the upload that it means, where that is another. */
  readonly #notes: TextStore

  constructor(uploads: Uploads, live: LiveUploads, notes: TextStore) {
    this.#uploads = uploads
    this.#live = live
    this.#notes = notes
  }

  /**
   * The upload of the sender, finished or not, or else the unfinished ones of its file that were fed last.
   *
   * @throws UploadError `storage_error`.
   */
  async find(request: FileRequest): Promise<{ candidates: readonly Candidate[]; first: FirstUpload }> {
    await this.#live.ready()
    const { own, open, nameless } = request.identities()
    const identities = open === undefined ? [own] : [own, open]
    let first: FirstUpload = { isTaken: false, recut: 0 }
    const candidates: Candidate[] = []
    for (const identity of identities) {
      const noted = await this.#notes.read(identity.firstId)
      for (const id of noted === undefined ? [identity.firstId] : [noted, identity.firstId]) {
        const { candidate, isTaken, recut } = await this.#look(id, request, identity)
        if (candidate?.knowsSender && candidate.own) return { candidates: [candidate], first }
        // Anybody without a cookie may have begun this one: one of the caller is preferred.
        if (candidate?.knowsSender) candidates.push(candidate)
        if (identity === own) first = { isTaken: first.isTaken || isTaken, recut: Math.max(first.recut, recut) }
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

  /** Remembers which upload a sender means. @throws UploadError `no_space`, `storage_error`. */
  async note({ firstId }: Pick<Identity, 'firstId'>, id: string): Promise<void> {
    if (id !== firstId) await this.#notes.write(firstId, id)
  }

  /** @param facts what must fit, for an upload that is not found by its sender. */
  async #look(
    id: string,
    { caller, facts: { date } }: FileRequest,
    identity: Identity,
    facts?: FileFacts,
  ): Promise<FirstUpload & { candidate: Candidate | undefined }> {
    try {
      return await this.#uploads.use(id, async (upload) => {
        this.#settle(upload)
        const { record } = upload
        const isFit = facts === undefined || fits(record, identity, facts)
        const candidate = isFit ? candidateOf(upload, identity, caller, date, this.#live) : undefined
        const recut = record.failed?.code === 'chunk_size_changed' ? (record.page?.recut ?? 0) + 1 : 0
        return { candidate, isTaken: true, recut }
      })
    } catch (error) {
      if (!(error instanceof UploadError) || !(error.code === 'not_found' || error.code === 'gone')) throw error
      this.#live.drop(id)
      return { candidate: undefined, isTaken: error.code === 'gone', recut: 0 }
    }
  }

  /** What has ended by other requests than those of pages is noticed here. */
  #settle(upload: Upload): void {
    const { id } = upload.record
    if (this.#live.isLive(id) && (upload.state === 'finished' || !isUsable(upload))) this.#live.settle(id)
  }
}
