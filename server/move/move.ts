import type { Carried, Depot, Seen } from '../core/depot.ts'
import { UploadError } from '../core/errors.ts'
import { total } from '../core/ranges.ts'
import { difference, hasSameContent, isSameUpload } from './compare.ts'
import type { Report } from './report.ts'

export interface MoveOptions {
  /** Lists what would happen, and changes nothing. */
  readonly isDry: boolean
  /** Compares contents, not only sizes. */
  readonly verifies: boolean
  /** Removes from the source what the target has, if it has everything. */
  readonly removesSource: boolean
}

/**
 * Brings all uploads of one store into another. After an interruption, it can run again.
 *
 * @throws UploadError `no_space`, or `storage_error` if a store cannot be listed.
 */
export async function moveAll(source: Depot, target: Depot, report: Report, options: MoveOptions): Promise<void> {
  for await (const id of source.uploads())
    await reported(report, id, () => moveUpload(source, target, id, report, options))
  for await (const removed of source.tombstones()) {
    await reported(report, removed.id, async () => {
      if ((await target.see(removed.id)).kind !== 'none') return report.known()
      if (!options.isDry) await target.placeTombstone(removed)
      report.movedTombstone()
    })
  }
  if (options.removesSource && !options.isDry && report.isClean) await eraseAll(source)
}

/** Other uploads may still be moved if one cannot be. @throws UploadError `no_space`. */
async function reported(report: Report, id: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof UploadError) || error.code === 'no_space') throw error
    report.problem(id, causeOf(error))
  }
}

/** What the operator can do something about. */
function causeOf(error: UploadError): string {
  return error.cause instanceof Error ? `${error.message} ${error.cause.message}` : error.message
}

async function moveUpload(
  source: Depot,
  target: Depot,
  id: string,
  report: Report,
  { isDry, verifies }: MoveOptions,
): Promise<void> {
  const [here, there] = [await source.see(id), await target.see(id)]
  if (there.kind === 'gone') return compareGone(here, there.at, id, report)
  if (isDry) return compareOnly(here, there, id, report)
  const taken = await source.take(id)
  if (taken.kind === 'unknown') return report.problem(id, UNREADABLE)
  if (taken.kind === 'gone') {
    await target.placeTombstone({ id, why: 'deleted', at: new Date(), owner: taken.owner })
    return report.movedTombstone()
  }
  try {
    await moveTaken(taken.upload, target, there.kind === 'upload', report, verifies)
  } finally {
    await taken.upload.close()
  }
}

/** @param at when the upload at the target was removed: by a client, if the one of the source was moved before. */
function compareGone(here: Seen, at: Date, id: string, report: Report): void {
  if (here.kind === 'upload' && new Date(here.record.createdAt) > at) {
    report.problem(id, 'The target has a tombstone of an earlier upload of this id.')
  } else report.known()
}

/** Says what would happen to an upload. */
function compareOnly(here: Seen, there: Seen, id: string, report: Report): void {
  if (here.kind === 'none') report.problem(id, UNREADABLE)
  else if (here.kind === 'gone') report.movedTombstone()
  else if (there.kind !== 'upload') report.wouldMove(here.isFinished)
  else if (isSameUpload(here.record, there.record)) report.known()
  else report.problem(id, 'The target has another upload of this id.')
}

const UNREADABLE = 'Its record cannot be read: see landfall doctor.'

async function moveTaken(
  upload: Carried,
  target: Depot,
  isThere: boolean,
  report: Report,
  verifies: boolean,
): Promise<void> {
  const { id, length } = upload.record
  if (upload.finishedAt !== undefined && total(upload.received) !== length) {
    return report.problem(id, `Its file has ${total(upload.received)} bytes instead of ${length}.`)
  }
  if (!isThere) await target.place(upload)
  const placed = await target.view(id)
  try {
    const sentence = difference(upload, placed)
    if (sentence !== undefined) return report.problem(id, sentence)
    if (verifies && !(await hasSameContent(upload, placed)))
      return report.problem(id, 'At the target, it has other bytes.')
  } finally {
    await placed?.close()
  }
  if (isThere) report.known()
  else report.moved(upload)
}

async function eraseAll(source: Depot): Promise<void> {
  for await (const id of source.uploads()) await source.erase(id)
  for await (const { id } of source.tombstones()) await source.erase(id)
}
