import { UploadError } from './errors.ts'
import type { ExclusiveAccess } from './exclusive-access.ts'
import type { Landing } from './landing.ts'
import type { Destination } from './put.ts'
import { prefix } from './ranges.ts'
import type { Receiving } from './receiving.ts'
import type { UploadRecord } from './record.ts'

/** The length of an upload: set once, by its client or by its end, and never changed. */
export class UploadLength {
  readonly #upload: Pick<Destination, 'stored' | 'check'>
  readonly #receiving: Receiving
  readonly #access: ExclusiveAccess
  readonly #landing: Landing

  constructor(
    upload: Pick<Destination, 'stored' | 'check'>,
    receiving: Receiving,
    access: ExclusiveAccess,
    landing: Landing,
  ) {
    this.#upload = upload
    this.#receiving = receiving
    this.#access = access
    this.#landing = landing
  }

  /**
   * Announces that the upload ends before byte `end`, which is its length from now on.
   *
   * @throws UploadError `wrong_length` if it has another length, or not exactly these bytes.
   */
  async announceEnd(end: number): Promise<void> {
    if (this.#record.length === end && !this.#record.endAwaited) return
    await this.#access.run(async () => {
      this.#upload.check()
      const { length } = this.#record
      if ((length ?? end) !== end || prefix(this.#upload.stored.received) !== end) {
        throw new UploadError('wrong_length', `The upload was ended at byte ${end}, which is not its end.`)
      }
      await this.#upload.stored.update(({ endAwaited, ...record }) => ({ ...record, length: end }))
    })
    this.#landing.start()
  }

  /**
   * Sets the length of the file, in bytes.
   *
   * @throws UploadError `length_known` if another length was set before, `wrong_length` if more bytes are there.
   */
  async set(length: number): Promise<void> {
    if (this.#record.length === length) return
    await this.#receiving.endStream()
    await this.#access.run(async () => {
      this.#upload.check()
      if (this.#record.length === length) return
      if (this.#record.length !== null) {
        throw new UploadError('length_known', `The length of this upload is already ${this.#record.length} bytes.`)
      }
      if ((this.#upload.stored.received.at(-1)?.end ?? 0) > length) {
        throw new UploadError('wrong_length', 'More bytes than this length have already been received.')
      }
      await this.#upload.stored.update((record) => ({ ...record, length }))
    })
    this.#landing.start()
  }

  get #record(): UploadRecord {
    return this.#upload.stored.record
  }
}
