import { constants } from 'node:os'
import { systemCode, UploadError } from '../core/errors.ts'
import { measured, SYNCS } from '../core/measured.ts'

/** Converts a file system error for the client; the original is the cause, for the log. */
export function diskError(error: unknown): UploadError {
  if (error instanceof UploadError) return error
  const code = systemCode(error)
  if (code === 'ENOSPC' || isOverQuota(error)) {
    return new UploadError('no_space', 'Not enough disk space for this upload.', { cause: error })
  }
  // The file system cannot address that byte, so no retry will help.
  if (code === 'EFBIG') {
    return new UploadError('too_large', 'The file exceeds the maximum file size of the storage.', { cause: error })
  }
  return new UploadError('storage_error', 'Storage error; try again later.', { cause: error })
}

/** Node has no code for EDQUOT. */
function isOverQuota(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'errno' in error && error.errno === -constants.errno.EDQUOT
}

/**
 * A failed sync is final. The kernel may have dropped the pages and cleared the error, so a second sync would succeed
 * without the bytes (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020).
 */
function syncError(error: unknown): UploadError {
  return new UploadError('sync_failed', 'The storage could not keep the bytes of this upload.', { cause: error })
}

/** Runs file operations, and converts their errors. @throws UploadError */
export async function onDisk<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw diskError(error)
  }
}

/** Like `onDisk`, for an upload that has no bytes yet, or has lost them: there, a failed sync can be repeated. */
export async function onDiskWithoutBytes<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await onDisk(work)
  } catch (error) {
    throw error instanceof UploadError && error.code === 'sync_failed' ? diskError(error.cause) : error
  }
}

/** Runs a sync. @throws UploadError `sync_failed` */
export async function synced(work: () => Promise<void>): Promise<void> {
  try {
    await measured(SYNCS, 'sync', work)
  } catch (error) {
    throw syncError(error)
  }
}
