import type { Ranges } from './ranges.ts'
import type { UploadRecord } from './record.ts'

/** What uploads cost: bytes reserved or on disk, files of any state, and unfinished uploads. */
export interface Charge {
  readonly bytes: number
  readonly files: number
  readonly unfinished: number
}

/** The state of an upload that determines its charge. */
export interface ChargedState {
  readonly record: UploadRecord
  readonly received: Ranges
  readonly finished: boolean
  readonly removed: boolean
}

export const NO_CHARGE: Charge = { bytes: 0, files: 0, unfinished: 0 }

/** What file systems allocate at once, in bytes. */
const BLOCK = 4096
/** The smallest and the largest step by which an upload of unknown length is charged, in bytes. */
const SMALLEST_STEP = 1024 * 1024
const LARGEST_STEP = 64 * 1024 * 1024
/** The facts of a record without its metadata, in bytes; usually fewer. */
const FACTS = 1024

/** Whose account is charged; `undefined` for uploads of versions without accounts, which count only in total. */
export function accountOf({ owner, account }: UploadRecord): string | undefined {
  return owner ?? account
}

/** The bytes on disk in addition to the file: its record, with the metadata as it is stored, and its directory. */
export function overheadOf({ metadata, rawMetadata = '' }: UploadRecord): number {
  return inBlocks(FACTS + Buffer.byteLength(JSON.stringify([metadata, rawMetadata]))) + BLOCK
}

/** Whether the charge depends on what the upload occupies: the bytes of a failed one may be abandoned or not. */
export function dependsOnBlocks({ record, finished, removed }: ChargedState): boolean {
  return record.failed !== undefined && !finished && !removed
}

/** Whether the charge of an unfinished upload grows with its bytes, because its record does not have the final sum. */
export function growsWithBytes({ record, finished }: Pick<ChargedState, 'record' | 'finished'>): boolean {
  return !finished && (record.length === null || record.parts !== undefined)
}

/**
 * What an upload costs. The charge is a function of its state alone, so it can be counted again at any time.
 *
 * @param overhead `overheadOf` its record.
 * @param occupied the bytes of all its blocks, for an upload that `dependsOnBlocks`.
 */
export function chargeOf(state: ChargedState, overhead: number, occupied: number): Charge {
  if (state.removed) return NO_CHARGE
  const { record, finished } = state
  const isUnfinished = !finished && !record.joined && record.failed === undefined
  const bytes = dependsOnBlocks(state) && !record.joined ? occupied : overhead + bytesOf(state)
  return { bytes, files: 1, unfinished: isUnfinished ? 1 : 0 }
}

function bytesOf(state: ChargedState): number {
  const { record, received, finished } = state
  // The final upload is charged for them.
  if (record.joined) return 0
  const end = received.at(-1)?.end ?? 0
  if (finished) return inBlocks(record.length ?? end)
  return growsWithBytes(state) ? inSteps(end) : inBlocks(record.length ?? end)
}

/** The bytes to reserve for a file of unknown length that has `end` bytes so far. */
export function inSteps(end: number): number {
  if (end === 0) return 0
  let step = SMALLEST_STEP
  while (step < LARGEST_STEP && step < end) step *= 2
  return Math.ceil(end / step) * step
}

function inBlocks(bytes: number): number {
  return Math.ceil(bytes / BLOCK) * BLOCK
}

/** The bytes of a charge, if it is that of an unfinished upload. */
export function unfinishedBytesOf({ bytes, unfinished }: Charge): number {
  return unfinished > 0 ? bytes : 0
}

export function sum(a: Charge, b: Charge): Charge {
  return { bytes: a.bytes + b.bytes, files: a.files + b.files, unfinished: a.unfinished + b.unfinished }
}

export function difference(a: Charge, b: Charge): Charge {
  return { bytes: a.bytes - b.bytes, files: a.files - b.files, unfinished: a.unfinished - b.unfinished }
}

export function isNothing({ bytes, files, unfinished }: Charge): boolean {
  return bytes === 0 && files === 0 && unfinished === 0
}

/** Old totals and new changes may be less than nothing together. */
export function atLeastNothing({ bytes, files, unfinished }: Charge): Charge {
  return { bytes: Math.max(0, bytes), files: Math.max(0, files), unfinished: Math.max(0, unfinished) }
}
