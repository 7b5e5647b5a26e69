import { createHash, randomUUID } from 'node:crypto'
import type { Range } from '../../server/core/ranges.ts'
import { S3Error } from '../../server/s3/s3-error.ts'
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
} from '../../server/s3/s3-port.ts'

/** Keys in a page. */
const PAGE = 1000

interface StoredObject {
  readonly body: Buffer
  readonly lastModified: number
  readonly options: ObjectOptions
}

interface OpenMultipart {
  readonly key: string
  readonly options: ObjectOptions
  readonly parts: Map<number, { readonly etag: string; readonly body: Buffer }>
}

/** A bucket in memory. Each call is applied at once, as a whole. */
export class Bucket {
  readonly objects = new Map<string, StoredObject>()
  readonly multiparts = new Map<string, OpenMultipart>()
  /** Grows with each change. */
  version = 0
  readonly #now: () => number
  readonly #smallestPart: number

  /**
   * @param now milliseconds since 1970.
   * @param smallestPart what is refused as a part that is not the last one is smaller, in bytes.
   */
  constructor(now: () => number = Date.now, smallestPart = 5 * 1024 * 1024) {
    this.#now = now
    this.#smallestPart = smallestPart
  }

  /** When the bucket answers. */
  get answered(): Answered {
    return { date: this.#now() }
  }

  put(key: string, body: Buffer, { ifAbsent = false, ...options }: PutOptions = {}): void {
    if (ifAbsent && this.objects.has(key)) throw new S3Error('exists', key, { code: 'PreconditionFailed' })
    this.version += 1
    this.objects.set(key, { body: Buffer.from(body), lastModified: this.#now(), options })
  }

  get(key: string): SmallObject | undefined {
    return this.objects.get(key)
  }

  read(key: string, range: Range): Buffer {
    return bytesOf(this.#objectAt(key), range)
  }

  head(key: string): ObjectHead | undefined {
    const found = this.objects.get(key)
    if (found === undefined) return undefined
    return { size: found.body.length, lastModified: found.lastModified, metadata: found.options.metadata ?? {} }
  }

  list(prefix: string, { after = '', delimiter }: ListOptions = {}): ListPage {
    const objects: ListedObject[] = []
    const prefixes: string[] = []
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && byBytes(key, after) > 0)
    for (const key of keys.sort(byBytes)) {
      const cut = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length)
      if (cut >= 0) {
        const common = key.slice(0, cut + 1)
        if (common === after || prefixes.at(-1) === common) continue
        prefixes.push(common)
      } else {
        const { body, lastModified } = this.#objectAt(key)
        objects.push({ key, size: body.length, lastModified })
      }
      if (objects.length + prefixes.length < PAGE) continue
      return { objects, prefixes, next: cut >= 0 ? `${prefixes.at(-1)}\uffff` : key }
    }
    return { objects, prefixes, next: undefined }
  }

  remove(keys: readonly string[]): void {
    this.version += 1
    for (const key of keys) this.objects.delete(key)
  }

  copy(from: string, to: string, options?: ObjectOptions): void {
    const source = this.#objectAt(from)
    this.put(to, source.body, options ?? source.options)
  }

  createMultipart(key: string, options: ObjectOptions = {}): string {
    const uploadId = randomUUID()
    this.multiparts.set(uploadId, { key, options, parts: new Map() })
    return uploadId
  }

  copyPart({ uploadId, number, from, range }: PartCopy): string {
    const { parts } = this.#multipart(uploadId)
    const bytes = bytesOf(this.#objectAt(from), range)
    // A copy has an ETag of its own.
    const etag = `${createHash('md5').update(bytes).digest('hex')}-${randomUUID()}`
    parts.set(number, { etag, body: bytes })
    return etag
  }

  complete(uploadId: string, etags: readonly string[]): void {
    const { key, options, parts } = this.#multipart(uploadId)
    const bodies = etags.map((etag, i) => {
      const part = parts.get(i + 1)
      if (part === undefined || part.etag !== etag) {
        throw new S3Error('refused', `Part ${i + 1} is another one.`, { code: 'InvalidPart' })
      }
      if (i < etags.length - 1 && part.body.length < this.#smallestPart) {
        throw new S3Error('refused', `Part ${i + 1} is too small.`, { code: 'EntityTooSmall' })
      }
      return part.body
    })
    this.put(key, Buffer.concat(bodies), options)
    this.multiparts.delete(uploadId)
  }

  abort(uploadId: string): void {
    this.multiparts.delete(uploadId)
  }

  #objectAt(key: string): StoredObject {
    const found = this.objects.get(key)
    if (found === undefined) throw new S3Error('absent', key, { code: 'NoSuchKey' })
    return found
  }

  #multipart(uploadId: string): OpenMultipart {
    const found = this.multiparts.get(uploadId)
    if (found === undefined) throw new S3Error('absent', uploadId, { code: 'NoSuchUpload' })
    return found
  }
}

/** A port to a bucket that answers every call at once. */
export function memoryPort(bucket: Bucket): S3Port {
  return portTo(bucket, async (apply) => apply())
}

/** Decides when a call is applied, and what its caller hears. */
export type Transport = <T>(apply: () => T) => Promise<T>

/** A port to a bucket. */
export function portTo(bucket: Bucket, send: Transport): S3Port {
  const answered = async <T extends object>(apply: () => T): Promise<T & Answered> =>
    send(() => ({ ...apply(), ...bucket.answered }))
  const done = (apply: () => void): Promise<Answered> =>
    answered(() => {
      apply()
      return {}
    })
  return {
    put: (key, body, options) => {
      // The caller may use its memory again once it has an answer, not the bucket.
      const bytes = Buffer.from(body)
      return done(() => bucket.put(key, bytes, options))
    },
    get: (key) => answered(() => ({ found: bucket.get(key) })),
    read: async function* (key, range) {
      yield await send(() => Buffer.from(bucket.read(key, range)))
    },
    head: (key) => answered(() => ({ found: bucket.head(key) })),
    list: (prefix, options) => answered(() => bucket.list(prefix, options)),
    remove: (keys) => done(() => bucket.remove(keys)),
    copy: (from, to, options) => done(() => bucket.copy(from, to, options)),
    createMultipart: (key, options) => send(() => bucket.createMultipart(key, options)),
    copyPart: (part) => send(() => bucket.copyPart(part)),
    complete: (_key, uploadId, etags) => done(() => bucket.complete(uploadId, etags)),
    abort: (_key, uploadId) => done(() => bucket.abort(uploadId)),
    close: () => undefined,
  }
}

/** @throws S3Error if the object does not have them. */
function bytesOf({ body }: StoredObject, { start, end }: Range): Buffer {
  if (end > body.length) throw new S3Error('refused', 'The range is not in the object.', { code: 'InvalidRange' })
  return body.subarray(start, end)
}

/** Order of keys in S3. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
