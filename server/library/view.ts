import type { UploadFacts } from '../core/decisions.ts'
import { type FailureReason, type Metadata, nameOf } from '../core/record.ts'

/** What an application sees of an upload. */
export interface UploadView {
  readonly id: string
  /** The name that the client gave the file; if it gave none, the one that the file has in the store. */
  readonly name: string
  /** Bytes; `null` until the client declares it. */
  readonly size: number | null
  /** How many bytes from 0 on have been received. */
  readonly offset: number
  /** From the client; a key without a value is `null`. */
  readonly metadata: Metadata
  readonly createdAt: Date
  /** A digest of the user; `undefined` for an anonymous one. */
  readonly owner: string | undefined
  /** Where the bytes are, if they are in a file: while the upload is not finished, do not touch them. */
  readonly path: string | undefined
  /** Where the file is in a bucket of S3, if it is finished and kept there. */
  readonly object: { readonly bucket: string; readonly key: string } | undefined
  /** A part of another upload (tus concatenation); it never becomes a file by itself. */
  readonly isPart: boolean
  /** Digests of the file that are known, in base64, by their names of RFC 9530. */
  readonly digests: Readonly<Record<string, string>>
  /** Why the upload can never finish. */
  readonly failure: Pick<FailureReason, 'code' | 'message'> | undefined
}

/** An upload in the store. */
export interface StoredView extends UploadView {
  readonly finishedAt: Date | undefined
}

/** The view of an upload. */
export function viewOf({ record, offset, path, object }: UploadFacts): UploadView {
  const { id, length, metadata, createdAt, owner, partial, failed, digests = {}, fileName } = record
  return {
    id,
    name: nameOf(metadata) || fileName,
    size: length,
    offset,
    metadata,
    createdAt: new Date(createdAt),
    owner,
    path,
    object,
    isPart: partial === true,
    digests,
    failure: failed === undefined ? undefined : { code: failed.code, message: failed.message },
  }
}
