import { FileDigests } from './file-digests.ts'
import { fingerprintOf } from './fingerprint.ts'
import type { Checks } from './gate.ts'
import type { StoredUpload } from './store.ts'
import { TypeCheck } from './type-check.ts'

/** What the bytes of a file must be: of the type that its extension names, and those that its client announced. */
export class Verification {
  readonly type: TypeCheck
  readonly digests: FileDigests
  readonly #stored: StoredUpload
  readonly #hasFingerprint: boolean

  constructor(stored: StoredUpload, { types, fingerprints }: Checks) {
    this.type = new TypeCheck(stored, types)
    this.digests = new FileDigests(stored)
    this.#stored = stored
    this.#hasFingerprint = fingerprints === true
  }

  /**
   * Checks the complete file, except by the gate, and keeps its fingerprint.
   *
   * @throws UploadError the reason why it fails, `storage_error`.
   */
  async verify(): Promise<void> {
    await this.type.pass()
    await this.digests.verify()
    if (this.#hasFingerprint && this.#stored.record.fingerprint === undefined) await this.#keepFingerprint()
  }

  async #keepFingerprint(): Promise<void> {
    const fingerprint = await fingerprintOf(this.#stored.record.length ?? 0, (range) => this.#stored.read(range))
    await this.#stored.update((record) => ({ ...record, fingerprint }))
  }
}
