import type { BodyProgress, Source } from '../core/source.ts'

/** How often the client is told how far it is at most, in milliseconds. */
const EVERY = 1_000

/** Hands on the bytes of a body, counts them, and has the progress told now and then. */
export class ProgressSource implements Source {
  readonly #body: Source
  readonly #tell: () => void
  #toldAt = performance.now()
  /** How many bytes were handed out. */
  passed = 0

  /** @param tell called when what was handed out before has been stored. */
  constructor(body: Source, tell: () => void) {
    this.#body = body
    this.#tell = tell
  }

  get waitingSince(): number | undefined {
    return this.#body.waitingSince
  }

  progress(): BodyProgress | undefined {
    return this.#body.progress?.()
  }

  async read(): Promise<readonly Buffer[] | null> {
    const now = performance.now()
    if (this.passed > 0 && now - this.#toldAt >= EVERY) {
      this.#toldAt = now
      this.#tell()
    }
    const batch = await this.#body.read()
    for (const bytes of batch ?? []) this.passed += bytes.length
    return batch
  }

  cancel(reason: Error): void {
    this.#body.cancel(reason)
  }
}
