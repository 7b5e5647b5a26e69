import path from 'node:path'
import type { Line, Operation } from './recorder-log.ts'

/** The first and last line in a recording; `Infinity` if the end was not seen. */
export interface Span {
  readonly begin: number
  readonly end: number
}

export type Change = Span &
  (
    | { readonly kind: 'write'; readonly position: number; readonly bytes: Buffer }
    | { readonly kind: 'truncate'; readonly length: number }
  )

/** A file or directory, whatever its current name. */
export interface Node {
  readonly isFolder: boolean
  /** The changes to the bytes of a file, in order. */
  readonly changes: Change[]
  readonly syncs: Span[]
  /** Of a directory: its entries, as long as the host kept running. */
  readonly names: Map<string, Node>
  /** Of a directory: the changes to its names, in order. */
  readonly moves: Move[]
  /** The change that created it; none created the data directory itself. */
  origin: Move | undefined
}

/** An atomic change of names. */
export interface Move extends Span {
  /** The directories that must be synced before it is certainly on disk. */
  readonly folders: readonly Node[]
  /** It cannot be on disk without these. */
  readonly needs: readonly Move[]
  /** Of a removed directory: the earlier changes in it. When it is certainly removed, so are they. */
  readonly inside: readonly Move[]
  readonly unset: readonly { readonly folder: Node; readonly name: string }[]
  readonly set: { readonly folder: Node; readonly name: string; readonly node: Node } | undefined
}

export interface History {
  readonly root: Node
  /** All changes of names, in order. */
  readonly moves: readonly Move[]
  /** Lines at which everything was written to disk. */
  readonly reboots: readonly number[]
}

/** Reconstructs the changes to each file from a recording, whatever its names. @param root the data directory. */
export function historyOf(lines: readonly Line[], root: string): History {
  const history = new Historian(root)
  const reboots: number[] = []
  const begun = new Map<string, { operation: Operation; begin: number }>()
  for (const [i, line] of lines.entries()) {
    if (line.at === 'reboot') reboots.push(i)
    if (line.at === 'begin') begun.set(line.id, { operation: line, begin: i })
    if (line.at !== 'end' && line.at !== 'failed') continue
    const known = begun.get(line.id)
    begun.delete(line.id)
    if (known === undefined || line.at === 'failed') continue
    history.add(known.operation, { begin: known.begin, end: i }, line.written)
  }
  for (const { operation, begin } of begun.values()) history.add(operation, { begin, end: Number.POSITIVE_INFINITY })
  return { root: history.root, moves: history.moves, reboots }
}

class Historian {
  readonly root: Node = newNode(true)
  readonly moves: Move[] = []
  readonly #rootPath: string
  readonly #handles = new Map<string, Node>()
  /** The last change of each name. */
  readonly #lastOf = new Map<Node, Map<string, Move>>()

  constructor(rootPath: string) {
    this.#rootPath = rootPath
  }

  add(operation: Operation, span: Span, written?: number): void {
    switch (operation.op) {
      case 'open':
        this.#open(operation.id, operation.path, operation.flags, span)
        break
      case 'write': {
        const bytes = Buffer.from(operation.bytes, 'base64').subarray(0, written)
        this.#handles
          .get(operation.handle)
          ?.changes.push({ ...span, kind: 'write', position: operation.position, bytes })
        break
      }
      case 'truncate':
        this.#handles.get(operation.handle)?.changes.push({ ...span, kind: 'truncate', length: operation.length })
        break
      case 'sync':
        this.#handles.get(operation.handle)?.syncs.push(span)
        break
      case 'mkdir':
        this.#makeFolder(operation.path, span)
        break
      case 'remove':
        this.#remove(operation.path, span)
        break
      case 'rename':
        this.#rename(operation.from, operation.to, span)
    }
  }

  #open(id: string, file: string, flags: string, span: Span): void {
    let node = this.#find(file)
    if (node === undefined && flags.startsWith('w')) node = this.#make(file, false, span)
    else if (flags === 'w') node?.changes.push({ ...span, kind: 'truncate', length: 0 })
    if (node !== undefined) this.#handles.set(id, node)
  }

  #makeFolder(folder: string, span: Span): void {
    if (this.#find(folder) === undefined) this.#make(folder, true, span)
  }

  #make(file: string, isFolder: boolean, span: Span): Node {
    // The call that creates a directory may return after others already use it.
    const folder = this.#find(path.dirname(file)) ?? this.#make(path.dirname(file), true, span)
    const place = { folder, name: path.basename(file) }
    const node = newNode(isFolder)
    node.origin = this.#move(span, [folder], [place], { ...place, node })
    folder.names.set(place.name, node)
    return node
  }

  #remove(file: string, span: Span): void {
    const node = this.#find(file)
    const folder = this.#find(path.dirname(file))
    if (node === undefined || folder === undefined) return
    for (const name of node.names.keys()) this.#remove(path.join(file, name), span)
    const name = path.basename(file)
    // A directory is removed only after all its entries.
    this.#move(span, [folder], [{ folder, name }], undefined, node.moves)
    folder.names.delete(name)
  }

  #rename(from: string, to: string, span: Span): void {
    const node = this.#find(from)
    const source = this.#find(path.dirname(from))
    const target = this.#find(path.dirname(to))
    if (node === undefined || source === undefined || target === undefined) return
    const unset = { folder: source, name: path.basename(from) }
    const set = { folder: target, name: path.basename(to), node }
    this.#move(span, [source, target], [unset, set], set)
    source.names.delete(unset.name)
    target.names.set(set.name, node)
  }

  #move(
    span: Span,
    folders: readonly Node[],
    places: readonly { readonly folder: Node; readonly name: string }[],
    set: Move['set'],
    inside: readonly Move[] = [],
  ): Move {
    const before = places.map(({ folder, name }) => this.#lastOf.get(folder)?.get(name))
    const origins = folders.map((folder) => folder.origin)
    const needs = [...before, ...origins, ...inside].filter((each) => each !== undefined)
    const move: Move = { ...span, folders, needs, inside, unset: places, set }
    this.moves.push(move)
    for (const folder of new Set(folders)) folder.moves.push(move)
    for (const { folder, name } of places) {
      const names = this.#lastOf.get(folder) ?? new Map<string, Move>()
      this.#lastOf.set(folder, names.set(name, move))
    }
    return move
  }

  #find(file: string): Node | undefined {
    const relative = path.relative(this.#rootPath, file)
    const names = relative === '' ? [] : relative.split(path.sep)
    return names.reduce<Node | undefined>((node, name) => node?.names.get(name), this.root)
  }
}

function newNode(isFolder: boolean): Node {
  return { isFolder, changes: [], syncs: [], names: new Map(), moves: [], origin: undefined }
}
