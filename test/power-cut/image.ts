import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Random } from '../support/random.ts'
import type { Change, History, Move, Node, Span } from './history.ts'

/** The unit that is lost or kept as a whole, in bytes. */
const PAGE = 4096

/** For unsynced changes: all are lost, all are kept, or each page and each change of a name at random. */
export type Loss = 'all' | 'nothing' | 'anything'

/** The moment of a power cut, and which unsynced changes survive it. */
export interface Cut {
  /** The first line of the recording that has not happened. */
  readonly at: number
  readonly loss: Loss
  /**
   * Whether the changes in a directory reach the disk in order, as on most file systems; otherwise only those of each
   * name do.
   */
  readonly inOrder: boolean
  readonly random: Random
}

/** Writes the state of the disk after the cut into an empty directory. */
export function writeImage(history: History, cut: Cut, target: string): void {
  const { reboots } = history
  const names = keptNames(history, cut)
  const write = (node: Node, place: string): void => {
    for (const [name, each] of names.get(node) ?? []) {
      const file = path.join(place, name)
      if (each.isFolder) {
        mkdirSync(file)
        write(each, file)
      } else {
        writeFileSync(file, keptBytes(each, reboots, cut))
      }
    }
  }
  write(history.root, target)
}

/** The entries of each directory after the cut. */
function keptNames({ moves, reboots }: History, cut: Cut): ReadonlyMap<Node, ReadonlyMap<string, Node>> {
  const begun = moves.filter((move) => move.begin < cut.at)
  const before = cut.inOrder ? movesBefore(begun) : new Map<Move, readonly Move[]>()
  const durable = new Set(begun.filter((move) => move.folders.every((folder) => isSynced(move, folder, reboots, cut))))
  // A later change includes the earlier ones, and their prerequisites.
  for (const move of [...begun].reverse()) {
    if (!durable.has(move)) continue
    const along = cut.inOrder ? [...move.needs, ...(before.get(move) ?? [])] : move.inside
    for (const each of along) durable.add(each)
  }
  const kept = new Set<Move>()
  const names = new Map<Node, Map<string, Node>>()
  for (const move of begun) {
    const possible = [...move.needs, ...(before.get(move) ?? [])].every((each) => kept.has(each))
    if (!possible || !(durable.has(move) || isKept(cut))) continue
    kept.add(move)
    for (const { folder, name } of move.unset) names.get(folder)?.delete(name)
    if (move.set === undefined) continue
    const { folder, name, node } = move.set
    names.set(folder, (names.get(folder) ?? new Map<string, Node>()).set(name, node))
  }
  return names
}

/** For each change, its direct predecessors in its directories. */
function movesBefore(moves: readonly Move[]): Map<Move, readonly Move[]> {
  const last = new Map<Node, Move>()
  const before = new Map<Move, readonly Move[]>()
  for (const move of moves) {
    const folders = [...new Set(move.folders)]
    before.set(
      move,
      folders.flatMap((folder) => last.get(folder) ?? []),
    )
    for (const folder of folders) last.set(folder, move)
  }
  return before
}

/** The content of a file after the cut: for each page, and for its size, the last synced version or a later one. */
function keptBytes(node: Node, reboots: readonly number[], cut: Cut): Buffer {
  const begun = node.changes.filter((change) => change.begin < cut.at)
  const isDurable = (change: Change): boolean => isSynced(change, node, reboots, cut)
  const size = kept(begun, isDurable, cut).reduce(sizeAfter, 0)
  const bytes = Buffer.alloc(size)
  for (let start = 0; start < size; start += PAGE) {
    const page = bytes.subarray(start, start + PAGE)
    const here = begun.filter((change) => touches(change, start))
    for (const change of kept(here, isDurable, cut)) apply(change, page, start)
  }
  return bytes
}

/** A prefix of the changes: at least the synced ones, and a random number of the others. */
function kept(changes: readonly Change[], isDurable: (change: Change) => boolean, cut: Cut): readonly Change[] {
  const least = changes.findLastIndex(isDurable) + 1
  if (cut.loss === 'all') return changes.slice(0, least)
  if (cut.loss === 'nothing') return changes
  return changes.slice(0, cut.random.whole(least, changes.length))
}

function sizeAfter(size: number, change: Change): number {
  return change.kind === 'truncate' ? change.length : Math.max(size, change.position + change.bytes.length)
}

function touches(change: Change, page: number): boolean {
  if (change.kind === 'truncate') return change.length < page + PAGE
  return change.position < page + PAGE && change.position + change.bytes.length > page
}

function apply(change: Change, page: Buffer, start: number): void {
  if (change.kind === 'truncate') page.fill(0, Math.max(0, change.length - start))
  else if (change.position >= start) change.bytes.copy(page, change.position - start)
  else change.bytes.copy(page, 0, start - change.position)
}

/** A sync covers the operations that had returned when it began, once it has itself returned. */
function isSynced(change: Span, { syncs }: Node, reboots: readonly number[], cut: Cut): boolean {
  if (syncs.some(({ begin, end }) => begin > change.end && end < cut.at)) return true
  return reboots.some((at) => at > change.end && at < cut.at)
}

function isKept({ loss, random }: Cut): boolean {
  return loss === 'nothing' || (loss === 'anything' && random.chance(0.5))
}
