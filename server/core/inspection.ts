import type { Answer } from './answer.ts'
import type { Decisions, UploadFacts } from './decisions.ts'
import { UploadError } from './errors.ts'
import type { Gate, ReceivedFile } from './gate.ts'
import { prefix } from './ranges.ts'
import type { StoredUpload } from './store.ts'

/**
 * The questions whether a file may become visible: first to the gate, then to the application.
 *
 * A verdict is valid only in the process that received it. After a restart both are asked again: between a crash and
 * the rename, bytes may be cut off and sent again, and another gate may be set. `scan` in the record is for operators.
 */
export class Inspection {
  readonly #stored: StoredUpload
  readonly #gate: Gate | undefined
  readonly #decisions: Decisions
  #isClean: boolean
  #isAccepted: boolean
  #path: string | undefined
  #abort = new AbortController()

  constructor(stored: StoredUpload, gate: Gate | undefined, decisions: Decisions) {
    this.#stored = stored
    this.#gate = gate
    this.#decisions = decisions
    this.#isClean = gate === undefined
    this.#isAccepted = decisions.beforeFinish === undefined
  }

  /** Whether the file may become visible. */
  get isPassed(): boolean {
    return this.#stored.record.released === true || (this.#isClean && this.#isAccepted)
  }

  /** Called before `run`, while nothing else works with the upload. @throws UploadError `no_space`, `storage_error`. */
  async prepare(): Promise<void> {
    this.#path = await this.#stored.seal()
  }

  /**
   * Asks the gate and the application, and notes what they say in the record.
   *
   * @throws UploadError `rejected`, which is final; `scanning` without a verdict; `no_space`, `storage_error`.
   */
  async run(): Promise<void> {
    const { signal } = this.#abort
    if (!this.#isClean) await this.#askGate(signal)
    if (!this.#isAccepted) await this.#askApplication(signal)
  }

  /** Aborts a running inspection, without a verdict. */
  end(reason: Error): void {
    this.#abort.abort(reason)
    this.#abort = new AbortController()
  }

  async #askGate(signal: AbortSignal): Promise<void> {
    const file = fileOf(this.#stored, this.#path)
    const verdict = await withoutVerdict(async () => this.#gate?.inspect(file, signal))
    signal.throwIfAborted()
    if (verdict !== 'clean') throw new UploadError('rejected', 'This file did not pass the security scan.')
    await this.#stored.update((record) => (record.scan === 'clean' ? record : { ...record, scan: 'clean' }))
    this.#isClean = true
  }

  async #askApplication(signal: AbortSignal): Promise<void> {
    const { record, received } = this.#stored
    const upload = { record, offset: prefix(received), path: this.#path }
    const answer = await withoutVerdict(() => answerOf(this.#decisions, upload, signal))
    if (answer !== undefined || record.answer !== undefined) {
      await this.#stored.update((record) => ({ ...record, answer }))
    }
    this.#isAccepted = true
  }
}

/**
 * Asks the application whether a file may become visible.
 *
 * @returns `undefined` if it has nothing to say.
 * @throws Refusal, the reason of the signal, and the error of the application.
 */
export async function answerOf(
  { beforeFinish }: Decisions,
  upload: UploadFacts,
  signal: AbortSignal,
): Promise<Answer | undefined> {
  const answer = await unlessAborted(signal, async () => beforeFinish?.(upload, signal))
  signal.throwIfAborted()
  return isEmpty(answer) ? undefined : answer
}

/** @throws UploadError `scanning` if there is no verdict. */
async function withoutVerdict<T>(ask: () => Promise<T>): Promise<T> {
  return ask().catch((error: unknown) => {
    throw error instanceof UploadError ? error : scanning(error)
  })
}

/** The application may ignore the signal: nothing waits for it then. @throws the reason of the signal. */
async function unlessAborted<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  let abort = (): void => undefined
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason)
  })
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([ask(), aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function isEmpty(answer: Answer | undefined): boolean {
  return answer === undefined || Object.values(answer).every((part) => part === undefined)
}

/** The error for a file without a verdict. @param cause for the log only. */
export function scanning(cause?: unknown): UploadError {
  return new UploadError('scanning', 'This file is still being checked; try again in a moment.', { cause })
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
