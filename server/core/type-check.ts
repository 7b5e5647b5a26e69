import { UploadError } from './errors.ts'
import type { TypeRule } from './gate.ts'
import { prefix } from './ranges.ts'
import type { UploadRecord } from './record.ts'
import type { StoredUpload } from './store.ts'

/** Whether the content of an upload must be of the type that its extension names. */
export function needsTypeCheck({ partial, typed }: UploadRecord, { isOpen }: TypeRule): boolean {
  // A part has no name; its final upload has.
  return !partial && (typed === true || !isOpen)
}

/** Compares the first bytes of an upload with the type that its extension names, as soon as they have arrived. */
export class TypeCheck {
  readonly #stored: StoredUpload
  readonly #rule: TypeRule | undefined
  #running: Promise<void> | undefined
  #isPassed = false
  #refusal: UploadError | undefined

  constructor(stored: StoredUpload, rule: TypeRule | undefined) {
    this.#stored = stored
    this.#rule = rule !== undefined && needsTypeCheck(stored.record, rule) ? rule : undefined
  }

  /** Whether enough bytes are there, and no check has begun. */
  get isDue(): boolean {
    const isOver = this.#isPassed || this.#refusal !== undefined
    if (this.#rule === undefined || isOver || this.#running !== undefined) return false
    const received = prefix(this.#stored.received)
    return received >= this.#rule.startLength || received === this.#stored.record.length
  }

  /** Waits for a check that has begun. @throws UploadError like `pass`. */
  async begun(): Promise<void> {
    if (this.#refusal !== undefined) throw this.#refusal
    await this.#running
  }

  /** @throws UploadError `type_not_allowed`, which is final; `storage_error`. */
  async pass(): Promise<void> {
    if (this.#rule === undefined || this.#isPassed) return
    this.#running ??= this.#check(this.#rule).finally(() => {
      this.#running = undefined
    })
    await this.#running
  }

  async #check(rule: TypeRule): Promise<void> {
    const { record, received } = this.#stored
    const bytes: Buffer[] = []
    for await (const buffer of this.#stored.read({ start: 0, end: Math.min(prefix(received), rule.startLength) })) {
      bytes.push(Buffer.from(buffer))
    }
    await rule.checkStart(record.fileName, Buffer.concat(bytes)).catch((error: unknown) => {
      if (error instanceof UploadError) this.#refusal = error
      throw error
    })
    this.#isPassed = true
  }
}
