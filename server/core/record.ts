import { randomUUID } from 'node:crypto'
import type { Answer } from './answer.ts'
import { idOn } from './node-id.ts'
import type { Ranges } from './ranges.ts'
import { safeName } from './safe-name.ts'

/** Metadata from the client; a key without a value is `null` (tus creation extension). */
export type Metadata = Readonly<Record<string, string | null>>

/**
 * The stored facts about an upload, apart from its bytes. Two facts are elsewhere: an upload is finished when its file
 * has its final name, and the size of the file or the journal determines which bytes were received.
 */
export interface UploadRecord {
  readonly id: string
  /** Bytes; `null` until the client declares it. */
  readonly length: number | null
  readonly metadata: Metadata
  /** The Upload-Metadata header, if `metadata` does not reproduce it byte for byte. */
  readonly rawMetadata?: string | undefined
  /** The name of the finished file: a safe path segment. */
  readonly fileName: string
  /** Where the directory of the finished file is, relative to that of all files: safe segments, joined by slashes. */
  readonly folder?: string | undefined
  /** ISO 8601. */
  readonly createdAt: string
  /** The owner of the upload, a digest; without one, any client that knows the URL may use it. */
  readonly owner?: string | undefined
  /** The account that the ledger charges for an upload without an owner: a digest of the client's network. */
  readonly account?: string | undefined
  /** Credentials limit the types of files: the content must be of the type that the name says. */
  readonly typed?: true | undefined
  /** Set before the file becomes visible, if a scan had to pass it. */
  readonly scan?: 'clean' | undefined
  /** An administrator has released the rejected file: nothing decides about it any more. */
  readonly released?: true | undefined
  /** Digests of the finished file, in base64, by the names of `digest.ts`. */
  readonly digests?: Readonly<Record<string, string>> | undefined
  /** Of the finished file: see `fingerprintOf`. */
  readonly fingerprint?: string | undefined
  /** The bytes came from a finished upload, not from a client. */
  readonly copied?: true | undefined
  /** Concatenation: a part, which never becomes a file by itself. */
  readonly partial?: true | undefined
  /** The final upload that this part belongs to. */
  readonly final?: string | undefined
  /** The bytes of this part belong to the final upload, or are about to. */
  readonly joined?: true | undefined
  /** The ids of the parts of this final upload, in order. */
  readonly parts?: readonly string[] | undefined
  /** Only an explicit end finishes the upload, not its last byte. */
  readonly endAwaited?: true | undefined
  /** Why the upload can never finish. */
  readonly failed?: FailureReason | undefined
  /** What the application answered when it accepted the file. */
  readonly answer?: Answer | undefined
  /**
   * The boot of the host during which the bytes arrived, and how many leading bytes of an upload without a journal are
   * on disk.
   */
  readonly mark?: { readonly boot: string; readonly synced: number } | undefined
  readonly webUploader?: WebUploaderRecord | undefined
  /** `concat`: the Upload-Concat header of a final upload. */
  readonly tus?: { readonly concat: string } | undefined
  /** `wantedDigest`: the Want-Repr-Digest header of the creation (RFC 9530 §4). */
  readonly draft?: { readonly wantedDigest: string } | undefined
  /** The protocol of the creation, unless it was tus or WebUploader. */
  readonly protocol?: 'draft' | undefined
  /** Keys written by a newer version. Only the store that read them looks inside, to write them back. */
  readonly unknown?: Readonly<Record<string, unknown>> | undefined
}

/** The WebUploader adapter's part of a record. Senders are digests. */
export interface WebUploaderRecord {
  readonly chunks?: number | undefined
  /** Bytes; known from the first verified chunk on. */
  readonly chunkSize?: number | undefined
  /** The longest range of a request in bytes, where the page chooses the ranges. */
  readonly longest?: number | undefined
  /** The visitor that began the upload. */
  readonly visitor?: string | undefined
  /** The sender that began the upload. Records of the first version have neither `begun` nor `senders`. */
  readonly begun?: string | undefined
  /** The senders whose chunks count, at most 32; the one that began the upload is first, unless it was removed. */
  readonly senders?: readonly string[] | undefined
  /** A sender sent different bytes for a stored chunk. */
  readonly contested?: true | undefined
  /** The modification time of the file, if a sender stated it. Milliseconds since 1970. */
  readonly modified?: number | undefined
  /** A digest of the custom fields that distinguish files. */
  readonly further?: string | undefined
  /** The size that the page reports, if it differs from the length of the upload. Bytes. */
  readonly size?: number | undefined
  /** How many earlier uploads of this sender failed because its chunk size changed. */
  readonly recut?: number | undefined
  /** A complete has confirmed the file. */
  readonly confirmed?: true | undefined
  /** From the second sender on: the chunks that each has sent first, or sent again with equal bytes. */
  readonly shares?: Readonly<Record<string, Ranges>> | undefined
}

/** The reasons for which an upload fails. */
export const FAILURE_CODES = [
  'chunk_size_changed',
  'sync_failed',
  'digest_mismatch',
  'part_gone',
  'rejected',
  'too_large',
  'type_not_allowed',
  'wrong_length',
] as const

export type FailureCode = (typeof FAILURE_CODES)[number]

/** Why an upload has failed. */
export interface FailureReason {
  readonly code: FailureCode
  readonly message: string
  /** The answer of the application that rejected the file. */
  readonly answer?: Answer | undefined
}

/** The facts that the client of a new upload decides. */
export type NewUpload = Pick<
  UploadRecord,
  'length' | 'metadata' | 'rawMetadata' | 'partial' | 'endAwaited' | 'draft' | 'protocol'
>

/** Makes the record of a new upload, with an unguessable id. @param node like that of `idOn`. */
export function newRecord(upload: NewUpload, node = ''): UploadRecord {
  return {
    ...upload,
    id: idOn(node, randomUUID().replaceAll('-', '')),
    fileName: safeName(nameOf(upload.metadata)),
    createdAt: new Date().toISOString(),
  }
}

/** The client's name of the file, as sent; empty if there is none. */
export function nameOf({ filename, name }: Metadata): string {
  return filename || name || ''
}

const ID = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/

/** Whether `id` can be the id of an upload: a single path segment, never `.` or `..`. */
export function isUploadId(id: string): boolean {
  return ID.test(id)
}
