import { moved } from '../core/errors.ts'
import { claimName } from './names.ts'
import type { S3Port } from './s3-port.ts'

/**
 * Claims may be deleted 48 h after an upload has ended. A process that was stopped for so long would find no newer one.
 * Milliseconds, by the clock of S3: that of a restored machine shows no gap.
 */
const LONGEST_SILENCE = 24 * 60 * 60 * 1000

/** The term in which this process writes an upload, until a newer one begins. */
export class Term {
  readonly number: number
  readonly #port: S3Port
  readonly #next: string
  /** When S3 last answered. Milliseconds since 1970; `undefined` while the term has not begun. */
  #heard: number | undefined
  #isOver = false
  #running: Promise<void> | undefined
  #waiting: Promise<void> | undefined

  /**
   * @param folder of the unfinished upload.
   * @param heard when S3 answered that the term has begun: milliseconds since 1970, by its clock. `undefined`: it has
   * not.
   */
  constructor(port: S3Port, folder: string, number: number, heard: number | undefined) {
    this.#port = port
    this.number = number
    this.#next = `${folder}${claimName(number + 1)}`
    this.#heard = heard
  }

  /** @param date when S3 answered that the term has begun: milliseconds since 1970, by its clock. */
  begin(date: number): void {
    this.#heard ??= date
  }

  /** Whether a newer term has been found. */
  get isOver(): boolean {
    return this.#isOver
  }

  /**
   * Proves that when this was called, no newer term had begun. Checks that are asked for while one runs share the next.
   *
   * @throws UploadError `moved`; S3Error.
   */
  check(): Promise<void> {
    if (this.#running === undefined) return this.#begin()
    this.#waiting ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#waiting = undefined
        return this.#begin()
      })
    return this.#waiting
  }

  /**
   * Proves that this process has not been stopped for so long that what tells it of newer terms may be gone.
   *
   * @param date when S3 answered anything: milliseconds since 1970, by its clock.
   * @throws UploadError `moved`.
   */
  expectRecent(date: number): void {
    if (date - (this.#heard ?? date) <= LONGEST_SILENCE) return
    this.#isOver = true
    throw moved()
  }

  #begin(): Promise<void> {
    const running = this.#look().finally(() => {
      if (this.#running === running) this.#running = undefined
    })
    this.#running = running
    return running
  }

  async #look(): Promise<void> {
    if (this.#isOver) throw moved()
    const { found, date } = await this.#port.get(this.#next)
    if (found !== undefined) {
      this.#isOver = true
      throw moved()
    }
    this.expectRecent(date)
    this.#heard = Math.max(this.#heard ?? date, date)
  }
}
