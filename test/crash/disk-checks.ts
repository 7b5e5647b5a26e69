import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Range } from '../../server/core/ranges.ts'
import { ifThere } from '../../server/disk/files.ts'
import type { Layout } from '../../server/disk/layout.ts'
import { type UploadModel, Violation } from './model.ts'

/** After how many restarts a finished file is only looked at, not read any more. */
const READ_AFTER_RESTARTS = 2

/**
 * What must be true of the data directory as soon as the program listens, before it was asked for anything.
 *
 * @throws Violation
 */
export async function checkDisk(uploads: readonly UploadModel[], layout: Layout): Promise<void> {
  const leaving = await readdir(layout.leaving)
  if (leaving.length > 0) throw new Violation(`Removals were not ended at the start: ${leaving.join(', ')}`)
  await checkQuarantine(uploads, layout)
  await checkRecordsOfFiles(layout)
  for (const upload of uploads) {
    if (upload.removal === 'done' && upload.path !== undefined) await checkNothingLeft(upload, layout)
    else if (upload.finished && upload.removal === 'none') await checkFinishedFile(upload, layout)
  }
}

/** @throws Violation unless the file lies under its final name, and only there, with the bytes that were sent. */
export async function checkFinishedFile(upload: UploadModel, layout: Layout, isLast = false): Promise<void> {
  const id = idOf(upload)
  const names = await ifThere(() => readdir(layout.finishedFolder(id)))
  if (names?.join() !== upload.name) upload.broken(`is finished, but its folder has: ${names}`)
  const file = path.join(layout.finishedFolder(id), upload.name)
  const { size } = await stat(file)
  if (size !== upload.content.length) upload.broken(`is finished with ${size} of ${upload.content.length} bytes`)
  if (isLast || upload.restartsSeen < READ_AFTER_RESTARTS) {
    if (sha256(await readFile(file)) !== sha256(upload.content)) upload.broken('is finished with other bytes')
  }
  if (await isThere(layout.incomingFile(id))) upload.broken('is finished, but also in incoming')
}

/** @throws Violation when anything of a deleted upload is left but the memory that it is gone. */
export async function checkNothingLeft(upload: UploadModel, layout: Layout): Promise<void> {
  const id = idOf(upload)
  const places = [layout.incomingFile(id), layout.finishedFolder(id), layout.journal(id), layout.record(id)]
  for (const place of [...places, path.join(layout.leaving, id)]) {
    if (await isThere(place)) upload.broken(`is deleted, but ${path.relative(layout.root, place)} is left`)
  }
  if (!(await isThere(path.join(layout.gone, id)))) upload.broken('is deleted, but not remembered')
}

/**
 * @param onMissing asked before a missing file is called a violation.
 * @throws Violation unless the bytes of each range are in the incoming file at their place; what `onMissing` throws.
 */
export async function checkIncomingBytes(
  upload: UploadModel,
  ranges: readonly Range[],
  layout: Layout,
  onMissing: () => Promise<unknown>,
): Promise<void> {
  const bytes = await ifThere(() => readFile(layout.incomingFile(idOf(upload))))
  if (bytes === undefined) {
    await onMissing()
    upload.broken('has no bytes in incoming')
  }
  for (const { start, end } of ranges) {
    if (!bytes.subarray(start, end).equals(upload.content.subarray(start, end))) {
      upload.broken(`has other bytes than were sent between ${start} and ${end}`)
    }
  }
}

/**
 * The bytes of an upload that others may be moving, as far as there is a file of them: its own, in order from the
 * beginning.
 *
 * @throws Violation
 */
export async function checkWhatIsThere(upload: UploadModel, layout: Layout): Promise<void> {
  const bytes = await ifThere(() => readFile(layout.incomingFile(idOf(upload))))
  if (bytes === undefined) return
  if (!upload.content.subarray(0, bytes.length).equals(bytes)) upload.broken('has other bytes than its parts')
}

/** Whether nothing of the bytes of a part is left in a place of its own. */
export async function hasNoBytes(part: UploadModel, layout: Layout): Promise<boolean> {
  const id = idOf(part)
  return !(await isThere(layout.incomingFile(id))) && !(await isThere(layout.journal(id)))
}

/** Whether the file lies under its final name. */
export function isLanded(upload: UploadModel, layout: Layout): Promise<boolean> {
  return isThere(path.join(layout.finishedFolder(idOf(upload)), upload.name))
}

/**
 * Whether an upload without a journal has all its bytes, and is not yet finished. One whose end is still to be said is
 * not meant.
 */
export async function isWhollyIncoming(upload: UploadModel, layout: Layout): Promise<boolean> {
  const { id } = upload
  if (id === undefined || (await isThere(layout.journal(id)))) return false
  const record = await ifThere(() => readFile(layout.record(id), 'utf8'))
  if (record?.includes('"endAwaited":true') || record?.includes('"held":true')) return false
  return (await ifThere(() => stat(layout.incomingFile(id))))?.size === upload.content.length
}

/**
 * What must be true when nothing is on its way any more and every upload is finished or deleted.
 *
 * @param unknown how many uploads may be there whose creation got no answer.
 * @throws Violation
 */
export async function checkLeftovers(uploads: readonly UploadModel[], unknown: number, layout: Layout): Promise<void> {
  const known = new Set(uploads.map((upload) => upload.id))
  const done = new Set(uploads.filter(hasLanded).map((upload) => upload.id))
  for (const folder of [layout.incoming, layout.journals, layout.leaving]) {
    const left = (await readdir(folder)).filter((name) => done.has(name.replace(/\.tmp$/, '')))
    if (left.length > 0) throw new Violation(`${path.basename(folder)} has what is finished: ${left.join(', ')}`)
  }
  const strangers = new Set<string>()
  for (const folder of [layout.incoming, layout.files]) {
    for (const name of await readdir(folder)) if (!known.has(name)) strangers.add(name)
  }
  if (strangers.size > unknown) throw new Violation(`Nobody knows of ${[...strangers].join(', ')}`)
}

/** Its bytes are under their final name, or nowhere. */
function hasLanded({ finished, removal, final }: UploadModel): boolean {
  return finished || removal === 'done' || final?.finished === true
}

/** A file that has landed without its record can be reached by nobody, whoever was told of it. */
async function checkRecordsOfFiles(layout: Layout): Promise<void> {
  for (const id of await readdir(layout.files)) {
    const [file] = await readdir(layout.finishedFolder(id))
    const isLost = file !== undefined && !(await isThere(layout.record(id)))
    if (isLost) throw new Violation(`files/${id}/${file} has no record`)
  }
}

async function checkQuarantine(uploads: readonly UploadModel[], layout: Layout): Promise<void> {
  const names = await readdir(layout.quarantine)
  const aside = new Set(names.map((name) => name.replace(/\.\d+$/, '').replace(/\.json$/, '')))
  // Others have the same id when they are made anew: bytes may have been set aside before.
  const once = uploads.filter(({ nature }) => nature.kind === 'tus' || nature.kind === 'part')
  const lost = once.find(({ id }) => id !== undefined && aside.has(id))
  lost?.broken('was set aside')
}

function idOf(upload: UploadModel): string {
  return upload.id ?? upload.broken('has no URL yet')
}

async function isThere(file: string): Promise<boolean> {
  return (await ifThere(() => stat(file))) !== undefined
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
