import { type Algorithm, expectedDigest, RunningDigest } from './digest.ts'
import { UploadError } from './errors.ts'
import type { StoredUpload } from './store.ts'

/** The digests of a whole file: the one that its client announced, and those that are requested later. */
export class FileDigests {
  readonly #stored: StoredUpload
  /** Computed while bytes arrive, if the client announced a digest. */
  #running: RunningDigest | undefined
  /** Digests that are being computed for requests. */
  readonly #computing = new Map<Algorithm, Promise<Buffer>>()
  #abort = new AbortController()

  constructor(stored: StoredUpload) {
    this.#stored = stored
    // A part itself has no digest: it never becomes a file.
    const expected = stored.record.partial ? undefined : expectedDigest(stored.record.metadata)
    this.#running = expected === undefined ? undefined : new RunningDigest(expected.algorithm)
  }

  get busy(): boolean {
    return this.#computing.size > 0
  }

  /** Adds bytes that will count, unless `restart` is called. */
  pass(position: number, buffers: readonly Buffer[]): void {
    this.#running?.pass(position, buffers)
  }

  /** Bytes that have passed may not count: the digest begins again. */
  restart(): void {
    if (this.#running !== undefined) this.#running = new RunningDigest(this.#running.algorithm)
  }

  /**
   * Compares the completely received file with the digest that its client announced, if any.
   *
   * @throws UploadError `digest_mismatch`; `storage_error` if the bytes cannot be read; the reason of `end`.
   */
  async verify(): Promise<void> {
    const { length, metadata, digests } = this.#stored.record
    const expected = expectedDigest(metadata)
    if (expected === undefined || this.#running === undefined || length === null) return
    if (digests?.[expected.algorithm] !== undefined) return
    const digest = await this.#complete(this.#running, length)
    if (!digest.equals(expected.value)) {
      const message = `The received file does not have the announced ${expected.algorithm}.`
      throw new UploadError('digest_mismatch', message)
    }
    await this.#keep(expected.algorithm, digest)
  }

  /**
   * The digest of the finished file, computed once and kept.
   *
   * @throws UploadError `storage_error`, the reason of `end`.
   */
  of(algorithm: Algorithm): Promise<Buffer> {
    const known = this.#stored.record.digests?.[algorithm]
    if (known !== undefined) return Promise.resolve(Buffer.from(known, 'base64'))
    const running = this.#computing.get(algorithm)
    if (running !== undefined) return running
    const computed = this.#compute(algorithm).finally(() => this.#computing.delete(algorithm))
    this.#computing.set(algorithm, computed)
    return computed
  }

  /** Aborts running computations, and waits for those of requests. A verification ends soon afterwards. */
  async end(reason: Error): Promise<void> {
    this.#abort.abort(reason)
    this.#abort = new AbortController()
    await Promise.allSettled(this.#computing.values())
  }

  async #compute(algorithm: Algorithm): Promise<Buffer> {
    const digest = await this.#complete(new RunningDigest(algorithm), this.#stored.record.length ?? 0)
    await this.#keep(algorithm, digest)
    return digest
  }

  #complete(digest: RunningDigest, length: number): Promise<Buffer> {
    const { signal } = this.#abort
    return digest.complete(length, (range) => untilAborted(signal, this.#stored.read(range)))
  }

  async #keep(algorithm: Algorithm, digest: Buffer): Promise<void> {
    const known = { [algorithm]: digest.toString('base64') }
    await this.#stored.update((record) => ({ ...record, digests: { ...record.digests, ...known } }))
  }
}

async function* untilAborted(signal: AbortSignal, bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const buffer of bytes) {
    signal.throwIfAborted()
    yield buffer
  }
}
