import { UploadError } from './errors.ts'
import { failureError } from './failure.ts'
import type { UploadRecord } from './record.ts'

/**
 * `receiving`: bytes are missing, or the end is not announced yet. `sealed`: all bytes are there, but the upload is a
 * part of another one and never becomes a file itself. `finishing`: all bytes are there, and the file is being moved to
 * its final name. `scanning`: before that move, the gate has not given its verdict yet.
 */
export type UploadState = 'receiving' | 'sealed' | 'finishing' | 'scanning' | 'finished' | 'failed' | 'gone'

/** States in which every byte of the file is there. Such an upload does not expire. */
export const COMPLETE: ReadonlySet<UploadState> = new Set(['finishing', 'scanning', 'finished'])

/** @throws UploadError the error of a failed upload, or `gone`. */
export function checkUsable({
  record: { failed },
  state,
}: {
  readonly record: UploadRecord
  readonly state: UploadState
}): void {
  if (failed !== undefined) throw failureError(failed)
  if (state === 'gone') throw new UploadError('gone', 'This upload is gone.')
}
