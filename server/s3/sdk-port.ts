import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { lengthOf, type Range } from '../core/ranges.ts'
import { checksumOf } from './checksum.ts'
import { S3Error } from './s3-error.ts'
import type {
  Answered,
  ListedObject,
  ListOptions,
  ListPage,
  ObjectHead,
  ObjectOptions,
  PartCopy,
  PutOptions,
  S3Port,
  SmallObject,
} from './s3-port.ts'
import { present, type S3Location, SdkClient, within } from './sdk-client.ts'
import { toS3Error } from './sdk-error.ts'

/** Connections at a time, but for `read`: a slow client that downloads holds one as long as it likes. */
const MAX_SOCKETS = 256

/** How long a try may take, in milliseconds. */
const TRY = 10_000
const PER_MEBIBYTE = 1_000
const PER_KEY = 20
/** Some engines copy all bytes when they complete an upload. */
const COMPLETE = 120_000
const PER_PART = 50

/** What DeleteObjects takes. */
const KEYS_PER_REQUEST = 1_000

/** How many objects are deleted at a time where there is no DeleteObjects. */
const PARALLEL_DELETES = 16

/** The answers of engines that have no DeleteObjects, or not this one. */
const NO_DELETE_OBJECTS: ReadonlySet<string> = new Set([
  'InvalidRequest',
  'MethodNotAllowed',
  'MissingContentMD5',
  'NotImplemented',
])

const LAST_CHARACTER = '\u{10ffff}'

/** S3 by the AWS SDK. Each call is one try. */
export class SdkPort implements S3Port {
  readonly #calls: SdkClient
  readonly #reads: SdkClient
  readonly #bucket: string
  #deletesSingly = false

  constructor(location: S3Location) {
    this.#calls = new SdkClient(location, MAX_SOCKETS)
    this.#reads = new SdkClient(location, Number.POSITIVE_INFINITY)
    this.#bucket = location.bucket
  }

  async put(key: string, body: Buffer, { ifAbsent = false, ...options }: PutOptions = {}): Promise<Answered> {
    const command = new PutObjectCommand({
      ...this.#object(key, options),
      Body: body,
      ContentLength: body.length,
      ChecksumCRC32: checksumOf(body),
      ...(ifAbsent ? { IfNoneMatch: '*' } : {}),
    })
    const what = `PutObject ${key}`
    const timeout = TRY + (body.length / 2 ** 20) * PER_MEBIBYTE
    const { date, ETag } = await this.#calls.run({ what, timeout }, (sdk, sending) => sdk.send(command, sending))
    present(ETag, what)
    return { date }
  }

  async get(key: string): Promise<Answered & { readonly found: SmallObject | undefined }> {
    const what = `GetObject ${key}`
    const command = new GetObjectCommand({ Bucket: this.#bucket, Key: key })
    const { date, found } = await this.#calls.find({ what, timeout: TRY }, async (sdk, sending) => {
      const output = await sdk.send(command, sending)
      // The time-out holds until the last byte.
      const body = Buffer.from(await present(output.Body, what).transformToByteArray())
      if (output.ContentLength !== body.length) throw incomplete(what)
      return Object.assign(output, { body, lastModified: present(output.LastModified, what).getTime() })
    })
    return { date, found: found === undefined ? undefined : { body: found.body, lastModified: found.lastModified } }
  }

  async *read(key: string, range: Range): AsyncGenerator<Buffer> {
    const what = `GetObject ${key}`
    let left = lengthOf(range)
    if (left === 0) return
    const command = new GetObjectCommand({
      Bucket: this.#bucket,
      Key: key,
      Range: `bytes=${range.start}-${range.end - 1}`,
    })
    const stop = new AbortController()
    let body: Readable | undefined
    try {
      const output = await this.#reads.run({ what, timeout: TRY }, (sdk, { abortSignal }) =>
        sdk.send(command, { abortSignal: AbortSignal.any([abortSignal, stop.signal]) }),
      )
      if (!(output.Body instanceof Readable)) throw incomplete(what)
      body = output.Body
      if (output.ContentLength !== left) throw new S3Error('refused', `${what}: the object does not have these bytes.`)
      const chunks = body[Symbol.asyncIterator]()
      for (;;) {
        // The reader may take its time; S3 may not.
        const { done, value }: IteratorResult<unknown> = await within(TRY, stop, chunks.next())
        if (done) break
        if (!Buffer.isBuffer(value)) throw incomplete(what)
        left -= value.length
        yield value
      }
      if (left !== 0) throw incomplete(what)
    } catch (error) {
      throw toS3Error(error, what)
    } finally {
      // A body that is left has no listener for its error.
      body?.on('error', () => undefined).destroy()
      stop.abort()
    }
  }

  async head(key: string): Promise<Answered & { readonly found: ObjectHead | undefined }> {
    const what = `HeadObject ${key}`
    const command = new HeadObjectCommand({ Bucket: this.#bucket, Key: key })
    const attempt = { what, timeout: TRY, isHead: true }
    const { date, found } = await this.#calls.find(attempt, (sdk, sending) => sdk.send(command, sending))
    if (found === undefined) return { date, found }
    const size = present(found.ContentLength, what)
    const lastModified = present(found.LastModified, what).getTime()
    return { date, found: { size, lastModified, metadata: found.Metadata ?? {} } }
  }

  async list(prefix: string, { after, delimiter }: ListOptions = {}): Promise<Answered & ListPage> {
    const what = `ListObjectsV2 ${prefix}`
    const command = new ListObjectsV2Command({
      Bucket: this.#bucket,
      Prefix: prefix,
      StartAfter: after,
      Delimiter: delimiter,
    })
    const output = await this.#calls.run({ what, timeout: TRY }, (sdk, sending) => sdk.send(command, sending))
    // An empty body is no empty listing.
    const isTruncated = present(output.IsTruncated, what)
    const objects = (output.Contents ?? []).map(
      (object): ListedObject => ({
        key: present(object.Key, what),
        size: present(object.Size, what),
        lastModified: present(object.LastModified, what).getTime(),
      }),
    )
    const prefixes = (output.CommonPrefixes ?? []).map((common) => present(common.Prefix, what))
    return { date: output.date, objects, prefixes, next: isTruncated ? endOf(objects, prefixes, what) : undefined }
  }

  async remove(keys: readonly string[]): Promise<Answered> {
    let date = 0
    for (let i = 0; i < keys.length; i += KEYS_PER_REQUEST) {
      const some = keys.slice(i, i + KEYS_PER_REQUEST)
      const isSingle = some.length === 1 || this.#deletesSingly
      date = await (isSingle ? this.#removeSingly(some) : this.#removeTogether(some))
    }
    return { date }
  }

  async copy(from: string, to: string, options?: ObjectOptions): Promise<Answered> {
    const what = `CopyObject ${to}`
    const command = new CopyObjectCommand({
      ...this.#object(to, options),
      CopySource: this.#source(from),
      ...(options === undefined ? {} : { MetadataDirective: 'REPLACE' }),
    })
    const output = await this.#calls.run({ what, timeout: COMPLETE }, (sdk, sending) => sdk.send(command, sending))
    present(output.CopyObjectResult?.ETag, what)
    return { date: output.date }
  }

  async createMultipart(key: string, options?: ObjectOptions): Promise<string> {
    const what = `CreateMultipartUpload ${key}`
    const command = new CreateMultipartUploadCommand(this.#object(key, options))
    const output = await this.#calls.run({ what, timeout: TRY }, (sdk, sending) => sdk.send(command, sending))
    return present(output.UploadId, what)
  }

  async copyPart({ key, uploadId, number, from, range }: PartCopy): Promise<string> {
    const what = `UploadPartCopy ${number} of ${key}`
    const command = new UploadPartCopyCommand({
      Bucket: this.#bucket,
      Key: key,
      UploadId: uploadId,
      PartNumber: number,
      CopySource: this.#source(from),
      CopySourceRange: `bytes=${range.start}-${range.end - 1}`,
    })
    const timeout = TRY + (lengthOf(range) / 2 ** 20) * PER_MEBIBYTE
    const output = await this.#calls.run({ what, timeout }, (sdk, sending) => sdk.send(command, sending))
    return present(output.CopyPartResult?.ETag, what)
  }

  async complete(key: string, uploadId: string, etags: readonly string[]): Promise<Answered> {
    const command = new CompleteMultipartUploadCommand({
      Bucket: this.#bucket,
      Key: key,
      UploadId: uploadId,
      MultipartUpload: { Parts: etags.map((ETag, i) => ({ ETag, PartNumber: i + 1 })) },
    })
    const what = `CompleteMultipartUpload ${key}`
    const timeout = COMPLETE + etags.length * PER_PART
    const output = await this.#calls.run({ what, timeout }, (sdk, sending) => sdk.send(command, sending))
    present(output.ETag, what)
    return { date: output.date }
  }

  async abort(key: string, uploadId: string): Promise<Answered> {
    const command = new AbortMultipartUploadCommand({ Bucket: this.#bucket, Key: key, UploadId: uploadId })
    const attempt = { what: `AbortMultipartUpload ${key}`, timeout: TRY }
    const { date } = await this.#calls.find(attempt, (sdk, sending) => sdk.send(command, sending))
    return { date }
  }

  close(): void {
    this.#calls.destroy()
    this.#reads.destroy()
  }

  /** @returns when the last one was answered. */
  async #removeSingly(keys: readonly string[]): Promise<number> {
    const left = keys.values()
    let latest = 0
    const removeNext = async (): Promise<void> => {
      for (const key of left) {
        const command = new DeleteObjectCommand({ Bucket: this.#bucket, Key: key })
        const attempt = { what: `DeleteObject ${key}`, timeout: TRY }
        const { date } = await this.#calls.find(attempt, (sdk, sending) => sdk.send(command, sending))
        latest = Math.max(latest, date)
      }
    }
    await Promise.all(Array.from({ length: Math.min(PARALLEL_DELETES, keys.length) }, removeNext))
    return latest
  }

  async #removeTogether(keys: readonly string[]): Promise<number> {
    const what = `DeleteObjects ${keys[0]} and ${keys.length - 1} more`
    const command = new DeleteObjectsCommand({
      Bucket: this.#bucket,
      Delete: { Objects: keys.map((Key) => ({ Key })), Quiet: true },
    })
    try {
      const timeout = TRY + keys.length * PER_KEY
      const output = await this.#calls.run({ what, timeout }, (sdk, sending) => sdk.send(command, sending))
      const failed = (output.Errors ?? []).find(({ Code }) => Code !== 'NoSuchKey')
      if (failed !== undefined) throw new S3Error('unknown', `${what}: ${failed.Code}.`, { code: failed.Code })
      return output.date
    } catch (error) {
      if (!(error instanceof S3Error) || !NO_DELETE_OBJECTS.has(error.code ?? '')) throw error
      this.#deletesSingly = true
      return this.#removeSingly(keys)
    }
  }

  #object(key: string, { contentType, contentDisposition, metadata }: ObjectOptions = {}) {
    return {
      Bucket: this.#bucket,
      Key: key,
      ContentType: contentType,
      ContentDisposition: contentDisposition,
      ...(metadata === undefined ? {} : { Metadata: { ...metadata } }),
    }
  }

  /** A header: keys that are not ASCII are encoded. */
  #source(key: string): string {
    return `${this.#bucket}/${key.split('/').map(encodeURIComponent).join('/')}`
  }
}

/** The `after` of the page behind this one. */
function endOf(objects: readonly ListedObject[], prefixes: readonly string[], what: string): string {
  const lastKey = objects.at(-1)?.key ?? ''
  const lastPrefix = prefixes.at(-1)
  // A prefix stands for all keys that begin with it.
  const end =
    lastPrefix !== undefined && Buffer.from(lastPrefix).compare(Buffer.from(lastKey)) > 0
      ? `${lastPrefix}${LAST_CHARACTER}`
      : lastKey
  return present(end === '' ? undefined : end, what)
}

function incomplete(what: string): S3Error {
  return new S3Error('unknown', `${what}: the answer breaks off.`)
}
