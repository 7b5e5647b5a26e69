import { createHash, type Hash } from 'node:crypto'
import type { Algorithm } from '../core/digest.ts'
import { UploadError } from '../core/errors.ts'
import type { BodyProgress, Source } from '../core/source.ts'

/** Expected digests of a body, by algorithm. */
export type Digests = ReadonlyMap<Algorithm, Buffer>

/** Passes the bytes of a body through, and fails at its end unless they match the digests of the client. */
export class VerifiedSource implements Source {
  readonly #body: Source
  readonly #hashes: ReadonlyMap<Algorithm, Hash>
  readonly #expected: () => Digests

  /**
   * @param algorithms all algorithms that `expected` may return.
   * @param expected called at the end of the body, because a trailer may contain the digest.
   */
  constructor(body: Source, algorithms: readonly Algorithm[], expected: () => Digests) {
    this.#body = body
    this.#hashes = new Map(algorithms.map((algorithm) => [algorithm, createHash(algorithm)]))
    this.#expected = expected
  }

  get waitingSince(): number | undefined {
    return this.#body.waitingSince
  }

  progress(): BodyProgress | undefined {
    return this.#body.progress?.()
  }

  async read(): Promise<readonly Buffer[] | null> {
    const batch = await this.#body.read()
    if (batch === null) this.#verify()
    else for (const hash of this.#hashes.values()) for (const bytes of batch) hash.update(bytes)
    return batch
  }

  cancel(reason: Error): void {
    this.#body.cancel(reason)
  }

  /** @throws UploadError `checksum_mismatch`. */
  #verify(): void {
    for (const [algorithm, value] of this.#expected()) {
      if (this.#hashes.get(algorithm)?.digest().equals(value)) continue
      throw new UploadError('checksum_mismatch', `The body does not match its ${algorithm} digest.`)
    }
  }
}
