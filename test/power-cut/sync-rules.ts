import path from 'node:path'
import { add, covers, type Range } from '../../server/core/ranges.ts'
import type { Layout } from '../../server/disk/layout.ts'
import type { Change, History, Move, Node, Span } from './history.ts'

/** A file at a moment, with the changes of names that put it and its directories there, the innermost last. */
interface Found {
  readonly node: Node
  readonly moves: readonly Move[]
}

/** The syncs that a response must wait for: finds violations in a history of system calls. */
export class SyncRules {
  readonly #history: History
  readonly #layout: Layout
  /** The parent of the data directory, where the history begins. */
  readonly #outside: string
  /** The folder of all finished files. */
  readonly #folder: string | undefined

  constructor(history: History, layout: Layout, folder: string | undefined) {
    this.#history = history
    this.#layout = layout
    this.#folder = folder
    this.#outside = path.dirname(layout.root)
  }

  /** Checks that a file may be reported as finished at line `at`: data, record, rename, directories, in this order. */
  finished(id: string, name: string, at: number): string[] {
    const file = this.#find(path.join(this.#layout.finishedFolder(id, this.#folder), name), at)
    const record = this.#find(this.#layout.record(id), at)
    const rename = file?.moves.at(-1)
    if (file === undefined || record === undefined || rename === undefined)
      return ['the file or its record is not there']
    const broken: string[] = []
    if (dataSyncedAt(file.node, rename.begin) > rename.begin) broken.push('the data was not synced before the rename')
    if (dataSyncedAt(record.node, rename.begin) > rename.begin)
      broken.push('the record was not synced before the rename')
    return [...broken, ...this.#names({ file, record }, at)]
  }

  /** With SYNC=always: checks that an upload may be reported as created at line `at`. */
  created(id: string, at: number): string[] {
    const file = this.#find(this.#layout.incomingFile(id), at)
    const record = this.#find(this.#layout.record(id), at)
    if (file === undefined || record === undefined) return ['the file or its record is not there']
    const broken = dataSyncedAt(record.node, at) > at ? ['the record was not synced before the answer'] : []
    return [...broken, ...this.#names({ file, record }, at)]
  }

  /** With SYNC=always: checks that a range of an unfinished upload may be reported as received at line `at`. */
  received(id: string, range: Range, at: number): string[] {
    const file = this.#find(this.#layout.incomingFile(id), at)
    const journal = this.#find(this.#layout.journal(id), at)
    if (file === undefined || journal === undefined) return ['the file or its journal is not there']
    const broken = this.created(id, at)
    const synced = file.node.changes.filter((change) => syncedAt(change, file.node) < at)
    if (!covers(synced.reduce(withBytes, []), range)) broken.push('the data was not synced before the answer')
    if (dataSyncedAt(journal.node, at) > at) broken.push('the journal was not synced before the answer')
    for (const entry of journal.node.changes.filter(({ end }) => end < at)) {
      if (dataSyncedAt(file.node, entry.begin) > entry.begin)
        broken.push('the journal was written before the data was synced')
    }
    return [...broken, ...this.#names({ journal }, at)]
  }

  /**
   * Checks that an upload may be reported as gone at line `at`.
   *
   * @param durable whether a power cut must not restore it.
   */
  removed(id: string, name: string, at: number, durable: boolean): string[] {
    const places = [
      this.#layout.incomingFile(id),
      path.join(this.#layout.finishedFolder(id, this.#folder), name),
      this.#layout.record(id),
    ]
    const unlinks = places.flatMap((place) => this.#movesOf(place, at).filter(({ set }) => set === undefined))
    const tombstone = this.#movesOf(path.join(this.#layout.leaving, id), at)[0]
    const away = this.#movesOf(path.join(this.#layout.gone, id), at)[0]
    if (tombstone === undefined || away === undefined || unlinks.length === 0) return ['it is not removed']
    const said = durable ? moveSyncedAt(tombstone) : tombstone.end
    const broken: string[] = []
    if (unlinks.some(({ begin }) => begin < said)) broken.push('something was unlinked before the tombstone was there')
    if (durable && unlinks.some((unlink) => this.#goneAt(unlink) > away.begin)) {
      broken.push('the tombstone was put away before the removal was synced')
    }
    return broken
  }

  #names(found: Readonly<Record<string, Found>>, at: number): string[] {
    return Object.entries(found).flatMap(([what, { moves }]) =>
      moves.some((move) => moveSyncedAt(move) > at)
        ? [`the folders of the ${what} were not synced before the answer`]
        : [],
    )
  }

  #find(file: string, at: number): Found | undefined {
    const moves: Move[] = []
    let node: Node = this.#history.root
    for (const name of path.relative(this.#outside, file).split(path.sep)) {
      const last = movesIn(node, name, at).at(-1)
      if (last?.set?.folder !== node || last.set.name !== name) return undefined
      moves.push(last)
      node = last.set.node
    }
    return { node, moves }
  }

  /** All changes of a name, whatever happened to its directory. */
  #movesOf(file: string, at: number): readonly Move[] {
    return this.#history.moves.filter(
      (move) =>
        move.end < at &&
        move.unset.some(({ folder, name }) => name === path.basename(file) && this.#isAt(folder, file)),
    )
  }

  /** The line from which an unlinked file cannot reappear: by itself, or with its directory. */
  #goneAt(unlink: Move): number {
    const folders = this.#history.moves.filter(({ inside }) => inside.includes(unlink))
    return Math.min(moveSyncedAt(unlink), ...folders.map(moveSyncedAt))
  }

  #isAt(folder: Node, file: string): boolean {
    const names = path.relative(this.#outside, path.dirname(file)).split(path.sep).reverse()
    let node: Node | undefined = folder
    for (const name of names) {
      if (node?.origin?.set?.name !== name) return false
      node = node.origin.set.folder
    }
    return node === this.#history.root
  }
}

function movesIn(folder: Node, name: string, at: number): readonly Move[] {
  return folder.moves.filter(
    (move) => move.end < at && move.unset.some((place) => place.folder === folder && place.name === name),
  )
}

/** The line at which the change was certainly on disk; `Infinity` if it was not. */
function syncedAt(change: Span, { syncs }: Node): number {
  return Math.min(...syncs.filter(({ begin }) => begin > change.end).map(({ end }) => end), Number.POSITIVE_INFINITY)
}

/** The line at which all changes to a file before line `before` were on disk. */
function dataSyncedAt(node: Node, before: number): number {
  return Math.max(0, ...node.changes.filter(({ begin }) => begin < before).map((change) => syncedAt(change, node)))
}

function moveSyncedAt(move: Move): number {
  return Math.max(...move.folders.map((folder) => syncedAt(move, folder)))
}

function withBytes(ranges: readonly Range[], change: Change): readonly Range[] {
  if (change.kind === 'truncate') return ranges
  return add(ranges, { start: change.position, end: change.position + change.bytes.length })
}
