import type { DirectorySync } from './directory-sync.ts'
import type { Layout } from './layout.ts'
import type { RecordFolders } from './record-folders.ts'
import type { UnsyncedUploads } from './unsynced.ts'

/**
 * When bytes are synced to the disk: `finish` before an upload is called finished, `always` before anything is
 * acknowledged, `never` leaves it to the operating system.
 */
export type SyncMode = 'finish' | 'always' | 'never'

/** Because somebody asked for it, or because it was stale. */
type Removal = 'remove' | 'expire'

/** The steps of repair and adoption after a crash. */
export type RecoveryStep =
  | 'recover:aside'
  | 'recover:record'
  | 'recover:journal'
  | 'adopt:record'
  | 'adopt:bytes'
  | 'adopt:done'

/** The steps between which a crash must lose nothing; tests stop the program at them. */
export type Step =
  | RecoveryStep
  | 'create:bytes'
  | 'create:record'
  | 'whole:bytes'
  | 'whole:record'
  | 'whole:folder'
  | 'whole:renamed'
  | 'whole:directories'
  | 'write:returned'
  | 'journal:created'
  | 'journal:appended'
  | 'record:replaced'
  | 'finish:synced'
  | 'finish:folder'
  | 'finish:renamed'
  | 'finish:directories'
  | 'finish:done'
  | 'takeover:joined'
  | 'takeover:marked'
  | 'takeover:renamed'
  | 'release:marked'
  | 'release:bytes'
  | 'release:done'
  | `${Removal}:tombstone`
  | `${Removal}:bytes`
  | `${Removal}:record`
  | `${Removal}:done`

/** What the parts of a disk store share. */
export interface Environment {
  readonly layout: Layout
  readonly sync: SyncMode
  /** Names the machine's current boot: after another one, bytes that were not synced cannot be trusted. */
  readonly boot: string
  readonly directorySync: DirectorySync
  readonly recordFolders: RecordFolders
  readonly unsynced: UnsyncedUploads
  /** Called when a step has been done. */
  readonly onStep: (step: Step) => void
}
