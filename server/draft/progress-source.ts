import type { BodyProgress, Source } from '../core/source.ts'

/** Minimum interval between reports, in milliseconds. */
const REPORT_INTERVAL = 1_000

/** Passes the bytes of a body through, counts them, and periodically reports progress. */
export class ProgressSource implements Source {
  readonly #body: Source
  readonly #report: () => void
  #reportedAt = performance.now()
  /** Bytes read so far. */
  readBytes = 0

  /** @param report called when all bytes read before are stored. */
  constructor(body: Source, report: () => void) {
    this.#body = body
    this.#report = report
  }

  get waitingSince(): number | undefined {
    return this.#body.waitingSince
  }

  progress(): BodyProgress | undefined {
    return this.#body.progress?.()
  }

  async read(): Promise<readonly Buffer[] | null> {
    const now = performance.now()
    if (this.readBytes > 0 && now - this.#reportedAt >= REPORT_INTERVAL) {
      this.#reportedAt = now
      this.#report()
    }
    const batch = await this.#body.read()
    for (const bytes of batch ?? []) this.readBytes += bytes.length
    return batch
  }

  cancel(reason: Error): void {
    this.#body.cancel(reason)
  }
}
