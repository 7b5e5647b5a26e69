import { timingSafeEqual } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type Challenge, Challenges } from './challenges.ts'
import { SCAN_WAIT } from './deadline.ts'
import type { Desk } from './desk.ts'
import { UploadError } from './errors.ts'
import type { Events } from './events.ts'
import { FileIndex, type IndexedFile } from './file-index.ts'
import { proofOf, provingRanges } from './possession.ts'
import type { Principal } from './principal.ts'
import type { Range } from './ranges.ts'
import { type Metadata, newRecord, type UploadRecord } from './record.ts'
import { Slots } from './slots.ts'
import type { Upload } from './upload.ts'
import type { Uploads } from './uploads.ts'

/** Whose files may become uploads of a caller: its own, or those of all. */
export type InstantScope = 'owner' | 'all'

/** What a client has to prove. */
export interface Question {
  readonly id: string
  /** Random bytes, which precede the ranges in the proof. */
  readonly nonce: Buffer
  readonly ranges: readonly Range[]
  /** How long it may be answered, in milliseconds. */
  readonly lifetime: number
}

/** The answer to a question. */
export interface Claim {
  readonly question: string
  /** `proofOf` the file. */
  readonly proof: Buffer
}

/**
 * When a proof about files of others is answered with no, in milliseconds: that hides how long the search took. A longer
 * search finds nothing.
 */
const HIDDEN_FOR = { disk: 1000, bucket: 3000 }

/** Maximum proofs that are computed concurrently, and that wait: they must not slow uploads down. */
const MAX_PROOFS = 4
const MAX_WAITING = 256

/** Maximum files that one proof is compared with: anyone can store files of one fingerprint, and send a wrong proof. */
const MAX_COMPARED = 4

type Work<T> = (upload: Upload) => Promise<T>

/** Uploads that are finished without being sent, because a finished file has the same bytes. */
export class Instant {
  readonly #uploads: Uploads
  readonly #scope: InstantScope
  readonly #node: string
  readonly #index: FileIndex
  readonly #challenges: Challenges
  readonly #proofs = new Slots(MAX_PROOFS, MAX_WAITING)

  /**
   * @param events those of the uploads: a file can be found as soon as it is reported as finished.
   * @param node with whose name ids begin; empty for a service that is alone.
   * @param challenges keeps what was asked.
   */
  constructor(
    uploads: Uploads,
    scope: InstantScope,
    events: Pick<Events, 'on'>,
    node: string,
    index: FileIndex = new FileIndex(),
    challenges: Challenges = new Challenges(),
  ) {
    this.#uploads = uploads
    this.#scope = scope
    this.#node = node
    this.#index = index
    this.#challenges = challenges
    events.on(['finished'], ({ upload: { record } }) =>
      this.#note(record, (scope, file) => this.#index.add(scope, file)),
    )
    events.on(['deleted'], ({ upload: { record } }) =>
      this.#note(record, (scope, file) => this.#index.remove(scope, file)),
    )
  }

  /** Finds the files that were finished before, in the background. */
  async learn(): Promise<void> {
    await this.#uploads.sweeps.eachFinished((record) => {
      this.#note(record, (scope, file) => this.#index.addOld(scope, file))
    })
  }

  /**
   * Asks a client to prove that it has the file that it describes. If files of others count, it is always asked: the
   * question must not tell whether there is one.
   *
   * @param fingerprint `fingerprintOf` its file.
   * @throws UploadError `not_found` if the client has no such file.
   */
  ask(principal: Principal, size: number, fingerprint: string): Question {
    const isKnown = this.#find(principal.owner, size, fingerprint).length > 0
    if (this.#scope === 'owner' && !isKnown) throw unknownContent()
    const { id, nonce } = this.#challenges.create(callerOf(principal), size, fingerprint)
    return { id, nonce, ranges: provingRanges(nonce, size), lifetime: this.#challenges.lifetime }
  }

  /**
   * Creates the upload of a client that has proved that it has the file, and runs `work` on it. It is finished then, or
   * will be: a scan, or a copy of a large file, may take longer.
   *
   * @throws UploadError `not_found` for any reason why the client has to send the file; like `Desk.create`; the reason
   * why the upload has failed.
   */
  async finish<T>(desk: Desk, { question, proof }: Claim, metadata: Metadata, work: Work<T>): Promise<T> {
    const challenge = this.#challenges.take(question, callerOf(desk.principal))
    const source = await this.#hidden((signal) => this.#proved(desk.principal.owner, challenge, proof, signal))
    if (challenge === undefined || source === undefined) throw unknownContent()
    const record = newRecord({ length: challenge.size, metadata }, this.#node)
    return this.#create(desk, record, source, work)
  }

  async #create<T>(desk: Desk, record: UploadRecord, source: string, work: Work<T>): Promise<T> {
    return desk.createFrom(record, source, async (upload) => {
      await land(upload)
      return work(upload)
    })
  }

  /** Runs a search. If it finds nothing, and files of others count, that takes the same time for whatever reason. */
  async #hidden(search: (signal: AbortSignal) => Promise<string | undefined>): Promise<string | undefined> {
    const over = new AbortController()
    if (this.#scope === 'owner') return search(over.signal)
    const found = new AbortController()
    const end = delay(this.#uploads.isShared ? HIDDEN_FOR.bucket : HIDDEN_FOR.disk, undefined, {
      signal: found.signal,
    }).catch(() => undefined)
    const source = await Promise.race([search(over.signal).catch(() => undefined), end])
    if (source === undefined) {
      await end
      over.abort(unknownContent())
    } else found.abort()
    return source
  }

  /** @returns the id of a file of which the client has proved the possession. */
  async #proved(
    owner: string | undefined,
    challenge: Challenge | undefined,
    proof: Buffer,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    if (challenge === undefined) return undefined
    const { size, fingerprint, nonce } = challenge
    const isProved = async (upload: Upload): Promise<boolean> => {
      if (this.#scope === 'owner' && upload.record.owner !== owner) return false
      const expected = await proofOf(nonce, size, (range) => upload.read(range), signal)
      return proof.length === expected.length && timingSafeEqual(proof, expected)
    }
    const forget = (id: string): void => {
      const scope = this.#scopeOf(owner)
      if (scope !== undefined) this.#index.remove(scope, { id, size, fingerprint })
    }
    const candidates = this.#find(owner, size, fingerprint).slice(0, MAX_COMPARED)
    return this.#first(candidates, size, isProved, forget, signal)
  }

  /** @returns the first of these files with `size` bytes that `isSame`. Those that are gone are forgotten. */
  async #first(
    ids: readonly string[],
    size: number,
    isSame: (upload: Upload) => Promise<boolean>,
    forget: (id: string) => void,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    if (ids.length === 0) return undefined
    const leave = await this.#proofs.enter(signal).catch((): undefined => undefined)
    // Too many are waiting: the client sends its file.
    if (leave === undefined) return undefined
    try {
      for (const id of ids) {
        signal.throwIfAborted()
        if (await this.#isSource(id, size, isSame, forget)) return id
      }
    } finally {
      leave()
    }
    return undefined
  }

  async #isSource(
    id: string,
    size: number,
    isSame: (upload: Upload) => Promise<boolean>,
    forget: (id: string) => void,
  ): Promise<boolean> {
    try {
      return await this.#uploads.use(id, async (upload) => {
        await upload.confirm()
        return upload.state === 'finished' && upload.record.length === size && (await isSame(upload))
      })
    } catch (error) {
      // A file that is gone, or cannot be read now, is no reason why the client cannot send its own.
      if (!(error instanceof UploadError)) throw error
      // Another node has removed it.
      if (error.code === 'not_found' || error.code === 'gone') forget(id)
      return false
    }
  }

  #find(owner: string | undefined, size: number, fingerprint: string): readonly string[] {
    const scope = this.#scopeOf(owner)
    return scope === undefined ? [] : this.#index.find(scope, size, fingerprint)
  }

  /** Calls `work` with the place of a file in the index, if it can be found at all. */
  #note({ id, owner, length, fingerprint }: UploadRecord, work: (scope: string, file: IndexedFile) => void): void {
    const scope = this.#scopeOf(owner)
    if (scope === undefined || length === null || fingerprint === undefined) return
    work(scope, { id, size: length, fingerprint })
  }

  /** Anonymous clients have no files of their own. */
  #scopeOf(owner: string | undefined): string | undefined {
    return this.#scope === 'all' ? '' : owner
  }
}

/**
 * Waits until a new upload is finished, or only its scan or its copy takes longer.
 *
 * @throws UploadError the reason why it is none: then it has failed, or is removed.
 */
async function land(upload: Upload): Promise<void> {
  try {
    await upload.settle(SCAN_WAIT)
    await upload.withdrawUndecided()
  } catch (error) {
    if (!(error instanceof UploadError)) throw error
    if (error.code === 'busy') return
    // Its client sends the file instead.
    if (upload.record.failed === undefined || error.code === 'part_gone') await remove(upload)
    throw error.code === 'part_gone' ? unknownContent() : error
  }
}

async function remove(upload: Upload): Promise<void> {
  await upload.remove('deleted').catch(() => undefined)
}

function callerOf({ owner, account }: Principal): string {
  return owner ?? account()
}

/** The one error of a file that is not there, not the caller's, or not proved. */
function unknownContent(): UploadError {
  return new UploadError('not_found', 'There is no file with this content.')
}
