import type { Answer } from './answer.ts'
import type { Principal } from './principal.ts'
import type { Metadata, UploadRecord } from './record.ts'
import type { ObjectPlace } from './store.ts'

/** What an application sees of an upload. */
export interface UploadFacts {
  readonly record: UploadRecord
  /** Bytes from 0 on that have been received. */
  readonly offset: number
  /** Where a program of this host finds the bytes, if they are in a file. */
  readonly path: string | undefined
  /** Where the file is in a bucket: of a finished upload, if the store keeps files there. */
  readonly object?: ObjectPlace | undefined
}

/** What an application changes about a new upload. */
export interface CreationChanges {
  /** Replaces all metadata. */
  readonly metadata?: Metadata | undefined
  /** Ignored for uploads whose id follows from other facts: those of WebUploader, and final uploads. */
  readonly id?: string | undefined
  /**
   * The folder of the finished file, instead of that of the setting `FOLDER`: a path relative to the folder of finished
   * files; empty for none. In it, each file is alone in a directory with the id of its upload as name.
   */
  readonly folder?: string | undefined
  /** The folder and the name of the finished file: a relative path like `2026/report.pdf`. */
  readonly path?: string | undefined
}

/** The decision that an upload may be created. */
export interface CreationDecision {
  readonly changes?: CreationChanges | undefined
  readonly answer?: Answer | undefined
}

/**
 * Decisions of the application, made before something is done. An error that is not a `Refusal` is no decision: the
 * request fails, and the client may try again.
 */
export interface Decisions {
  /** @throws Refusal. Then nothing is created. */
  beforeCreate?(record: UploadRecord, principal: Principal): Promise<CreationDecision | undefined>
  /**
   * Called when every byte is there, and no client can read the file yet. After a crash it may be called again.
   *
   * @param signal aborts the question when the upload is removed.
   * @returns what clients receive that complete the upload, or ask for it later.
   * @throws Refusal. Then the upload has failed.
   */
  beforeFinish?(upload: UploadFacts, signal: AbortSignal): Promise<Answer | undefined>
  /** Called before a client deletes an upload. @throws Refusal. Then the upload stays. */
  beforeDelete?(upload: UploadFacts): Promise<Answer | undefined>
}
