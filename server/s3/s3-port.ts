import type { Range } from '../core/ranges.ts'

/**
 * The calls to S3 that the store needs. Keys are full keys of one bucket. Bodies are buffers of known length: an engine
 * may publish the beginning of a stream that breaks.
 *
 * Every call throws `S3Error`; its `outcome` says whether the call may have been applied.
 */
export interface S3Port {
  /**
   * PutObject with a checksum that the engine verifies. The body may be overwritten only when this has succeeded;
   * the checksum refuses what an earlier try may send of it then.
   *
   * @throws S3Error `exists` if `ifAbsent` is set, and there is an object: it may be this very one, after a retry.
   */
  put(key: string, body: Buffer, options?: PutOptions): Promise<Answered>
  /** GetObject of a small object, whole. */
  get(key: string): Promise<Answered & { readonly found: SmallObject | undefined }>
  /**
   * GetObject, as a stream. A break in the middle is resumed.
   *
   * @throws S3Error `absent`.
   */
  read(key: string, range: Range): AsyncIterable<Buffer>
  /** HeadObject. */
  head(key: string): Promise<Answered & { readonly found: ObjectHead | undefined }>
  /** ListObjectsV2: one page, in order of keys. */
  list(prefix: string, options?: ListOptions): Promise<Answered & ListPage>
  /** DeleteObjects, or DeleteObject where there is none. Keys that do not exist are no error. */
  remove(keys: readonly string[]): Promise<Answered>
  /** CopyObject. @throws S3Error `absent`. */
  copy(from: string, to: string, options?: ObjectOptions): Promise<Answered>
  /** CreateMultipartUpload. @returns its id. */
  createMultipart(key: string, options?: ObjectOptions): Promise<string>
  /** UploadPartCopy. @returns the ETag of the part. @throws S3Error `absent` for the source or the multipart upload. */
  copyPart(part: PartCopy): Promise<string>
  /**
   * CompleteMultipartUpload.
   *
   * @param etags of all parts, in order.
   * @throws S3Error `absent` if there is no such multipart upload: it may be complete already.
   */
  complete(key: string, uploadId: string, etags: readonly string[]): Promise<Answered>
  /** AbortMultipartUpload. One that does not exist is no error. */
  abort(key: string, uploadId: string): Promise<Answered>
  /** Releases connections. */
  close(): void
}

/** What every answer tells. */
export interface Answered {
  /** When S3 answered, by its own clock: milliseconds since 1970. */
  readonly date: number
}

/** How a file is described to those who read the bucket. */
export interface ObjectOptions {
  readonly contentType?: string | undefined
  readonly contentDisposition?: string | undefined
  /** Only ASCII. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
}

export interface PutOptions extends ObjectOptions {
  /** Whether there must be no object of this key (`If-None-Match: *`). */
  readonly ifAbsent?: boolean
}

export interface SmallObject {
  readonly body: Buffer
  /** Milliseconds since 1970. */
  readonly lastModified: number
}

export interface ObjectHead {
  /** Bytes. */
  readonly size: number
  /** Milliseconds since 1970. */
  readonly lastModified: number
  readonly metadata: Readonly<Record<string, string>>
}

export interface ListOptions {
  /** Only keys after this one. */
  readonly after?: string | undefined
  /** Keys that have it after the prefix appear only as `prefixes`. */
  readonly delimiter?: string | undefined
}

export interface ListPage {
  readonly objects: readonly ListedObject[]
  readonly prefixes: readonly string[]
  /** The `after` of the next page; `undefined` after the last. */
  readonly next: string | undefined
}

export interface ListedObject {
  readonly key: string
  /** Bytes. */
  readonly size: number
  /** Milliseconds since 1970. */
  readonly lastModified: number
}

export interface PartCopy {
  readonly key: string
  readonly uploadId: string
  /** From 1 on. */
  readonly number: number
  readonly from: string
  /** The bytes of `from`. */
  readonly range: Range
}
