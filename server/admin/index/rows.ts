import type { FailureCode } from '../../core/record.ts'
import type { ListQuery, UploadLine, UploadState } from '../contract.ts'

/** What the index knows of an upload. Times are in milliseconds since 1970. */
export interface IndexRow {
  readonly id: string
  /** At most 255 bytes of UTF-8. */
  readonly name: string
  /** Bytes; `null` while it is not known. */
  readonly size: number | null
  /** Bytes, wherever they are in the file. */
  readonly received: number
  readonly state: UploadState
  readonly owner: string | null
  readonly protocol: UploadLine['protocol']
  readonly createdAt: number
  readonly changedAt: number
  readonly taskId: string | null
  readonly failure: FailureCode | null
  /** Whether it expires only together with other uploads. */
  readonly isRelated: boolean
}

/** Changes of the index, in order. */
export interface IndexChanges {
  readonly rows: readonly IndexRow[]
  /** The ids of uploads that are gone. */
  readonly gone: readonly string[]
}

export interface IndexPage {
  readonly rows: readonly IndexRow[]
  readonly next: string | null
  readonly total: number | null
}

export interface Amount {
  readonly count: number
  readonly bytes: number
}

/** Uploads that a sweep would remove. */
export interface StaleUploads extends Amount {
  /** The oldest ones, at most 100. */
  readonly examples: readonly IndexRow[]
}

/** What the worker of the index is asked. */
export type IndexQuestion =
  | { readonly kind: 'apply'; readonly changes: IndexChanges }
  | { readonly kind: 'page'; readonly query: ListQuery }
  | { readonly kind: 'get'; readonly id: string }
  | { readonly kind: 'amounts' }
  /** The time is that of the last change, in milliseconds since 1970. */
  | { readonly kind: 'stale'; readonly before: number }
  /** Which of these uploads are unknown, or not finished. */
  | { readonly kind: 'unsettled'; readonly ids: readonly string[] }
  | { readonly kind: 'memory' }

export interface IndexAnswers {
  readonly apply: undefined
  readonly page: IndexPage
  readonly get: IndexRow | undefined
  readonly amounts: Readonly<Record<UploadState, Amount>>
  readonly stale: StaleUploads
  readonly unsettled: readonly string[]
  /** Bytes of the worker: its heap, and the arrays of the index. */
  readonly memory: { readonly heap: number; readonly arrays: number }
}
