import type { DirectoryFormat } from './directory-format.ts'
import type { DirectorySync } from './directory-sync.ts'
import type { FinishedFolders, FolderStep } from './finished-folders.ts'
import type { Layout } from './layout.ts'
import type { Modes } from './modes.ts'
import type { Quarantine } from './quarantine.ts'
import type { RecordFolders } from './record-folders.ts'
import type { UnsyncedUploads } from './unsynced.ts'

/**
 * When bytes are synced to disk: `finish` before an upload is reported as finished, `always` before anything is
 * acknowledged, `never` leaves it to the OS.
 */
export type SyncMode = 'finish' | 'always' | 'never'

/** On request, or by expiration. */
type Removal = 'remove' | 'expire'

/** The steps of repair and adoption after a crash. */
export type RecoveryStep =
  | 'recover:aside'
  | 'recover:record'
  | 'recover:journal'
  | 'adopt:record'
  | 'adopt:bytes'
  | 'adopt:done'

/** The steps of moving a rejected file away, and back. */
export type RejectionStep = 'reject:moved' | 'reject:done' | 'readmit:moved' | 'readmit:done'

/** The steps of the outbox. */
export type OutboxStep = 'outbox:written' | 'outbox:synced' | 'outbox:marked' | 'outbox:compacted'

/** The step of a directory that older versions can no longer read. */
export type FormatStep = 'format:raised'

/** The steps of a creation from a finished upload. */
export type LinkStep = 'link:bytes' | 'link:record'

/** The steps of an import from another server. */
export type ImportStep = 'import:copied' | 'import:bytes' | 'import:record' | 'import:done'

/** The steps between which a crash must lose nothing. Tests kill the program at each. */
export type Step =
  | RecoveryStep
  | RejectionStep
  | OutboxStep
  | FolderStep
  | FormatStep
  | ImportStep
  | LinkStep
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

/** The state and settings that the files of this directory share. */
export interface Environment {
  readonly layout: Layout
  readonly modes: Modes
  readonly sync: SyncMode
  /** Identifies the current boot of the host: unsynced bytes of an earlier one cannot be trusted. */
  readonly boot: string
  readonly directorySync: DirectorySync
  readonly format: DirectoryFormat
  readonly recordFolders: RecordFolders
  readonly finishedFolders: FinishedFolders
  readonly unsynced: UnsyncedUploads
  readonly quarantine: Quarantine
  /** Called after each step. */
  readonly onStep: (step: Step) => void
}
