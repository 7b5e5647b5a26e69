import { open, rename, rm } from 'node:fs/promises'
import { UploadError } from '../core/errors.ts'
import { add } from '../core/ranges.ts'
import { bytesIn } from '../core/reader.ts'
import type { UploadRecord } from '../core/record.ts'
import type { Prepared, StoredUpload } from '../core/store.ts'
import { onDiskWithoutBytes } from './disk-error.ts'
import { DiskUpload } from './disk-upload.ts'
import type { Environment } from './environment.ts'
import { makeNewFolder, writeNewFile } from './files.ts'
import { createRecord } from './record-file.ts'
import { makeFinishedFolder, syncLanding } from './upload-files.ts'

/** Creates an empty upload. @throws UploadError `no_space`, `storage_error`; then none exists. */
export async function createUpload(environment: Environment, unmarked: UploadRecord): Promise<StoredUpload> {
  const { layout, modes, sync, finishedFolders, onStep } = environment
  const record = marked(environment, unmarked)
  return onDiskWithoutBytes(async () => {
    if (record.folder !== undefined) await finishedFolders.announce()
    const file = await open(layout.incomingFile(record.id), 'wx', modes.file.bits)
    onStep('create:bytes')
    try {
      if (modes.file.isMasked) await file.chmod(modes.file.bits)
      await createRecordFor(environment, record, sync === 'always')
      if (sync === 'always') await syncCreation(environment, record.id)
    } catch (error) {
      await file.close()
      throw error
    }
    onStep('create:record')
    return new DiskUpload(environment, { record, received: [], journal: undefined, file })
  })
}

/**
 * Creates a finished upload from all its bytes: see `Store.createFinished`.
 *
 * @throws UploadError `no_space`, `storage_error`, and what `prepare` throws; then none exists.
 */
export async function createFinishedUpload(
  environment: Environment,
  intended: UploadRecord,
  bytes: readonly Buffer[],
  prepare: () => Promise<Prepared> = async () => ({ record: intended }),
): Promise<StoredUpload> {
  const { layout, modes, sync, finishedFolders, onStep } = environment
  const durable = sync !== 'never'
  if (bytesIn(bytes) !== intended.length) {
    throw new UploadError('storage_error', 'The file does not have the declared length.')
  }
  return onDiskWithoutBytes(async () => {
    if (intended.folder !== undefined) await finishedFolders.announce()
    const incoming = layout.incomingFile(intended.id)
    let record = intended
    const written = async (): Promise<void> => {
      onStep('whole:bytes')
      const prepared = await prepare()
      await prepared.after
      record = marked(environment, prepared.record)
    }
    const { mtime, size } = await writeNewFile(incoming, bytes, durable ? 'data' : 'none', modes.file, written)
    // With the record, the upload exists: after a crash, the next start finishes it.
    await createRecordFor(environment, record, durable)
    onStep('whole:record')
    const received = add([], { start: 0, end: size })
    if (record.failed !== undefined) return new DiskUpload(environment, { record, received, journal: undefined })
    const folder = layout.finishedFolder(record.id, record.folder)
    let isFolderMade = false
    try {
      await makeFinishedFolder(environment, record, makeNewFolder)
      isFolderMade = true
      onStep('whole:folder')
      await rename(incoming, layout.finishedFile(record))
      onStep('whole:renamed')
      if (durable) await syncLanding(environment, record)
      onStep('whole:directories')
    } catch (error) {
      // A directory that already existed stays.
      await unmake([...(isFolderMade ? [folder] : []), incoming, layout.record(record.id)])
      if (record.folder !== undefined) await finishedFolders.tidy(record.folder)
      throw error
    }
    return new DiskUpload(environment, { record, received, journal: undefined, finishedAt: mtime })
  })
}

/** Creates the record of new bytes; if that fails, removes the bytes. */
export async function createRecordFor(environment: Environment, record: UploadRecord, durable: boolean): Promise<void> {
  try {
    await createRecord(environment, record, durable)
  } catch (error) {
    await rm(environment.layout.incomingFile(record.id), { force: true })
    throw error
  }
}

/** Makes a creation durable; if that fails, removes the upload. */
export async function syncCreation({ layout, directorySync }: Environment, id: string): Promise<void> {
  try {
    await Promise.all([directorySync.sync(layout.incoming), directorySync.sync(layout.recordFolder(id))])
  } catch (error) {
    await unmake([layout.incomingFile(id), layout.record(id)])
    throw error
  }
}

/** Adds the boot during which the bytes arrive. */
function marked({ boot }: Environment, record: UploadRecord): UploadRecord {
  return { ...record, mark: { boot, synced: 0 } }
}

/** Removes an upload that no client knows: it needs no tombstone, for which there may be no space. */
async function unmake(places: readonly string[]): Promise<void> {
  for (const place of places) await rm(place, { recursive: true, force: true }).catch(() => undefined)
}
