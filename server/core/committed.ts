import type { EventType } from './events.ts'
import type { UploadRecord } from './record.ts'
import type { Store } from './store.ts'

/** An event whose change may have been committed or not. */
export interface DoubtfulEvent {
  readonly type: EventType
  /** The id of the upload. */
  readonly upload: string
  /** When the upload was created, as its record says. Ids of WebUploader uploads are used again after a deletion. */
  readonly createdAt: string
}

/** What shows whether a change was committed. */
export type Evidence = Pick<Store, 'summary' | 'open'>

/** Whether the store shows that the change of an event was committed. @throws UploadError `storage_error`. */
export async function isCommitted(store: Evidence, { type, upload, createdAt }: DoubtfulEvent): Promise<boolean> {
  const state = await stateOf(store, upload)
  const isGone = state.kind !== 'upload' || state.record.createdAt !== createdAt
  if (type === 'deleted' || type === 'expired') return isGone
  // No id is used again while its tombstone is there, and a refused creation leaves none.
  if (isGone) return type === 'created' && state.kind === 'gone'
  const { failed } = state.record
  // A file that has its name can still fail, until the directories are on disk.
  if (type === 'finished') return state.finished && failed === undefined
  if (type === 'rejected') return failed?.code === 'rejected'
  if (type === 'failed') return failed !== undefined && failed.code !== 'rejected'
  return type === 'created'
}

type State =
  | { readonly kind: 'upload'; readonly record: UploadRecord; readonly finished: boolean }
  | { readonly kind: 'gone' | 'unknown' }

async function stateOf(store: Evidence, id: string): Promise<State> {
  const summary = await store.summary(id)
  if (summary !== undefined) return { kind: 'upload', ...summary }
  // Only this distinguishes tombstones, and finds files in quarantine.
  const found = await store.open(id)
  if (found.kind !== 'upload') return { kind: found.kind }
  const { record, finished } = found.upload
  await found.upload.release()
  return { kind: 'upload', record, finished }
}
