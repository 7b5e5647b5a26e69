import { lengthOf, type Range, type Ranges } from '../core/ranges.ts'
import type { Attempt, Count, Occupied } from '../core/store.ts'
import { PieceAttempt, type PiecesOf } from './attempt.ts'
import { cellSize, firstGathered, pieceEnd } from './cells.ts'
import { copyPieces } from './copy-pieces.ts'
import { type CoveredUpload, Covers } from './covers.ts'
import type { Environment } from './environment.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { LiveFolder } from './live-folder.ts'
import type { Piece } from './names.ts'
import { PieceMap } from './piece-map.ts'

/** What counted when an upload was opened. */
export interface OpenedPieces {
  readonly pieces: readonly Piece[]
  /** When the last byte arrived, by the clock of this host. */
  readonly changedAt: Date
}

/** What received pieces need of their upload. */
export interface ReceivingUpload {
  read(range: Range): AsyncIterable<Buffer>
  /** Bytes of this range count from now on. */
  counted(range: Range): void
}

/** The received bytes of an unfinished upload: the pieces that count, and the attempts that bring more. */
export class ReceivedPieces {
  readonly #environment: Environment
  readonly #folder: LiveFolder
  readonly #life: Lifecycle
  readonly #upload: ReceivingUpload
  readonly #covers: Covers
  readonly #attempts = new Set<PieceAttempt>()
  #pieces: PieceMap
  #changedAt: Date | undefined

  /** @param opened `undefined` for a finished upload, which has none. */
  constructor(
    environment: Environment,
    folder: LiveFolder,
    life: Lifecycle,
    opened: OpenedPieces | undefined,
    upload: ReceivingUpload,
  ) {
    this.#environment = environment
    this.#folder = folder
    this.#life = life
    this.#upload = upload
    this.#pieces = new PieceMap(opened?.pieces ?? [])
    this.#changedAt = opened?.changedAt
    this.#covers = new Covers(environment, this.#covered())
  }

  get ranges(): Ranges {
    return this.#pieces.received
  }

  /** When the last byte arrived, by the clock of this host. */
  get changedAt(): Date | undefined {
    return this.#changedAt
  }

  /** Bytes. */
  get cellSize(): number {
    const { copied, usual } = this.#environment.cells
    return this.#life.state.source === undefined ? (this.#knownCellSize() ?? usual) : copied
  }

  /** The pieces, and the bytes that arrive. */
  get occupied(): Occupied {
    const stored = this.#pieces.all.reduce((sum, piece) => sum + lengthOf(piece), 0)
    const arriving = [...this.#attempts].reduce((sum, attempt) => sum + attempt.size, 0)
    return { bytes: stored + arriving, files: this.#pieces.all.length }
  }

  /**
   * Where a piece from `position` on ends at most.
   *
   * @param chunk the range of a chunk; without it, the bytes are a stream.
   */
  pieceEnd(position: number, chunk?: Range): number {
    return pieceEnd(position, this.#knownCellSize(), chunk, this.#environment.cells)
  }

  begin(range: Range, count: Count): Attempt {
    const attempt = new PieceAttempt(this.#environment, this.#piecesOf(), range, count)
    this.#attempts.add(attempt)
    return attempt
  }

  /** The piece with the byte at `position`. */
  at(position: number): Piece | undefined {
    return this.#pieces.at(position)
  }

  /** A piece that has all bytes of `range`, which have been received. @throws UploadError, S3Error. */
  with(range: Range): Promise<Piece> {
    return this.#covers.pieceWith(range)
  }

  /** Copies all bytes of a part, which count from `position` on. @throws UploadError like `Lifecycle.sure`. */
  async absorb(part: ReceivedPieces, position: number): Promise<void> {
    await this.#life.sure(async () => {
      await this.#life.ensureCreated()
      const to = { folder: this.#folder, term: this.#life.term.number, position }
      await this.#count(await copyPieces(this.#environment, part.#folder, await part.#tiles(), to))
    })
  }

  /** The time of the last byte is now. */
  touch(): void {
    this.#changedAt = new Date(this.#environment.clock.now())
  }

  /** Deletes their objects; their ranges stay received. @throws S3Error. */
  async remove(): Promise<void> {
    await this.#folder.remove(this.#pieces.all)
  }

  /** Forgets them once the file has their bytes. */
  async end(): Promise<void> {
    this.#pieces = new PieceMap([])
    await this.close()
  }

  async close(): Promise<void> {
    await this.#covers.close()
  }

  /** The upload of which the attempts are. */
  #piecesOf(): PiecesOf {
    return {
      term: this.#life.term.number,
      cellEnd: (position, range) => this.pieceEnd(position, range),
      cut: (position, count) => {
        const { cells } = this.#environment
        const isOpen = position === 0 && this.#knownCellSize() === undefined && this.#pieces.all.length === 0
        // More than one request of a usual size: it is a long one.
        return isOpen && count >= firstGathered(cells) ? cells.usual : count
      },
      put: (piece, bytes) =>
        this.#life.sure(async () => {
          await this.#life.ensureCreated()
          await this.#folder.put(piece.name, bytes)
          this.#covers.keep(piece, bytes)
        }),
      count: (pieces) => this.#life.sure(() => this.#count(pieces)),
      drop: (pieces) => {
        this.#covers.forget(pieces)
        this.#folder.removeLater(pieces)
      },
      over: (attempt) => this.#attempts.delete(attempt),
    }
  }

  /** What covers are made of. */
  #covered(): CoveredUpload {
    const received = this
    return {
      folder: this.#folder,
      term: this.#life.term,
      get pieces() {
        return received.#pieces
      },
      get cellSize() {
        return received.cellSize
      },
      read: (range) => this.#upload.read(range),
      check: () => this.#life.check(),
    }
  }

  #knownCellSize(): number | undefined {
    return cellSize(this.#life.state.record, this.#pieces.first, this.#environment.cells)
  }

  /** Makes stored pieces count. @throws UploadError `moved`, S3Error. */
  async #count(pieces: readonly Piece[]): Promise<void> {
    await this.#life.checkWritten()
    this.#pieces.add(pieces)
    this.touch()
    for (const piece of pieces) this.#upload.counted(piece)
    for (const piece of pieces) this.#covers.mergeAround(piece)
  }

  /** Pieces that have all bytes, each of them once. */
  async #tiles(): Promise<readonly Piece[]> {
    const tiles: Piece[] = []
    let end = 0
    for (let piece = this.#pieces.at(0); piece !== undefined; piece = this.#pieces.at(end)) {
      tiles.push(piece.start === end ? piece : await this.with({ start: end, end: piece.end }))
      end = piece.end
    }
    return tiles
  }
}
