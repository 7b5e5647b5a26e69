import { DirectoryFormat } from '../../server/disk/directory-format.ts'
import { DirectorySync } from '../../server/disk/directory-sync.ts'
import type { Environment } from '../../server/disk/environment.ts'
import { FinishedFolders } from '../../server/disk/finished-folders.ts'
import { Layout } from '../../server/disk/layout.ts'
import { PRIVATE_FILE, PRIVATE_FOLDER } from '../../server/disk/modes.ts'
import { Quarantine } from '../../server/disk/quarantine.ts'
import { RecordFolders } from '../../server/disk/record-folders.ts'
import { UnsyncedUploads } from '../../server/disk/unsynced.ts'

/** The environment that record files of a data directory need, without a store. */
export function environmentIn(folder: string): Environment {
  const layout = new Layout(folder)
  const onStep = (): void => undefined
  const format = new DirectoryFormat(layout, onStep)
  return {
    layout,
    modes: { file: PRIVATE_FILE, folder: PRIVATE_FOLDER },
    sync: 'never',
    boot: '0'.repeat(32),
    directorySync: new DirectorySync(),
    format,
    recordFolders: new RecordFolders(layout, undefined),
    finishedFolders: new FinishedFolders({ layout, format, permission: PRIVATE_FOLDER, sync: undefined, onStep }),
    unsynced: new UnsyncedUploads(),
    quarantine: new Quarantine(layout, 0),
    onStep,
  }
}
