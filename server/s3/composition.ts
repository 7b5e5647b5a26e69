import type { Range } from '../core/ranges.ts'
import { cellEnd, cellsOf } from './cells.ts'
import type { Environment } from './environment.ts'
import { S3Error } from './s3-error.ts'
import type { Answered, ObjectOptions } from './s3-port.ts'

/** What a composition needs of its upload. */
export interface Composed {
  readonly id: string
  /** Bytes; `null` while it is unknown. */
  readonly length: number | null
  readonly key: string
  readonly options: ObjectOptions
  /** The size of the cells, in bytes. */
  readonly cellSize: number
  /** Whether every byte of `range` has been received. */
  has(range: Range): boolean
  /**
   * An object that has all bytes of `range`; they are stored once more if there is none.
   *
   * @returns also where its first byte belongs.
   * @throws UploadError, S3Error.
   */
  objectWith(range: Range): Promise<{ readonly key: string; readonly start: number }>
  /** Keeps the id of the multipart upload, so it can be aborted after a crash. @throws UploadError. */
  noteMultipart(uploadId: string): Promise<void>
}

/** A multipart upload that collects the cells of a file. */
interface Multipart {
  readonly uploadId: string
  readonly cellSize: number
  /** By the number of the part. */
  readonly etags: Map<number, string>
}

/**
 * Makes the file of an upload: its cells are copied within S3 while further ones arrive. Nothing depends on it: what is
 * lost is copied again, from pieces that stay until the file is there.
 */
export class Composition {
  readonly #environment: Environment
  readonly #upload: Composed
  #multipart: Promise<Multipart> | undefined
  /** The multipart upload of an earlier term. */
  #abandoned: string | undefined
  /** The beginnings of cells that are there, and not copied. */
  readonly #due = new Set<number>()
  readonly #running = new Set<Promise<void>>()
  /** The size of the cells of `#due`. */
  #cellSize = 0
  #isOver = false

  constructor(environment: Environment, upload: Composed, abandoned: string | undefined) {
    this.#environment = environment
    this.#upload = upload
    this.#abandoned = abandoned
  }

  /** Looks for cells that are there since `range` has been received, and copies them in the background. */
  look(range: Range): void {
    if (this.#isOver) return
    this.#useCells()
    for (
      let start = cellEnd(range.start, this.#cellSize) - this.#cellSize;
      start < range.end;
      start += this.#cellSize
    ) {
      const end = Math.min(start + this.#cellSize, this.#upload.length ?? Number.POSITIVE_INFINITY)
      if (this.#upload.has({ start, end })) this.#due.add(start)
    }
    const { length } = this.#upload
    const isLarge = length === null ? this.#due.size > 1 : length > this.#cellSize
    if (isLarge || this.#multipart !== undefined) this.#pump()
  }

  /**
   * Makes the file of a wholly received upload.
   *
   * @returns when S3 had it.
   * @throws UploadError, S3Error. It may be called again then.
   */
  async complete(): Promise<Answered> {
    const { port } = this.#environment
    const { key, options, length } = this.#upload
    this.#useCells()
    const cells = cellsOf(length ?? 0, this.#cellSize)
    const [first, second] = cells
    if (first === undefined) await port.put(key, Buffer.alloc(0), options)
    else if (second === undefined) {
      await port.copy((await this.#upload.objectWith(first)).key, key, options)
    } else await this.#completeMultipart(cells)
    const { date, isThere } = await this.#look()
    if (!isThere) throw new S3Error('unknown', `S3 has not composed ${key}.`)
    return { date }
  }

  /** Ends copying, and waits until it has. */
  async end(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#running)
  }

  /** Removes what has been copied. Call it after `end`. */
  async abort(): Promise<void> {
    const current = await this.#multipart?.catch(() => undefined)
    const ids = [this.#abandoned, current?.uploadId].filter((id) => id !== undefined)
    await Promise.all(ids.map((id) => this.#environment.port.abort(this.#upload.key, id).catch(() => undefined)))
  }

  /** The size of the cells may turn out to be another one: then copying begins again. */
  #useCells(): void {
    const { cellSize } = this.#upload
    if (this.#cellSize === cellSize) return
    this.#cellSize = cellSize
    this.#due.clear()
    this.#giveUp()
  }

  #giveUp(): void {
    const multipart = this.#multipart
    this.#multipart = undefined
    multipart?.then(({ uploadId }) => this.#environment.port.abort(this.#upload.key, uploadId)).catch(() => undefined)
  }

  #pump(): void {
    for (const start of this.#due) {
      if (this.#isOver || this.#running.size >= this.#environment.parallel) return
      this.#due.delete(start)
      const end = Math.min(start + this.#cellSize, this.#upload.length ?? Number.POSITIVE_INFINITY)
      const copying = this.#copy({ start, end }, this.#cellSize).then(
        () => {
          this.#running.delete(copying)
          this.#pump()
        },
        // The end of the upload tries again, and reports the error.
        () => {
          this.#running.delete(copying)
        },
      )
      this.#running.add(copying)
    }
  }

  async #copy(cell: Range, cellSize: number): Promise<void> {
    const multipart = await this.#begun()
    const number = cell.start / cellSize + 1
    // Other cells, or copied already.
    if (multipart.cellSize !== cellSize || multipart.etags.has(number)) return
    const { key: from, start } = await this.#upload.objectWith(cell)
    const range = { start: cell.start - start, end: cell.end - start }
    const { key } = this.#upload
    const etag = await this.#environment.port.copyPart({ key, uploadId: multipart.uploadId, number, from, range })
    multipart.etags.set(number, etag)
  }

  #begun(): Promise<Multipart> {
    if (this.#multipart !== undefined) return this.#multipart
    const begun = this.#begin(this.#cellSize)
    this.#multipart = begun
    begun.catch(() => {
      if (this.#multipart === begun) this.#multipart = undefined
    })
    return begun
  }

  async #begin(cellSize: number): Promise<Multipart> {
    const { port } = this.#environment
    const { key, options } = this.#upload
    if (this.#abandoned !== undefined) await port.abort(key, this.#abandoned)
    const uploadId = await port.createMultipart(key, options)
    try {
      await this.#upload.noteMultipart(uploadId)
    } catch (error) {
      // No later term may know it.
      port.abort(key, uploadId).catch(() => undefined)
      throw error
    }
    this.#abandoned = undefined
    return { uploadId, cellSize, etags: new Map() }
  }

  async #completeMultipart(cells: readonly Range[]): Promise<void> {
    try {
      await this.#copyAll(cells)
    } catch (error) {
      // Engines remove multipart uploads that are open for days. A late try of a copy may replace a part.
      if (!isAbsent(error) && !isOtherPart(error)) throw error
      this.#giveUp()
      await this.#copyAll(cells)
    }
  }

  async #copyAll(cells: readonly Range[]): Promise<void> {
    const { port, parallel } = this.#environment
    await Promise.all(this.#running)
    const multipart = await this.#begun()
    const left = cells.values()
    const copyNext = async (): Promise<void> => {
      for (const cell of left) await this.#copy(cell, multipart.cellSize)
    }
    const copies = await Promise.allSettled(Array.from({ length: parallel }, copyNext))
    const failed = copies.find((copy) => copy.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    const etags = cells.map((_, i) => multipart.etags.get(i + 1) ?? '')
    await port.complete(this.#upload.key, multipart.uploadId, etags).catch(async (error: unknown) => {
      // An earlier try may have completed it.
      if (!isAbsent(error) || !(await this.#look()).isThere) throw error
    })
  }

  /** Whether the file is there. */
  async #look(): Promise<Answered & { readonly isThere: boolean }> {
    const { id, key, length } = this.#upload
    const { date, found } = await this.#environment.port.head(key)
    return { date, isThere: found !== undefined && found.size === length && found.metadata['landfall-id'] === id }
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof S3Error && error.outcome === 'absent'
}

function isOtherPart(error: unknown): boolean {
  return error instanceof S3Error && error.code === 'InvalidPart'
}
