import { z } from 'zod'
import type { Ranges } from './ranges.ts'

/** What a client said about its file; a key without a value is `null` (tus creation extension). */
export type Metadata = Readonly<Record<string, string | null>>

/**
 * What is kept of an upload beside its bytes. It says neither "finished" (that is where the file is) nor how much has been
 * received (that is the file's size or the journal).
 */
export interface UploadRecord {
  readonly id: string
  /** Bytes; `null` while the client has not said it. */
  readonly length: number | null
  readonly metadata: Metadata
  /** The name under which the finished file will lie: safe as the last part of a path. */
  readonly fileName: string
  /** ISO 8601. */
  readonly createdAt: string
  /** WebUploader only: how many chunks, their size once a verified one has told it, and the visitor who sent the first. */
  readonly chunks?: number | undefined
  readonly chunkSize?: number | undefined
  readonly visitor?: string | undefined
  /** Only for WebUploader uploads: the data of its adapter. Records of the previous version have none. */
  readonly page?: PageRecord | undefined
  /** Upload-Metadata as it was sent, where the values above do not give it back byte for byte. */
  readonly rawMetadata?: string | undefined
  /** Digests of the finished file, in base64, by the names of `digest.ts`. */
  readonly digests?: Readonly<Record<string, string>> | undefined
  /** Concatenation: this is a part. It seals, but never lands by itself. */
  readonly partial?: true | undefined
  /** The final upload that this part belongs to. */
  readonly final?: string | undefined
  /** This part's bytes are, or are about to be, the final upload's. */
  readonly joined?: true | undefined
  /** Concatenation: the parts of this final upload, in order, and the header that named them. */
  readonly parts?: readonly string[] | undefined
  readonly concat?: string | undefined
  /** All of its bytes may be there, and still its client has to say that nothing follows (IETF draft, `Upload-Complete`). */
  readonly endAwaited?: true | undefined
  /** Which digest the answer to the end is to tell, as `Want-Repr-Digest` said it at the beginning (RFC 9530 §4). */
  readonly wantedDigest?: string | undefined
  /** Why this upload can never finish. */
  readonly failed?: { readonly code: FailureCode; readonly message: string } | undefined
  /** During which boot of the machine the bytes came, and how many of a plain upload's first bytes are surely on the disk. */
  readonly mark?: { readonly boot: string; readonly synced: number } | undefined
}

/** The data that the WebUploader adapter keeps with an upload. Senders are digests. */
export interface PageRecord {
  /** The sender that began the upload. */
  readonly begun: string
  /** The senders whose chunks count, at most 32; the one that began the upload is first, unless it was removed. */
  readonly senders: readonly string[]
  /** A sender sent different bytes for a stored chunk. */
  readonly contested?: true | undefined
  /** The modification time of the file, if a sender stated it. Milliseconds since 1970. */
  readonly modified?: number | undefined
  /** A digest of the custom fields that tell files apart. */
  readonly further?: string | undefined
  /** The size that the page reports, if it differs from the length of the upload. Bytes. */
  readonly size?: number | undefined
  /** How many earlier uploads of this sender failed because its chunk size changed. */
  readonly recut?: number | undefined
  /** A complete has confirmed the file. */
  readonly confirmed?: true | undefined
  /**
   * An explicit end finishes the upload, not its last byte. The previous version ignores this field and finishes the
   * upload.
   */
  readonly held?: true | undefined
  /** From the second sender on: the chunks that each has sent first, or sent again with equal bytes. */
  readonly shares?: Readonly<Record<string, Ranges>> | undefined
}

/** The reasons for which an upload ends in `failed`. */
export type FailureCode = (typeof FAILURES)[number]

const FAILURES = [
  'chunk_size_changed',
  'sync_failed',
  'digest_mismatch',
  'part_gone',
  'too_large',
  'wrong_length',
] as const

const size = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)

const page: z.ZodType<PageRecord> = z.object({
  begun: z.string(),
  senders: z.array(z.string()),
  contested: z.literal(true).optional(),
  modified: z.number().int().optional(),
  further: z.string().optional(),
  size: size.optional(),
  recut: size.optional(),
  confirmed: z.literal(true).optional(),
  held: z.literal(true).optional(),
  shares: z.record(z.string(), z.array(z.object({ start: size, end: size }))).optional(),
})

const schema: z.ZodType<UploadRecord> = z.object({
  id: z.string(),
  length: size.nullable(),
  metadata: z.record(z.string(), z.string().nullable()),
  fileName: z.string(),
  createdAt: z.string(),
  chunks: size.optional(),
  chunkSize: size.optional(),
  visitor: z.string().optional(),
  page: page.optional(),
  rawMetadata: z.string().optional(),
  digests: z.record(z.string(), z.string()).optional(),
  partial: z.literal(true).optional(),
  final: z.string().optional(),
  joined: z.literal(true).optional(),
  parts: z.array(z.string()).optional(),
  concat: z.string().optional(),
  endAwaited: z.literal(true).optional(),
  wantedDigest: z.string().optional(),
  failed: z.object({ code: z.enum(FAILURES), message: z.string() }).optional(),
  mark: z.object({ boot: z.string(), synced: size }).optional(),
})

/**
 * Reads a record out of parsed JSON.
 *
 * @throws ZodError when it is not one.
 */
export function parseRecord(json: unknown): UploadRecord {
  return schema.parse(json)
}

const ID = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/

/** Whether `id` can be the id of an upload: one plain part of a path, never `.` or `..`. */
export function isUploadId(id: string): boolean {
  return ID.test(id)
}
