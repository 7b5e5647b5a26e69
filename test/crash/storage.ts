import type { Range } from '../../server/core/ranges.ts'
import type { UploadRecord } from '../../server/core/record.ts'
import type { Kill } from './kills.ts'
import type { UploadModel } from './model.ts'
import type { Counted } from './recount.ts'

/** Where the programs of a plan keep their uploads, and what the checks find there without asking a program. */
export interface Storage {
  /** The settings of a program that uses it. */
  readonly settings: Readonly<Record<string, string>>
  /** How long a program may take to do something by itself, in milliseconds. */
  readonly patience: number
  /** The longest load before a kill in bodies, in milliseconds. */
  readonly longestLoad: number
  /** Whether a program resumes at its start what a kill has interrupted; otherwise the next request does. */
  readonly resumesAtStart: boolean
  /** What the events must agree with; `undefined` where they are not compared. */
  readonly events: EventFacts | undefined
  /** Compares the totals of a program that has stopped with a recount; `undefined` where there is none. */
  readonly checkLedger: ((groups: readonly (readonly UploadModel[])[]) => Promise<readonly Counted[]>) | undefined
  /** Calls `end` when the moment of the kill comes, unless the program itself notices it. */
  arm(kill: Kill, end: () => void): void
  /** Checks everything as soon as the program listens, before the first request. @throws Violation */
  checkAtStart(uploads: readonly UploadModel[]): Promise<void>
  /** @throws Violation unless the file is in its final place with the sent bytes. */
  checkFinishedFile(upload: UploadModel, isLast: boolean): Promise<void>
  /**
   * Lists what is there once, because that takes time.
   *
   * @returns a check of uploads that were deleted before. It throws Violation when anything of one remains that could
   * appear again.
   */
  nothingLeft(): Promise<(upload: UploadModel) => Promise<void>>
  /**
   * @param onMissing called before missing bytes count as a violation.
   * @throws Violation unless the bytes of each range are stored; what `onMissing` throws.
   */
  checkReceivedBytes(upload: UploadModel, ranges: readonly Range[], onMissing: () => Promise<unknown>): Promise<void>
  /** Checks the stored bytes of an upload, if it has some, while requests may change it. @throws Violation */
  checkWhatIsThere(upload: UploadModel): Promise<void>
  /** Whether a part has no stored bytes of its own left. */
  hasNoBytes(part: UploadModel): Promise<boolean>
  /** Whether the file is in its final place. */
  isLanded(upload: UploadModel): Promise<boolean>
  /** Whether the store alone says that all bytes have arrived, although the upload is not finished. */
  isWhollyThere(upload: UploadModel): Promise<boolean>
  /**
   * Checks everything when no request is running, and every upload is finished or deleted.
   *
   * @param unknown how many uploads may exist whose creation received no response.
   * @throws Violation
   */
  checkLeftovers(uploads: readonly UploadModel[], unknown: number): Promise<void>
}

/** The uploads of which events must have told. */
export interface EventFacts {
  records(): Promise<readonly { readonly record: UploadRecord; readonly isFinished: boolean }[]>
  /** Ids with a tombstone. */
  gone(): Promise<readonly string[]>
}
