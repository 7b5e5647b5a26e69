import { createReadStream, createWriteStream } from 'node:fs'
import { chmod, constants, copyFile, link, rename, rm, stat, utimes } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { systemCode } from '../core/errors.ts'
import type { UploadRecord } from '../core/record.ts'
import type { Environment } from './environment.ts'
import { exists, makeFolder, syncPath } from './files.ts'
import type { Layout } from './layout.ts'
import { createRecord, readRecordFile } from './record-file.ts'
import { syncLanding } from './upload-files.ts'

/** Bytes of another server, which stay where they are. */
export interface ForeignBytes {
  /** Regular files, in the order of their bytes. At least one. */
  readonly files: readonly string[]
  /** Whether a finished file may be a hard link to its only file, where the file system supports that. */
  readonly mayLink: boolean
}

/** Whether the id belongs to an upload, or did until it was removed. @throws the OS error. */
export async function isTaken(layout: Layout, id: string): Promise<boolean> {
  const record = await readRecordFile(layout.record(id), id)
  if (record !== 'none' && record !== 'torn') return true
  return (await exists(path.join(layout.gone, id))) || (await exists(path.join(layout.leaving, id)))
}

/**
 * Makes an upload of another server one of this store. A complete file gets its final name at once: clients could read
 * it before, so no gate inspects it, and nothing is reported. A crash in between leaves no upload, or a complete one.
 *
 * @param record of an upload whose id is not taken. Its files must have at most its length.
 * @throws UploadError `sync_failed`; the OS error.
 */
export async function importUpload(environment: Environment, record: UploadRecord, bytes: ForeignBytes): Promise<void> {
  const { layout, modes, sync, directorySync, onStep } = environment
  const durable = sync !== 'never'
  const incoming = layout.incomingFile(record.id)
  const size = sum(await Promise.all(bytes.files.map(async (file) => (await stat(file)).size)))
  const isComplete = record.length === size && !record.partial
  await placeBytes(environment, record, bytes, size, isComplete)
  if (durable) await directorySync.sync(layout.recordFolder(record.id))
  if (isComplete) {
    const folder = layout.finishedFolder(record.id)
    await makeFolder(folder, modes.folder)
    await rename(incoming, path.join(folder, record.fileName))
    if (durable) await syncLanding(environment, record)
  }
  onStep('import:done')
}

/** Makes the bytes an upload. If that fails, nothing of them is left. */
async function placeBytes(
  environment: Environment,
  record: UploadRecord,
  bytes: ForeignBytes,
  size: number,
  isComplete: boolean,
): Promise<void> {
  const { layout, sync, boot, directorySync, onStep } = environment
  const durable = sync !== 'never'
  const own = path.join(layout.quarantine, '.import')
  const incoming = layout.incomingFile(record.id)
  try {
    // An import that was killed may have left its own: at one place, so that there is only one.
    await rm(own, { force: true })
    await obtain(environment, bytes, own, isComplete)
    if ((await stat(own)).size !== size) {
      throw new Error(`${bytes.files[0]} changed while it was read. Stop the server that writes it.`)
    }
    onStep('import:copied')
    await rename(own, incoming)
    onStep('import:bytes')
    // A record without bytes would be an upload that is gone.
    if (durable) await directorySync.sync(layout.incoming)
    await createRecord(environment, { ...record, mark: { boot, synced: size } }, durable)
    onStep('import:record')
  } catch (error) {
    for (const file of [own, incoming]) await rm(file, { force: true })
    throw error
  }
}

/** Links or copies the bytes to a new file. */
async function obtain(
  { modes, sync }: Environment,
  bytes: ForeignBytes,
  own: string,
  isComplete: boolean,
): Promise<void> {
  const [first = '', ...rest] = bytes.files
  // A link would let bytes that follow into the file of the other server; a finished file never changes.
  const isLink = bytes.mayLink && isComplete && rest.length === 0 && (await isLinked(first, own))
  if (!isLink) {
    await copyFile(first, own, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
    await chmod(own, modes.file.bits)
    for (const file of rest) await pipeline(createReadStream(file), createWriteStream(own, { flags: 'a' }))
    const times = await Promise.all(bytes.files.map(async (file) => (await stat(file)).mtimeMs))
    // An upload expires after its last byte, not after its import.
    const last = new Date(Math.max(...times))
    await utimes(own, last, last)
  }
  if (sync !== 'never') await syncPath(own, 'all')
}

/** @returns false where that is impossible: another file system, or one without links. @throws the OS error. */
async function isLinked(file: string, own: string): Promise<boolean> {
  try {
    await link(file, own)
    return true
  } catch (error) {
    if (UNLINKABLE.has(systemCode(error) ?? '')) return false
    throw error
  }
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0)
}

const UNLINKABLE: ReadonlySet<string> = new Set([
  'EXDEV',
  'EPERM',
  'EACCES',
  'EMLINK',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
])
