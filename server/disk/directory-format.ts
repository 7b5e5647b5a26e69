import { raiseFormat } from './data-directory.ts'
import type { Layout } from './layout.ts'

/** The number of the format of an open data directory, which only rises. */
export class DirectoryFormat {
  readonly #layout: Layout
  readonly #onRaise: () => void
  #known = 0
  #raising: Promise<void> = Promise.resolve()

  /** @param onRaise called after the number has been written. */
  constructor(layout: Layout, onRaise: () => void) {
    this.#layout = layout
    this.#onRaise = onRaise
  }

  /**
   * Returns when versions that do not read `format` refuse the data directory.
   *
   * @throws the OS error, UploadError `sync_failed`.
   */
  async raiseTo(format: number): Promise<void> {
    if (this.#known >= format) return
    // One at a time: the number must not fall.
    this.#raising = this.#raising
      .catch(() => undefined)
      .then(async () => {
        if (this.#known < format && (await raiseFormat(this.#layout, format))) this.#onRaise()
        this.#known = Math.max(this.#known, format)
      })
    await this.#raising
  }
}
