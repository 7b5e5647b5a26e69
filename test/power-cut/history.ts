import path from 'node:path'
import type { Line, Operation } from './recorder-log.ts'

/** From which line of a recording to which; `Infinity` when its end was not seen. */
export interface Span {
  readonly begin: number
  readonly end: number
}

export type Change = Span &
  (
    | { readonly kind: 'write'; readonly position: number; readonly bytes: Buffer }
    | { readonly kind: 'truncate'; readonly length: number }
  )

/** A file or folder, whatever its name is just now. */
export interface Node {
  readonly isFolder: boolean
  /** What was done to the bytes of a file, in order. */
  readonly changes: Change[]
  readonly syncs: Span[]
  /** Of a folder: what has been in it, as long as the machine ran on. */
  readonly names: Map<string, Node>
  /** Of a folder: what was done to its names, in order. */
  readonly moves: Move[]
  /** What has made it; nothing has made the data directory itself. */
  origin: Move | undefined
}

/** A change of names, which happens as a whole or not at all. */
export interface Move extends Span {
  /** The folders that must be synced before it is surely on the disk. */
  readonly folders: readonly Node[]
  /** Without these it cannot be on the disk. */
  readonly needs: readonly Move[]
  /** Of a folder that went: what was done in it before. When it is surely gone, so is all of it. */
  readonly inside: readonly Move[]
  readonly unset: readonly { readonly folder: Node; readonly name: string }[]
  readonly set: { readonly folder: Node; readonly name: string; readonly node: Node } | undefined
}

export interface History {
  readonly root: Node
  /** All changes of names, in the order in which they were done. */
  readonly moves: readonly Move[]
  /** Lines at which everything got to the disk. */
  readonly reboots: readonly number[]
}

/** Makes out of a recording what was done to which file, by which name it went. @param root the data directory. */
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
    // Who makes a folder may learn of it later than others who use it already.
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
    // A folder goes only after everything that was in it.
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
