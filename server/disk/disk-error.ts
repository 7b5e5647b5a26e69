import { constants } from 'node:os'
import { systemCode, UploadError } from '../core/errors.ts'

/** What the client is told of an error of the file system; the error itself is its cause, for the log. */
export function diskError(error: unknown): UploadError {
  if (error instanceof UploadError) return error
  const code = systemCode(error)
  if (code === 'ENOSPC' || isOverQuota(error)) {
    return new UploadError('no_space', 'There is no space left for this upload.', { cause: error })
  }
  // A byte behind what the file system can address: no retry will help.
  if (code === 'EFBIG') {
    return new UploadError('too_large', 'The file is longer than the storage can hold.', { cause: error })
  }
  return new UploadError('storage_error', 'The storage did not work.', { cause: error })
}

/** Node has no name for this error: its code is a sentence with the number in it. */
function isOverQuota(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'errno' in error && error.errno === -constants.errno.EDQUOT
}

/**
 * What a failed sync means: the kernel may have dropped the pages and forgotten the error, so it must not be tried again
 * and called good (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020).
 */
function syncError(error: unknown): UploadError {
  return new UploadError('sync_failed', 'The storage could not keep the bytes of this upload.', { cause: error })
}

/** Runs file operations; what they throw comes out as an `UploadError`. */
export async function onDisk<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw diskError(error)
  }
}

/** The same where a failed sync is not final: no upload is there yet whose bytes it could have cost, or none is there any more. */
export async function onDiskWithoutBytes<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await onDisk(work)
  } catch (error) {
    throw error instanceof UploadError && error.code === 'sync_failed' ? diskError(error.cause) : error
  }
}

/** Runs a sync; what it throws comes out as `sync_failed`. */
export async function synced(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    throw syncError(error)
  }
}
