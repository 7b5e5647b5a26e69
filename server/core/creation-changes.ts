import type { CreationChanges } from './decisions.ts'
import { UploadError } from './errors.ts'
import { folderAt, placeAt } from './folder.ts'
import { onSameNode } from './node-id.ts'
import { nameOf, type UploadRecord } from './record.ts'
import { safeName } from './safe-name.ts'

/** A record with the metadata and the id that the application chooses. */
export function changedBy({ metadata, id }: CreationChanges, record: UploadRecord): UploadRecord {
  const isIdFree = record.webUploader === undefined && record.parts === undefined
  const renamed = id === undefined || !isIdFree ? record : { ...record, id: onSameNode(record.id, id) }
  if (metadata === undefined) return renamed
  return { ...renamed, metadata, rawMetadata: undefined, fileName: safeName(nameOf(metadata)) }
}

/** A record with the place that the application chooses for its file. @throws UploadError `internal` for none. */
export function placedBy({ folder, path }: CreationChanges, record: UploadRecord): UploadRecord {
  if (record.partial || (folder === undefined && path === undefined)) return record
  const place = path === undefined ? folderAt(folder ?? '', record.id) : placeAt(path, record.id)
  if (place === undefined)
    throw unusable(`the place ${JSON.stringify(path ?? folder)}, which is not in the data folder`)
  return { ...record, ...place }
}

/** The error of an id that the application has chosen, and that no new upload can have. */
export function taken(id: string): UploadError {
  return unusable(`the id ${JSON.stringify(id)}, which is taken or not valid`)
}

/** @param choice of the application, for the log only. */
function unusable(choice: string): UploadError {
  const cause = new Error(`The application has chosen ${choice}.`)
  return new UploadError('internal', 'Internal server error.', { cause })
}
