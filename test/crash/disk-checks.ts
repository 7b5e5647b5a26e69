import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Range } from '../../server/core/ranges.ts'
import { ifThere } from '../../server/disk/files.ts'
import type { Layout } from '../../server/disk/layout.ts'
import { finishedFolderOf, innermostFolders } from '../support/finished-files.ts'
import { type UploadModel, Violation } from './model.ts'

/** After this many restarts, only the metadata of a finished file is checked, not its bytes. */
const READ_AFTER_RESTARTS = 2

/**
 * Checks the data directory as soon as the program listens, before the first request.
 *
 * @throws Violation
 */
export async function checkDisk(uploads: readonly UploadModel[], layout: Layout): Promise<void> {
  const leaving = await readdir(layout.leaving)
  if (leaving.length > 0) throw new Violation(`Removals were not ended at the start: ${leaving.join(', ')}`)
  await checkQuarantine(uploads, layout)
  await checkRecordsOfFiles(layout)
  const folders = await folderNames(layout)
  for (const upload of uploads) {
    if (upload.removal === 'done' && upload.path !== undefined) await checkNothingLeft(upload, layout, folders)
    else if (upload.finished && upload.removal === 'none') await checkFinishedFile(upload, layout)
  }
}

/** @throws Violation unless the file is under its final name, and only there, with the sent bytes. */
export async function checkFinishedFile(upload: UploadModel, layout: Layout, isLast = false): Promise<void> {
  const id = idOf(upload)
  const folder = await finishedFolderOf(layout, id)
  const names = await ifThere(() => readdir(folder))
  if (names?.join() !== upload.name) upload.broken(`is finished, but its directory has: ${names}`)
  const file = path.join(folder, upload.name)
  const { size } = await stat(file)
  if (size !== upload.content.length) upload.broken(`is finished with ${size} of ${upload.content.length} bytes`)
  if (isLast || upload.restartsSeen < READ_AFTER_RESTARTS) {
    if (sha256(await readFile(file)) !== sha256(upload.content)) upload.broken('is finished with other bytes')
  }
  if (await isThere(layout.incomingFile(id))) upload.broken('is finished, but also in incoming')
}

/** The names of all directories of finished files. To find them takes time: one list serves many checks. */
export async function folderNames(layout: Layout): Promise<ReadonlySet<string>> {
  return new Set((await innermostFolders(layout.files)).map((folder) => path.basename(folder)))
}

/**
 * @param folders the names of the directories of finished files, listed after its removal.
 * @throws Violation when anything of a deleted upload remains except its tombstone.
 */
export async function checkNothingLeft(
  upload: UploadModel,
  layout: Layout,
  folders: ReadonlySet<string>,
): Promise<void> {
  const id = idOf(upload)
  const places = [layout.incomingFile(id), layout.journal(id), layout.record(id)]
  if (folders.has(id)) upload.broken('is deleted, but its directory is left')
  for (const place of [...places, path.join(layout.leaving, id)]) {
    if (await isThere(place)) upload.broken(`is deleted, but ${path.relative(layout.root, place)} is left`)
  }
  if (!(await isThere(path.join(layout.gone, id)))) upload.broken('is deleted, but has no tombstone')
}

/**
 * @param onMissing called before a missing file counts as a violation.
 * @throws Violation unless the incoming file has the bytes of each range at their offsets; what `onMissing` throws.
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
      upload.broken(`has bytes other than the sent ones between ${start} and ${end}`)
    }
  }
}

/**
 * Checks the file of an upload, if it has one: its own bytes, in order from the beginning. Another request may be
 * moving the file.
 *
 * @throws Violation
 */
export async function checkWhatIsThere(upload: UploadModel, layout: Layout): Promise<void> {
  const bytes = await ifThere(() => readFile(layout.incomingFile(idOf(upload))))
  if (bytes === undefined) return
  if (!upload.content.subarray(0, bytes.length).equals(bytes)) upload.broken('has bytes other than those of its parts')
}

/** Whether a part has no own files left. */
export async function hasNoBytes(part: UploadModel, layout: Layout): Promise<boolean> {
  const id = idOf(part)
  return !(await isThere(layout.incomingFile(id))) && !(await isThere(layout.journal(id)))
}

/** Whether the file is under its final name. */
export async function isLanded(upload: UploadModel, layout: Layout): Promise<boolean> {
  return isThere(path.join(await finishedFolderOf(layout, idOf(upload)), upload.name))
}

/**
 * Whether an upload without a journal has all its bytes, but is not finished. Uploads without an announced end are
 * excluded.
 */
export async function isWhollyIncoming(upload: UploadModel, layout: Layout): Promise<boolean> {
  const { id } = upload
  if (id === undefined || (await isThere(layout.journal(id)))) return false
  const record = await ifThere(() => readFile(layout.record(id), 'utf8'))
  if (record?.includes('"endAwaited":true') || record?.includes('"held":true')) return false
  return (await ifThere(() => stat(layout.incomingFile(id))))?.size === upload.content.length
}

/**
 * Checks the data directory when no request is running, and every upload is finished or deleted.
 *
 * @param unknown how many uploads may exist whose creation received no response.
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
  for (const name of [...(await readdir(layout.incoming)), ...(await folderNames(layout))])
    if (!known.has(name)) strangers.add(name)
  if (strangers.size > unknown) throw new Violation(`Nobody knows of ${[...strangers].join(', ')}`)
}

/** Expects its bytes under their final name, or nowhere. */
function hasLanded({ finished, removal, final }: UploadModel): boolean {
  return finished || removal === 'done' || final?.finished === true
}

/** A finished file without a record cannot be reached by any client. */
async function checkRecordsOfFiles(layout: Layout): Promise<void> {
  for (const folder of await innermostFolders(layout.files)) {
    const [file] = await readdir(folder)
    const isLost = file !== undefined && !(await isThere(layout.record(path.basename(folder))))
    if (isLost) throw new Violation(`${path.join(folder, file)} has no record`)
  }
}

async function checkQuarantine(uploads: readonly UploadModel[], layout: Layout): Promise<void> {
  const names = await readdir(layout.quarantine)
  const aside = new Set(names.map((name) => name.replace(/\.\d+$/, '').replace(/\.json$/, '')))
  // Uploads that are created again have the same id: bytes may have been set aside before.
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
