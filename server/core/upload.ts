import { undecided } from './answer.ts'
import type { Claims } from './claims.ts'
import { MAX_WAIT } from './deadline.ts'
import type { Decisions, UploadFacts } from './decisions.ts'
import type { Algorithm } from './digest.ts'
import { moved, notShared, UploadError } from './errors.ts'
import { ExclusiveAccess } from './exclusive-access.ts'
import { Failure, failureError } from './failure.ts'
import type { Checks } from './gate.ts'
import { scanning } from './inspection.ts'
import { Landing } from './landing.ts'
import { covers, prefix, type Range, type Ranges } from './ranges.ts'
import { Receiving } from './receiving.ts'
import type { FailureCode, UploadRecord } from './record.ts'
import { Removal, type RemovalOptions } from './removal.ts'
import type { Departure, Store, StoredUpload } from './store.ts'
import { UploadLength } from './upload-length.ts'
import { COMPLETE, type UploadState } from './upload-state.ts'
import { Verification } from './verification.ts'

/** A live upload: coordinates its writers, tracks its state, and finalizes the file. */
export class Upload {
  /** The requests that bring bytes. */
  readonly receiving: Receiving
  readonly #stored: StoredUpload
  readonly #failure: Failure
  readonly #verification: Verification
  readonly #access: ExclusiveAccess
  readonly #landing: Landing
  readonly #length: UploadLength
  readonly #removal: Removal
  readonly #decisions: Decisions
  #lastChange: Date | undefined

  /**
   * @param checks what the file must pass before it becomes visible.
   * @param decisions those of the application.
   */
  constructor(stored: StoredUpload, claims: Claims, checks: Checks = {}, decisions: Decisions = {}) {
    this.#stored = stored
    this.#failure = new Failure(stored)
    this.#decisions = decisions
    const verification = new Verification(stored, checks)
    this.#verification = verification
    const destination = {
      stored,
      check: () => this.#check(),
      passed: (position: number, bytes: readonly Buffer[]) => verification.digests.pass(position, bytes),
      lost: () => verification.digests.restart(),
      committed: () => {
        this.#lastChange = new Date()
        if (verification.type.isDue) this.#checkType().catch(() => undefined)
        this.#landing.start()
      },
      checked: () => verification.type.begun(),
    }
    this.receiving = new Receiving(destination, claims, this.#failure)
    this.#access = new ExclusiveAccess(stored, claims, this.receiving)
    const landed = {
      stored,
      receiving: this.receiving,
      isIn: (state: UploadState) => this.state === state,
      failure: this.#failure,
      verification,
      access: this.#access,
    }
    this.#landing = new Landing(landed, checks.gate, decisions)
    this.#length = new UploadLength(destination, this.receiving, this.#access, this.#landing)
    this.#removal = new Removal(this, stored, this.#access, this.#landing, decisions)
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

  /** Whether all bytes are there, and the application has not decided about the file. */
  get isUndecided(): boolean {
    return this.#isAsked && this.state === 'scanning'
  }

  /** Whether the application decides about files. */
  get #isAsked(): boolean {
    return this.#decisions.beforeFinish !== undefined
  }

  /** Whether anything is running, awaits a retry, or exists only in memory. */
  get #isBusy(): boolean {
    return (
      this.receiving.isRunning ||
      this.#landing.isPending ||
      this.#verification.digests.busy ||
      this.#failure.isUnwritten
    )
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
    return this.#verification.digests.of(algorithm)
  }

  /**
   * Replaces the record by what `change` returns for it. Calls take turns.
   *
   * @throws UploadError `no_space`, `storage_error`.
   */
  async update(change: (record: UploadRecord) => UploadRecord): Promise<void> {
    await this.#stored.update(change)
  }

  /** Announces that the upload ends before byte `end`: see `UploadLength.announceEnd`. */
  announceEnd(end: number): Promise<void> {
    return this.#length.announceEnd(end)
  }

  /** Sets the length of the file, in bytes: see `UploadLength.set`. */
  setLength(length: number): Promise<void> {
    return this.#length.set(length)
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
    if (this.isUndecided) throw undecided()
  }

  /** Removes an upload that the application has not decided about: see `Removal.withdrawUndecided`. */
  withdrawUndecided(): Promise<void> {
    return this.#removal.withdrawUndecided()
  }

  /**
   * Makes the bytes of a sealed part those of this upload from `position` on, if that is its offset, and the store can.
   *
   * @throws UploadError `busy`, `sync_failed`, `no_space`, `storage_error`. It may be called again then.
   */
  async absorb(part: Upload, position: number): Promise<void> {
    await this.receiving.orFail(() =>
      this.#access.run(() =>
        part.#access.run(async () => {
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
    await this.#access.run(async () => {
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
    await this.#access.run(async () => {
      if (this.record.failed?.code !== 'rejected' || this.#failure.isUnwritten) {
        throw new UploadError('wrong_state', 'Only a rejected upload can be released.')
      }
      await this.#stored.readmit()
    })
    this.#landing.startNow()
    await this.settle(wait, wait)
  }

  /** Removes the upload for a client, if the application permits: see `Removal.terminate`. */
  terminate(options: { onlyIncomplete: boolean }): Promise<void> {
    return this.#removal.terminate(options)
  }

  /** Ends all running requests and removes the upload: see `Removal.remove`. */
  remove(why: Departure, options?: RemovalOptions): Promise<void> {
    return this.#removal.remove(why, options)
  }

  /** Removes the upload as expired, if it is unfinished and idle: see `Removal.removeIfIdle`. */
  removeIfIdle(deadline: Date): Promise<boolean> {
    return this.#removal.removeIfIdle(deadline)
  }

  /** Releases descriptors, and the disk space of a failed upload, unless something is running. */
  async release(): Promise<void> {
    if (this.receiving.isClosed) return
    await this.#failure.write()
    if (this.receiving.isRunning || this.#landing.isRunning) return
    await this.#failure.clear()
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
      await this.end(reason)
      await this.#access.quiet()
    } else if (this.#isBusy) {
      return false
    }
    await this.#landing.settled()
    this.#landing.cancelRetries()
    await this.#failure.write()
    await this.#stored.close()
    return !this.#isBusy
  }

  /** Ends every put and every reader of the file but downloads, and waits until the last writes have returned. */
  async end(reason: Error): Promise<void> {
    this.receiving.end(reason)
    this.#landing.endInspection(reason)
    await this.receiving.settled()
    await this.#verification.digests.end(reason)
  }

  #check(): void {
    const { reason } = this.#failure
    if (reason !== undefined) throw failureError(reason)
    if (this.#stored.removed) throw new UploadError('gone', 'This upload is gone.')
    if (this.#stored.moved) throw moved()
  }

  async #checkType(): Promise<void> {
    await this.receiving.orFail(() => this.#verification.type.pass())
  }
}
