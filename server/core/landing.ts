import type { Decisions } from './decisions.ts'
import type { ExclusiveAccess } from './exclusive-access.ts'
import type { Failure } from './failure.ts'
import { Finishing } from './finishing.ts'
import type { Gate } from './gate.ts'
import { Inspection } from './inspection.ts'
import { FINISHES, measured } from './measured.ts'
import type { Receiving } from './receiving.ts'
import type { StoredUpload } from './store.ts'
import type { Verification } from './verification.ts'

/** What a landing needs of its upload. */
export interface LandingUpload {
  readonly stored: StoredUpload
  readonly receiving: Receiving
  /** Whether the upload is in this state. */
  isIn(state: 'finishing' | 'scanning'): boolean
  readonly failure: Failure
  readonly verification: Verification
  readonly access: ExclusiveAccess
}

/**
 * Makes the file of a complete upload: checks it, asks the gate and the application, and moves it to its final name. Each step has one
 * attempt at a time, and is retried with backoff.
 */
export class Landing {
  readonly #upload: LandingUpload
  readonly #inspection: Inspection
  readonly #finishing: Finishing
  readonly #scanning: Finishing
  /** Whether the file has passed every check but that of the gate. */
  #isVerified = false

  constructor(upload: LandingUpload, gate: Gate | undefined, decisions: Decisions) {
    this.#upload = upload
    this.#inspection = new Inspection(upload.stored, gate, decisions)
    this.#finishing = new Finishing(
      () => upload.isIn('finishing'),
      () => this.#finish(),
    )
    this.#scanning = new Finishing(
      () => upload.isIn('scanning'),
      () => this.#scan(),
    )
  }

  /** Whether only the verdict of the gate is missing. */
  get awaitsVerdict(): boolean {
    return this.#isVerified && !this.#inspection.isPassed
  }

  get isRunning(): boolean {
    return this.#finishing.isRunning || this.#scanning.isRunning
  }

  /** Whether it is running or will be retried. */
  get isPending(): boolean {
    return this.#finishing.isPending || this.#scanning.isPending
  }

  /** Starts an attempt if the upload is complete and none is running. */
  start(): void {
    this.#finishing.start()
  }

  /** Starts an attempt at once instead of waiting for its retry. */
  startNow(): void {
    this.#finishing.startNow()
    this.#scanning.startNow()
  }

  /**
   * Waits until the file is there, or only the verdict of the gate is missing.
   *
   * @param scanWait maximum wait for the verdict, in milliseconds.
   * @param wait maximum wait for the rest, in milliseconds.
   * @throws UploadError the reason why the attempt failed, `busy` when the time is over.
   */
  async outcome(scanWait: number, wait: number): Promise<void> {
    await this.#finished(wait)
    if (scanWait === 0 || !this.#upload.isIn('scanning')) return
    // A request never asks the gate again before its time: it may be asked as often as clients like.
    await this.#scanning.outcome(scanWait).catch(() => undefined)
    await this.#finished(wait)
  }

  /** Aborts a running inspection, without a verdict. */
  endInspection(reason: Error): void {
    this.#inspection.end(reason)
  }

  /** Waits until no attempt is running, successful or not. */
  async settled(): Promise<void> {
    // Each may start the other.
    while (this.isRunning) await Promise.all([this.#finishing.settled(), this.#scanning.settled()])
  }

  cancelRetries(): void {
    this.#finishing.cancelRetry()
    this.#scanning.cancelRetry()
  }

  async #finished(wait: number): Promise<void> {
    // Until it has ended, the scan has not begun, although nothing else is missing.
    if (!this.#upload.isIn('finishing') && !this.#finishing.isRunning) return
    this.#finishing.start()
    await this.#finishing.outcome(wait)
  }

  async #finish(): Promise<void> {
    const { stored, receiving } = this.#upload
    try {
      await receiving.orFail(() =>
        this.#upload.access.run(async () => {
          if (!this.#upload.isIn('finishing')) return
          if (!this.#isVerified) await this.#verify()
          if (this.#inspection.isPassed) await measured(FINISHES, 'finish', () => stored.finish())
        }),
      )
    } finally {
      if (!receiving.isRunning) {
        await this.#upload.failure.clear()
        await stored.release()
      }
    }
    this.#scanning.start()
  }

  async #verify(): Promise<void> {
    await this.#upload.verification.verify()
    if (!this.#inspection.isPassed) await this.#inspection.prepare()
    this.#isVerified = true
  }

  /** No claim is held meanwhile, because nothing writes to a complete upload: chunks sent again are only compared. */
  async #scan(): Promise<void> {
    const { receiving } = this.#upload
    receiving.checkOpen()
    try {
      await receiving.orFail(() => this.#inspection.run())
    } finally {
      await this.#upload.failure.clear()
    }
    this.#finishing.start()
  }
}
