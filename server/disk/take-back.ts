import { chmod, stat } from 'node:fs/promises'
import { UploadError } from '../core/errors.ts'
import type { UploadRecord } from '../core/record.ts'
import { synced } from './disk-error.ts'
import type { Environment } from './environment.ts'
import { ifThere, syncPath } from './files.ts'
import { rejectedFile } from './quarantine.ts'

/** Whether the bytes of a rejected upload are still there. @throws the OS error. */
export async function isReadmittable(environment: Environment, record: UploadRecord): Promise<boolean> {
  return (await environment.quarantine.has(record.id)) || isBack(environment, record)
}

/**
 * Moves the bytes of a rejected upload back to where those of a complete one are. Until its record says so, they are
 * rejected: after a crash, the next opening moves them into the quarantine again.
 *
 * @throws UploadError `gone` if they are no longer there, `sync_failed`; the OS error.
 */
export async function takeBackRejected(environment: Environment, record: UploadRecord): Promise<void> {
  const { layout, modes, quarantine, directorySync, sync } = environment
  const { id } = record
  if (await quarantine.has(id)) {
    const rejected = rejectedFile(layout, id)
    await chmod(rejected, modes.file.bits)
    if (sync !== 'never') await synced(() => syncPath(rejected, 'all'))
    await quarantine.giveBack(id)
    if (sync !== 'never') await directorySync.sync(layout.incoming)
  } else if (!(await isBack(environment, record))) {
    throw new UploadError('gone', 'The bytes of this file are no longer in quarantine.')
  }
}

/** A crash came after the move. */
async function isBack({ layout }: Environment, { id, length }: UploadRecord): Promise<boolean> {
  const stats = await ifThere(() => stat(layout.incomingFile(id)))
  return length !== null && length > 0 && stats?.size === length
}
