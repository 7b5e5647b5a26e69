import { UploadError } from './errors.ts'
import type { Gate, ReceivedFile } from './gate.ts'
import type { StoredUpload } from './store.ts'

/**
 * The question to the gate whether a file may become visible.
 *
 * A verdict is valid only in the process that received it. After a restart the gate is asked again: between a crash and
 * the rename, bytes may be cut off and sent anew, and another gate may be set. `scan` in the record is for the operator.
 */
export class Inspection {
  readonly #stored: StoredUpload
  readonly #gate: Gate | undefined
  #isClean = false
  #path: string | undefined
  #abort = new AbortController()

  constructor(stored: StoredUpload, gate: Gate | undefined) {
    this.#stored = stored
    this.#gate = gate
  }

  /** Whether the file may become visible. */
  get isPassed(): boolean {
    return this.#gate === undefined || this.#isClean
  }

  /** Called before `run`, while nothing else works with the upload. @throws UploadError `no_space`, `storage_error`. */
  async prepare(): Promise<void> {
    this.#path = await this.#stored.seal()
  }

  /**
   * Asks the gate, and notes in the record that the file is clean.
   *
   * @throws UploadError `rejected`, which is final; `scanning` without a verdict; `no_space`, `storage_error`.
   */
  async run(): Promise<void> {
    if (this.#gate === undefined) return
    const { signal } = this.#abort
    const verdict = await this.#gate.inspect(fileOf(this.#stored, this.#path), signal).catch((error: unknown) => {
      throw error instanceof UploadError ? error : scanning(error)
    })
    signal.throwIfAborted()
    if (verdict !== 'clean') throw new UploadError('rejected', 'This file did not pass the security scan.')
    await this.#stored.update((record) => (record.scan === 'clean' ? record : { ...record, scan: 'clean' }))
    this.#isClean = true
  }

  /** Aborts a running inspection, without a verdict. */
  end(reason: Error): void {
    this.#abort.abort(reason)
    this.#abort = new AbortController()
  }
}

/** The error for a file without a verdict. @param cause for the log only. */
export function scanning(cause?: unknown): UploadError {
  return new UploadError('scanning', 'This file is still being scanned; try again in a moment.', { cause })
}

function fileOf(stored: StoredUpload, path: string | undefined): ReceivedFile {
  const { id, fileName, length, metadata, owner } = stored.record
  const end = length ?? 0
  return {
    id,
    name: fileName,
    length: end,
    declaredType: metadata['filetype'] ?? undefined,
    owner,
    path,
    read: () => stored.read({ start: 0, end }),
  }
}
