import type { Claims } from './claims.ts'
import { addAnswer } from './current-request.ts'
import { MAX_WAIT, waitAtMost } from './deadline.ts'
import type { Decisions, UploadFacts } from './decisions.ts'
import type { Algorithm } from './digest.ts'
import { moved, notShared, UploadError } from './errors.ts'
import { Failure, failureError } from './failure.ts'
import { FileDigests } from './file-digests.ts'
import { fingerprintOf } from './fingerprint.ts'
import type { Checks } from './gate.ts'
import { scanning } from './inspection.ts'
import { Landing } from './landing.ts'
import { covers, prefix, type Range, type Ranges } from './ranges.ts'
import { Receiving } from './receiving.ts'
import type { FailureCode, UploadRecord } from './record.ts'
import type { Departure, Store, StoredUpload } from './store.ts'
import { TypeCheck } from './type-check.ts'

/**
 * `receiving`: bytes are missing, or the end is not announced yet. `sealed`: all bytes are there, but the upload is a
 * part of another one and never becomes a file itself. `finishing`: all bytes are there, and the file is being moved to
 * its final name. `scanning`: before that move, the gate has not given its verdict yet.
 */
export type UploadState = 'receiving' | 'sealed' | 'finishing' | 'scanning' | 'finished' | 'failed' | 'gone'

/** How an upload is removed. */
interface Removal {
  readonly onlyIncomplete?: boolean
  readonly onlyUndecided?: boolean
  readonly reason?: UploadError
}

/** A live upload: coordinates its writers, tracks its state, and finalizes the file. */
export class Upload {
  /** The requests that bring bytes. */
  readonly receiving: Receiving
  readonly #stored: StoredUpload
  readonly #claims: Claims
  readonly #landing: Landing
  readonly #typeCheck: TypeCheck
  readonly #digests: FileDigests
  readonly #failure: Failure
  readonly #decisions: Decisions
  readonly #hasFingerprint: boolean
  #lastChange: Date | undefined

  /**
   * @param checks what the file must pass before it becomes visible.
   * @param decisions those of the application.
   */
  constructor(stored: StoredUpload, claims: Claims, checks: Checks = {}, decisions: Decisions = {}) {
    this.#stored = stored
    this.#claims = claims
    this.#typeCheck = new TypeCheck(stored, checks.types)
    this.#digests = new FileDigests(stored)
    this.#failure = new Failure(stored)
    this.#decisions = decisions
    this.#hasFingerprint = checks.fingerprints === true
    const destination = {
      stored,
      check: () => this.#check(),
      passed: (position: number, bytes: readonly Buffer[]) => this.#digests.pass(position, bytes),
      lost: () => this.#digests.restart(),
      committed: () => {
        this.#lastChange = new Date()
        if (this.#typeCheck.isDue) this.#checkType().catch(() => undefined)
        this.#landing.start()
      },
      checked: () => this.#typeCheck.begun(),
    }
    this.receiving = new Receiving(destination, claims, this.#failure)
    const landed = {
      stored,
      receiving: this.receiving,
      isIn: (state: UploadState) => this.state === state,
      verify: () => this.#verify(),
      exclusively: (work: () => Promise<void>) => this.#exclusively(work),
      clearFailed: () => this.#clearFailed(),
    }
    this.#landing = new Landing(landed, checks.gate, decisions)
  }

  get record(): UploadRecord {
    const { record } = this.#stored
    return this.#failure.isUnwritten ? { ...record, failed: this.#failure.reason } : record
  }

  get received(): Ranges {
    return this.#stored.received
  }

  /** What the application sees of it. */
  get facts(): UploadFacts {
    const { path, object } = this.#stored
    return { record: this.record, offset: this.offset, path, object }
  }

  /** The offset of tus: how many bytes from 0 on have been received. */
  get offset(): number {
    return prefix(this.received)
  }

  get finishedAt(): Date | undefined {
    return this.#stored.finishedAt
  }

  get state(): UploadState {
    if (this.#stored.removed) return 'gone'
    const { length, failed, partial, endAwaited } = this.record
    if (failed !== undefined) return 'failed'
    if (this.#stored.finished) return 'finished'
    if (endAwaited || length === null || !covers(this.received, { start: 0, end: length })) return 'receiving'
    if (partial) return 'sealed'
    return this.#landing.awaitsVerdict ? 'scanning' : 'finishing'
  }

  /** Whether the application decides about files. */
  get #isAsked(): boolean {
    return this.#decisions.beforeFinish !== undefined
  }

  /** Whether all bytes are there, and the application has not decided about the file. */
  get #isUndecided(): boolean {
    return this.#isAsked && this.state === 'scanning'
  }

  /** Whether anything is running, awaits a retry, or exists only in memory. */
  get #isBusy(): boolean {
    return this.receiving.isRunning || this.#landing.isPending || this.#digests.busy || this.#failure.isUnwritten
  }

  /** Whether this object must not be used any more: see `StoredUpload.moved`. */
  get isMoved(): boolean {
    return this.#stored.moved
  }

  /** Proves that this object has the truth about the upload: see `StoredUpload.confirm`. */
  confirm(): Promise<void> {
    return this.#stored.confirm()
  }

  /** Received bytes, as `StoredUpload.read` returns them. */
  read(range: Range): AsyncIterable<Buffer> {
    return this.#stored.read(range)
  }

  /** When the last byte arrived, or the upload was created. */
  async lastChange(): Promise<Date> {
    this.#lastChange ??= await this.#stored.lastChange()
    return this.#lastChange
  }

  /**
   * The digest of the finished file; it is computed once and kept.
   *
   * @throws UploadError `storage_error`.
   */
  digest(algorithm: Algorithm): Promise<Buffer> {
    return this.#digests.of(algorithm)
  }

  /**
   * Replaces the record by what `change` returns for it. Calls take turns.
   *
   * @throws UploadError `no_space`, `storage_error`.
   */
  async update(change: (record: UploadRecord) => UploadRecord): Promise<void> {
    await this.#stored.update(change)
  }

  /**
   * Announces that the upload ends before byte `end`, which is its length from now on.
   *
   * @throws UploadError `wrong_length` if it has another length, or not exactly these bytes.
   */
  async announceEnd(end: number): Promise<void> {
    if (this.record.length === end && !this.record.endAwaited) return
    await this.#exclusively(async () => {
      this.#check()
      const { length } = this.record
      if ((length ?? end) !== end || this.offset !== end) {
        throw new UploadError('wrong_length', `The upload was ended at byte ${end}, which is not its end.`)
      }
      await this.#stored.update(({ endAwaited, ...record }) => ({ ...record, length: end }))
    })
    this.#landing.start()
  }

  /**
   * Sets the length of the file, in bytes.
   *
   * @throws UploadError `length_known` if another length was set before, `wrong_length` if more bytes are there.
   */
  async setLength(length: number): Promise<void> {
    if (this.record.length === length) return
    await this.receiving.endStream()
    await this.#exclusively(async () => {
      this.#check()
      if (this.record.length === length) return
      if (this.record.length !== null) {
        throw new UploadError('length_known', `The length of this upload is already ${this.record.length} bytes.`)
      }
      if ((this.received.at(-1)?.end ?? 0) > length) {
        throw new UploadError('wrong_length', 'More bytes than this length have already been received.')
      }
      await this.#stored.update((record) => ({ ...record, length }))
    })
    this.#landing.start()
  }

  /**
   * Waits until the upload is finished, if all its bytes are there, and resumes finishing if it was interrupted. The
   * request that sent the last byte waits, so no client mistakes an unfinished file for a finished one.
   *
   * @param wait maximum wait, in milliseconds.
   * @param scanWait maximum wait for the verdict of the gate, in milliseconds.
   * @throws UploadError the reason if the upload failed; `gone`; `busy` when the time is over; `scanning` while there is
   * no verdict; `no_space` or `storage_error` when finishing failed for now. It is retried in the background.
   */
  async finish(wait: number = MAX_WAIT, scanWait: number = wait): Promise<void> {
    await this.settle(scanWait, wait)
    if (this.state === 'scanning') throw scanning()
  }

  /**
   * Like `finish`, but returns also while only the verdict of the gate is missing: then the state is `scanning`.
   *
   * @throws UploadError like `finish`, except `scanning`.
   */
  async settle(scanWait: number, wait: number = MAX_WAIT): Promise<void> {
    // tus-js-client reports success after a response: a later rejection would not reach its user.
    await this.#landing.outcome(scanWait > 0 && this.#isAsked ? wait : scanWait, wait)
    this.#check()
  }

  /**
   * Like `settle`, for clients that take an offset at the end of the file for success: waits for the decision of the
   * application, if one is asked.
   *
   * @throws UploadError also `application_unavailable`.
   */
  async settleOffset(scanWait: number): Promise<void> {
    await this.#landing.outcome(this.#isAsked ? MAX_WAIT : scanWait, MAX_WAIT)
    this.#check()
    this.checkDecided()
  }

  /** @throws UploadError `application_unavailable` while all bytes are there, but the application has not decided. */
  checkDecided(): void {
    if (this.#isUndecided) throw undecided()
  }

  /**
   * Removes the upload if the application has not decided about its file. For a client that does not know the upload
   * yet: it will send the file again.
   *
   * @throws UploadError `application_unavailable` when it is removed, and what `remove` throws.
   */
  async withdrawUndecided(): Promise<void> {
    if (!this.#isUndecided) return
    try {
      await this.remove('deleted', { onlyUndecided: true })
    } catch (error) {
      // The decision came after all.
      if (error instanceof UploadError && error.code === 'already_complete') return this.settleOffset(MAX_WAIT)
      throw error
    }
    throw undecided()
  }

  /**
   * Makes the bytes of a sealed part those of this upload from `position` on, if that is its offset, and the store can.
   *
   * @throws UploadError `busy`, `sync_failed`, `no_space`, `storage_error`. It may be called again then.
   */
  async absorb(part: Upload, position: number): Promise<void> {
    await this.receiving.orFail(() =>
      this.#exclusively(() =>
        part.#exclusively(async () => {
          this.#check()
          if (this.offset === position && part.state === 'sealed') await this.#stored.absorb(part.#stored, position)
        }),
      ),
    )
  }

  /**
   * Creates an upload with the bytes of this finished one: see `Store.createFrom`.
   *
   * @throws UploadError `not_found` also if this one is not finished, or has another length.
   */
  async createCopy(store: Pick<Store, 'createFrom'>, wanted: UploadRecord): Promise<StoredUpload> {
    const { length, fingerprint } = this.record
    if (this.state !== 'finished' || length !== wanted.length) throw notShared()
    const record: UploadRecord = { ...wanted, copied: true }
    return store.createFrom(fingerprint === undefined ? record : { ...record, fingerprint }, this.#stored)
  }

  /** Removes the bytes of a part whose final upload is finished; the part is still reported as complete. */
  async discardBytes(): Promise<void> {
    await this.#exclusively(async () => {
      if (!this.#stored.removed) await this.#stored.discardBytes()
    })
  }

  /** Makes the upload fail for an external reason. */
  async fail(code: FailureCode, message: string): Promise<void> {
    await this.receiving.fail({ code, message })
  }

  /**
   * Makes the time until an unfinished upload expires begin again.
   *
   * @throws UploadError `wrong_state` if it does not expire; `gone`, `no_space`, `storage_error`.
   */
  async extend(): Promise<void> {
    const { state } = this
    if (state === 'gone') throw new UploadError('gone', 'This upload is gone.')
    if (COMPLETE.has(state) || this.record.joined) {
      throw new UploadError('wrong_state', 'Only unfinished uploads expire.')
    }
    await this.#stored.touch()
    this.#lastChange = new Date()
  }

  /** Ends the requests that send bytes, which stay. @returns how many. */
  async interrupt(reason: Error): Promise<number> {
    const { running } = this.receiving
    this.receiving.end(reason)
    await this.receiving.settled()
    return running
  }

  /**
   * Tries again at once to finish a complete upload, instead of after a while.
   *
   * @param wait maximum wait for the outcome, in milliseconds.
   * @throws UploadError `wrong_state` if it is not complete, or finished; like `settle`.
   */
  async finishNow(wait: number): Promise<void> {
    if (this.state !== 'finishing' && this.state !== 'scanning') {
      throw new UploadError('wrong_state', 'Only a complete upload without its file can be finished again.')
    }
    this.#landing.startNow()
    await this.settle(wait, wait)
  }

  /** Whether it was rejected, and its bytes are kept. @throws UploadError `storage_error`. */
  async isQuarantined(): Promise<boolean> {
    return this.record.failed?.code === 'rejected' && (await this.#stored.isQuarantined())
  }

  /**
   * Makes the file of a rejected upload after all. From its return on, that survives a crash of the process.
   *
   * @param wait maximum wait for the file, in milliseconds.
   * @throws UploadError `wrong_state` if it was not rejected; `gone` if its bytes are no longer kept; like `settle`.
   */
  async releaseRejected(wait: number): Promise<void> {
    await this.#landing.settled()
    await this.#exclusively(async () => {
      if (this.record.failed?.code !== 'rejected' || this.#failure.isUnwritten) {
        throw new UploadError('wrong_state', 'Only a rejected upload can be released.')
      }
      await this.#stored.readmit()
    })
    this.#landing.startNow()
    await this.settle(wait, wait)
  }

  /**
   * Removes the upload for a client, if the application permits.
   *
   * @throws UploadError like `remove`, and the refusal of the application.
   */
  async terminate(options: { onlyIncomplete: boolean }): Promise<void> {
    this.#checkRemoval(options)
    if (this.#decisions.beforeDelete !== undefined) addAnswer(await this.#decisions.beforeDelete(this.facts))
    await this.remove('deleted', options)
  }

  /**
   * Ends all running requests and removes the upload, finished or not.
   *
   * @param options `onlyIncomplete`: a complete upload stays. `onlyUndecided`: it is removed only while the application
   * has not decided about its file. `reason`: the error of the running requests.
   * @throws UploadError `already_complete`, `busy`, `no_space`, `storage_error`.
   */
  async remove(why: Departure, { reason = deleted(), ...condition }: Removal = {}): Promise<void> {
    const check = (): void => this.#checkRemoval(condition)
    check()
    // Queued before anything has ended: requests that begin meanwhile wait behind it, and cannot delay it.
    const removed = this.#exclusively(async () => {
      await this.#end(reason)
      check()
      await this.#remove(why)
    })
    await Promise.all([this.#end(reason), removed])
  }

  /**
   * Removes the upload as expired, if it is unfinished, has received no byte since `deadline`, and is not in use.
   *
   * @returns whether it was removed.
   */
  async removeIfIdle(deadline: Date): Promise<boolean> {
    const claim = this.receiving.isRunning ? undefined : this.#claims.tryExclusive(this.record.id)
    if (claim === undefined) return false
    try {
      if (this.#stored.finished || this.state === 'gone' || COMPLETE.has(this.state)) return false
      if ((await this.#stored.lastChange()) >= deadline) return false
      await this.#remove('expired')
      return true
    } finally {
      claim.release()
    }
  }

  /** Releases descriptors, and the disk space of a failed upload, unless something is running. */
  async release(): Promise<void> {
    if (this.receiving.isClosed) return
    await this.#failure.write()
    if (this.receiving.isRunning || this.#landing.isRunning) return
    await this.#clearFailed()
    // Counted bytes are already written: a descriptor that cannot be closed loses none.
    await this.#stored.release().catch(() => undefined)
  }

  /**
   * Closes the upload for good, and releases its memory and descriptors.
   *
   * @param reason if given, running requests end with it, keeping their bytes, and nothing changes the upload
   * afterwards. Without it, a busy upload stays open.
   * @returns whether it is closed and has no state left only in memory.
   * @throws UploadError `no_space`, `storage_error`.
   */
  async close(reason?: Error): Promise<boolean> {
    if (reason !== undefined) {
      this.receiving.close(reason)
      await this.#end(reason)
      await this.#quiet()
    } else if (this.#isBusy) {
      return false
    }
    await this.#landing.settled()
    this.#landing.cancelRetries()
    await this.#failure.write()
    await this.#stored.close()
    return !this.#isBusy
  }

  #checkRemoval({ onlyIncomplete = false, onlyUndecided = false }: Removal): void {
    if ((onlyIncomplete && COMPLETE.has(this.state)) || (onlyUndecided && !this.#isUndecided)) {
      throw new UploadError('already_complete', 'This upload is complete; its file stays.')
    }
  }

  #check(): void {
    const { reason } = this.#failure
    if (reason !== undefined) throw failureError(reason)
    if (this.#stored.removed) throw new UploadError('gone', 'This upload is gone.')
    if (this.#stored.moved) throw moved()
  }

  /** Runs `work` with exclusive access to the upload, once it is available. @throws UploadError `busy`. */
  async #exclusively(work: () => Promise<void>): Promise<void> {
    const abort = new AbortController()
    const pending = this.#claims.exclusive(this.record.id, abort.signal)
    const message = 'Another request is still working with this upload.'
    const claim = await waitAtMost(MAX_WAIT, pending, message, (reason) => abort.abort(reason))
    try {
      this.receiving.checkOpen()
      await work()
    } finally {
      claim.release()
    }
  }

  /** Waits until exclusive work that has begun is over, for example a removal. */
  async #quiet(): Promise<void> {
    const claim = await this.#claims.exclusive(this.record.id, new AbortController().signal)
    claim.release()
  }

  /** Ends every put and every reader of the file but downloads, and waits until the last writes have returned. */
  async #end(reason: Error): Promise<void> {
    this.receiving.end(reason)
    this.#landing.endInspection(reason)
    await this.receiving.settled()
    await this.#digests.end(reason)
  }

  async #remove(why: Departure): Promise<void> {
    if (this.#stored.removed) return
    try {
      await this.#stored.remove(why)
    } finally {
      if (this.#stored.removed) this.#landing.cancelRetries()
    }
  }

  async #verify(): Promise<void> {
    await this.#typeCheck.pass()
    await this.#digests.verify()
    if (this.#hasFingerprint && this.record.fingerprint === undefined) await this.#keepFingerprint()
  }

  async #keepFingerprint(): Promise<void> {
    const fingerprint = await fingerprintOf(this.record.length ?? 0, (range) => this.#stored.read(range))
    await this.#stored.update((record) => ({ ...record, fingerprint }))
  }

  /** Removes the bytes of a failed upload: those that were rejected stay for the operator. */
  async #clearFailed(): Promise<void> {
    const { failed, partial } = this.#stored.record
    // A final upload may still be reading a part.
    if (failed === undefined || partial) return
    await (failed.code === 'rejected' ? this.#stored.quarantine() : this.#stored.abandon()).catch(() => undefined)
  }

  async #checkType(): Promise<void> {
    await this.receiving.orFail(() => this.#typeCheck.pass())
  }
}

/** States in which every byte of the file is there. Such an upload does not expire. */
const COMPLETE: ReadonlySet<UploadState> = new Set(['finishing', 'scanning', 'finished'])

/**
 * Since when the upload expires, unless a byte arrives: when the last one did, or the upload was created.
 *
 * @returns `undefined` if it does not expire by itself.
 */
export async function idleSince(upload: Upload): Promise<Date | undefined> {
  const { final, parts } = upload.record
  const stays = upload.state !== 'receiving' && upload.state !== 'sealed'
  // Related uploads expire together, later than each of them would.
  return stays || final !== undefined || parts !== undefined ? undefined : upload.lastChange()
}

/** @throws UploadError the error of a failed upload, or `gone`. */
export function checkUsable({ record: { failed }, state }: Upload): void {
  if (failed !== undefined) throw failureError(failed)
  if (state === 'gone') throw new UploadError('gone', 'This upload is gone.')
}

function deleted(): UploadError {
  return new UploadError('gone', 'This upload was deleted.')
}

function undecided(): UploadError {
  return new UploadError('application_unavailable', 'The file has arrived, but is not accepted yet; try again later.')
}
