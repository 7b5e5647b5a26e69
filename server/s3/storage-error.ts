import { UploadError } from '../core/errors.ts'
import { S3Error } from './s3-error.ts'

/** The codes of engines that have no room. */
const FULL: ReadonlySet<string> = new Set([
  'InsufficientStorage',
  'QuotaExceeded',
  'XMinioStorageFull',
  'EntityTooLargeForQuota',
  'StorageFull',
])

/** The error for the client of a call that failed. Other errors stay. */
export function storageError(error: unknown): unknown {
  if (!(error instanceof S3Error)) return error
  return error.code !== undefined && FULL.has(error.code)
    ? new UploadError('no_space', 'The server has no space left.', { cause: error })
    : new UploadError('storage_error', 'The storage is not available now; try again later.', { cause: error })
}

/** Runs calls of S3. @throws UploadError `no_space`, `storage_error`, and other errors as they are. */
export async function onS3<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw storageError(error)
  }
}
