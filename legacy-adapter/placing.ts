import { randomInt } from 'node:crypto'
import { MAX_WAIT } from '../server/core/deadline.ts'
import type { Desk } from '../server/core/desk.ts'
import { UploadError } from '../server/core/errors.ts'
import { KeyedQueue } from '../server/core/keyed-queue.ts'
import type { Upload } from '../server/core/upload.ts'
import { type CheckHistories, fileKey, historyName } from './check-histories.ts'
import type { ChunkRequest } from './chunk-request.ts'
import { type LiveUploads, now } from './live-uploads.ts'
import { type FirstUpload, isUsable, type Lookup } from './lookup.ts'
import { newRecordOf, updatePage, withoutSender } from './page-record.ts'
import type { KnownUpload, Senders } from './senders.ts'
import { decide } from './which-upload.ts'

/** Where a chunk goes. */
export interface Destination extends KnownUpload {
  readonly upload: Upload
  /** Whether chunk 0 must prove that the file is the same. */
  readonly isProof: boolean
}

type Work<T> = (destination: Destination) => Promise<T>

/**
 * Finds or creates the upload of each chunk. Chunks of one visitor, task, and name are decided one at a time, in a
 * queue. Nothing waits in it: a chunk leaves it before its first byte is read.
 *
 * After a crash: the record of an upload names a sender before any chunk of that sender counts, except chunk 0, which
 * was stored before. The note that maps the sender to another upload than its first follows, or was written before that
 * upload. Without the note, an unfinished upload is found by its record on the node that knew it, and a finished file is
 * stored a second time. A share may lack a stored chunk: then the file waits for its complete. Pending proofs and
 * rejections are forgotten: such senders start again with chunk 0.
 */
export class Placing {
  readonly #live: LiveUploads
  readonly #histories: CheckHistories
  readonly #lookup: Lookup
  readonly #senders: Senders
  readonly #queue = new KeyedQueue()

  constructor(live: LiveUploads, histories: CheckHistories, lookup: Lookup, senders: Senders) {
    this.#live = live
    this.#histories = histories
    this.#lookup = lookup
    this.#senders = senders
  }

  /**
   * Finds the upload of a chunk, or creates it, and runs `work` on it.
   *
   * @throws UploadError `wrongly_skipped`, `content_differs`, `busy`, and what `work` and the core throw.
   */
  async find<T extends object>(request: ChunkRequest, work: Work<T>): Promise<T> {
    const find = async (): Promise<T> =>
      (await this.#useKnown(request, work)) ?? (await this.#decideInTurn(request, work))
    if (request.place.chunk !== 0) return find()
    return this.#senders.use(request.identities().own.firstId, (pending) => pending.first(find))
  }

  /**
   * Makes the sender of a chunk restart with a new upload: it skipped chunks, and nothing shows that the stored ones
   * belong to its file.
   *
   * @throws UploadError `not_found`, and what the core throws.
   */
  async beginAgain({ caller, identities, key, facts }: ChunkRequest): Promise<never> {
    const { candidates } = await this.#lookup.find({ caller, identities, facts })
    const { sender } = identities().own
    for (const { id } of candidates.filter(({ knowsSender }) => knowsSender)) {
      await this.#tryUse(caller.desk, id, (upload) =>
        updatePage(upload, (page) => ({ ...withoutSender(page, sender), contested: true }), { hold: true }),
      )
    }
    this.#senders.forgetUpload(key)
    throw resumesNothing()
  }

  /** The upload of the chunks before, without a lookup. */
  async #useKnown<T extends object>({ caller, key }: ChunkRequest, work: Work<T>): Promise<T | undefined> {
    const known = this.#senders.knownUpload(key)
    if (known === undefined) return undefined
    const result = await this.#tryUse(caller.desk, known.id, async (upload) => {
      if (!upload.record.webUploader?.senders?.includes(known.sender)) return undefined
      return this.#feed(key, work, { ...known, upload, isProof: false })
    })
    if (result === undefined) this.#senders.forgetUpload(key)
    return result
  }

  async #decideInTurn<T extends object>(request: ChunkRequest, work: Work<T>): Promise<T> {
    const { file, firstId } = request.identities().own
    const deadline = now() + MAX_WAIT
    return this.#senders.use(firstId, async (pending) => {
      for (;;) {
        const { decided } = pending
        const found = await this.#inTurn(file, (leave) => this.#decide(request, work, leave))
        if (found === 'wait') await pending.untilDecided(decided, deadline)
        else if (found !== undefined) return found
      }
    })
  }

  /** Runs `work` when all earlier work of this file name has left the queue; it may leave before it ends. */
  #inTurn<T>(file: string, work: (leave: () => void) => Promise<T>): Promise<T> {
    return new Promise((resolve) => {
      const inQueue = (leave: () => void): void => {
        const running = work(leave)
        void Promise.allSettled([running]).then(leave)
        resolve(running)
      }
      void this.#queue.run([file], () => new Promise<void>(inQueue))
    })
  }

  /** Decides which upload a chunk means, and works on that; `undefined` if it has disappeared meanwhile. */
  async #decide<T extends object>(
    request: ChunkRequest,
    work: Work<T>,
    leave: () => void,
  ): Promise<T | 'wait' | undefined> {
    const { candidates, first } = await this.#lookup.find(request)
    const { own, open } = request.identities()
    const pending = this.#senders.pending(own.firstId)
    const { chunk, chunks } = request.place
    const history = historyName(request.caller, own.group)
    const skips = await this.#histories.read(history, (notes) =>
      notes.skips(own.group, fileKey(own, request.facts.size), own.sender, chunks),
    )
    const decision = decide({ chunk, modified: request.modified }, candidates, pending, skips, now())
    const feed = (id: string, isProof: boolean): Promise<T | undefined> => {
      const { sender, firstId } = open !== undefined && id.startsWith(`${open.group}.`) ? open : own
      const known = { id, sender, firstId, group: own.group }
      return this.#tryUse(request.caller.desk, id, (upload) =>
        this.#feed(request.key, work, { ...known, upload, isProof }, leave),
      )
    }
    switch (decision.kind) {
      case 'use':
        return feed(decision.id, false)
      case 'prove': {
        pending.proving = decision.id
        if (chunk !== 0) return 'wait'
        const outcome = await feed(decision.id, true)
        if (outcome === undefined) pending.proving = undefined
        return outcome
      }
      case 'wait':
        return 'wait'
      case 'content_differs':
        pending.rejected = { byLaterChunk: true, last: now() }
        throw contentDiffers()
      case 'wrongly_skipped':
        await this.#histories.change(history, (notes) => notes.refuse(own.group))
        throw wronglySkipped()
      case 'create':
        if (request.stated?.resumes && chunk !== 0) throw resumesNothing()
        return this.#create(request, work, first, leave)
    }
  }

  /** @returns `undefined` if another node has begun an upload meanwhile. */
  async #create<T>(
    request: ChunkRequest,
    work: Work<T>,
    first: FirstUpload,
    leave: () => void,
  ): Promise<T | undefined> {
    const { caller } = request
    const { file, firstId, group, idOf, sender } = request.identities().own
    const { isTaken, noted } = first
    let id = firstId
    if (isTaken && noted?.isFree) id = noted.id
    else if (isTaken) {
      // Random, not counted: no earlier upload has to be looked up. All nodes must use the same one.
      id = idOf(randomInt(1, 2 ** 47))
      if (!(await this.#lookup.announce(firstId, id, noted?.id))) return undefined
    }
    await this.#live.expect(group, file)
    return caller.desk.createTentatively(newRecordOf(request, id, first.recut), async (upload) => {
      await this.#histories.change(historyName(caller, group), (history) => {
        if (caller.owner !== undefined) history.touch(group)
        history.clearRefusal(group)
      })
      const pending = this.#senders.pending(firstId)
      pending.rejected = undefined
      return this.#feed(request.key, work, { id, sender, firstId, group, upload, isProof: false }, () => {
        leave()
        pending.hasBegun = true
        pending.wake()
      })
    })
  }

  /** @param leave called once the chunk counts as in flight: from then on, other decisions see it. */
  async #feed<T>(
    key: string,
    work: Work<T>,
    destination: Destination,
    leave: () => void = () => undefined,
  ): Promise<T> {
    const { id, sender, upload, isProof } = destination
    const isFed: boolean = upload.state === 'receiving'
    if (isFed) this.#live.begin(id)
    let isFailed = true
    try {
      if (!isProof) {
        const isNamed = upload.record.webUploader?.senders !== undefined
        if (!isNamed) await updatePage(upload, (page) => page, { sender })
        this.#senders.setKnownUpload(key, destination)
      }
      leave()
      const result = await work(destination)
      isFailed = false
      return result
    } finally {
      if (isFed) this.#live.end(id, isFailed)
      if (isFed && (upload.state === 'failed' || upload.state === 'finished')) this.#live.settle(id)
    }
  }

  /** Runs `work` on an upload; `undefined` if there is none that can be used. */
  async #tryUse<T>(desk: Desk, id: string, work: (upload: Upload) => Promise<T | undefined>): Promise<T | undefined> {
    let begun = false
    try {
      return await desk.use(id, (upload) => {
        begun = true
        return isUsable(upload) ? work(upload) : Promise.resolve(undefined)
      })
    } catch (error) {
      const isMissing = error instanceof UploadError && (error.code === 'not_found' || error.code === 'gone')
      if (begun || !isMissing) throw error
      return undefined
    }
  }
}

/** The error for a client that continues an upload of which nothing is left. */
function resumesNothing(): UploadError {
  return new UploadError('not_found', 'This upload no longer exists; send the whole file again.')
}

/** The error for a sender whose bytes differ from those of the upload. */
export function contentDiffers(): UploadError {
  return new UploadError(
    'content_differs',
    'Another chunk of this file differs from the stored one; send the whole file again.',
  )
}

/** The error for a file of which the page has skipped chunks that are not there. */
export function wronglySkipped(): UploadError {
  return new UploadError(
    'wrongly_skipped',
    'The page skipped chunks that belong to another file; select the file again to send all of it.',
  )
}
