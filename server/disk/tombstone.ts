import { readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Departure } from '../core/store.ts'
import { synced } from './disk-error.ts'
import { ifThere, openNew, withExisting } from './files.ts'

// A tombstone is one line: why the upload is gone, and its owner, if it has one. It counts without its text, for which
// a full disk has no room. The line end shows that the text is whole: no owner may inherit an upload by a torn text.

const DEPARTURES: readonly Departure[] = ['deleted', 'expired', 'refused']

const TEXT = /^(deleted|expired|refused)(?: (\S+))?\n$/

/** The text of a tombstone. */
export interface Tombstone {
  /** Whether the text is there; otherwise the owner is unknown. */
  readonly isWhole: boolean
  readonly owner: string | undefined
  /** Unknown without the text. */
  readonly why: Departure | undefined
  /** Whether the upload was made for a request that was refused: nothing remembers it. */
  readonly isOfRefused: boolean
}

/**
 * Creates a tombstone. That of a refused upload always has its text: without it, the upload would count as deleted.
 *
 * @param isDurable whether its name is going to be synced: then a text that it must have is on disk when this returns.
 * @returns whether there was room for its text. @throws the OS error; then there is none.
 */
export async function makeTombstone(
  place: string,
  why: Departure,
  owner: string | undefined,
  isDurable: boolean,
): Promise<boolean> {
  if (why !== 'refused') return writeTombstone(place, textOf(why, owner))
  const temporary = path.join(path.dirname(place), `.${path.basename(place)}.tmp`)
  try {
    const tombstone = await openNew(temporary)
    try {
      await tombstone.writeFile(textOf(why, owner))
      if (isDurable) await synced(() => tombstone.datasync())
    } finally {
      await tombstone.close()
    }
    await rename(temporary, place)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw error
  }
  return true
}

/** Whether this file was to become a tombstone. */
export function isUnfinishedTombstone(name: string): boolean {
  return name.startsWith('.')
}

async function writeTombstone(place: string, text: string): Promise<boolean> {
  const tombstone = await openNew(place)
  const isWhole = await tombstone.writeFile(text).then(
    () => true,
    () => false,
  )
  await tombstone.close().catch(() => undefined)
  return isWhole
}

/** Writes the text of a tombstone that lacks it. @throws the OS error. */
export async function completeTombstone(place: string, why: Departure, owner: string | undefined): Promise<void> {
  await withExisting(place, async (tombstone) => {
    await tombstone.truncate()
    await tombstone.writeFile(textOf(why, owner))
  })
}

/** @returns `undefined` when there is none. @throws the OS error. */
export async function readTombstone(place: string): Promise<Tombstone | undefined> {
  const text = await ifThere(() => readFile(place, 'utf8'))
  if (text === undefined) return undefined
  const found = TEXT.exec(text)
  const why = DEPARTURES.find((departure) => departure === found?.[1])
  return { isWhole: found !== null, owner: found?.[2], why, isOfRefused: why === 'refused' }
}

function textOf(why: Departure, owner: string | undefined): string {
  return owner === undefined ? `${why}\n` : `${why} ${owner}\n`
}
