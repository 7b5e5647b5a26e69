import { covers, type Range, union } from '../../server/core/ranges.ts'
import { accept, type ListedPiece } from '../../server/s3/accept.ts'
import { type Done, parseDone, parseLiveState, parseManifest } from '../../server/s3/documents.ts'
import { manifestName, type Piece, parseName, recordName } from '../../server/s3/names.ts'
import type { ListedObject, S3Port } from '../../server/s3/s3-port.ts'
import type { FaultProxy } from '../s3/fault-proxy.ts'
import type { EngineLocation } from '../support/s3-engine.ts'
import type { Kill } from './kills.ts'
import type { UploadModel } from './model.ts'
import { Violation } from './model.ts'
import type { Storage } from './storage.ts'

/** After this many restarts, only the size of a finished file is checked, not its bytes. */
const READ_AFTER_RESTARTS = 2
/** A listing shows no single moment: what it lacks may have been replaced while it was made. */
const MOST_LISTINGS = 5

/** The objects of an unfinished upload that count. */
interface Live {
  readonly pieces: readonly Piece[]
  /** Its bytes are those of another upload. */
  readonly isDiscarded: boolean
}

/** A part of a bucket, which programs reach through a proxy. */
export class BucketStorage implements Storage {
  readonly settings: Readonly<Record<string, string>>
  /** A program waits up to 10 s before it opens what an earlier one has just opened. */
  readonly patience = 30_000
  readonly longestLoad: number
  readonly resumesAtStart = false
  readonly events = undefined
  readonly checkLedger = undefined
  readonly #port: S3Port
  readonly #proxy: FaultProxy
  readonly #part: string

  /**
   * @param port reaches the bucket without the proxy.
   * @param part the beginning of all keys.
   * @param longestLoad before a kill in bodies, in milliseconds.
   */
  constructor(port: S3Port, { bucket, credentials }: EngineLocation, proxy: FaultProxy, part: string, longestLoad = 0) {
    this.longestLoad = longestLoad
    this.#port = port
    this.#proxy = proxy
    this.#part = part
    this.settings = {
      STORE: 's3',
      S3_ENDPOINT: proxy.url,
      S3_BUCKET: bucket,
      S3_ACCESS_KEY_ID: credentials.accessKeyId,
      S3_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      S3_PREFIX: this.#prefix,
      S3_KEY: `${this.#files}{id}/{name}`,
      SECRET: 'a secret of thirty-two characters',
    }
  }

  get #prefix(): string {
    return `${this.#part}/.landfall/`
  }

  get #files(): string {
    return `${this.#part}/files/`
  }

  arm(kill: Kill, end: () => void): void {
    if (kill.at !== 'call') return
    let left = kill.count
    const stop = this.#proxy.watch((_, moment) => {
      if (moment !== (kill.isAnswered ? 'answered' : 'arrived')) return
      left -= 1
      if (left > 0) return
      stop()
      end()
    })
  }

  async checkAtStart(uploads: readonly UploadModel[]): Promise<void> {
    for (const upload of uploads) {
      if (upload.removal === 'done' && upload.path !== undefined) await this.#checkGone(upload)
      else if (upload.finished && upload.removal === 'none') await this.checkFinishedFile(upload, false)
    }
  }

  async checkFinishedFile(upload: UploadModel, isLast: boolean): Promise<void> {
    const done = await this.#done(upload)
    if (done?.kind !== 'finished') upload.broken(`is finished, but the bucket says that it is ${done?.kind}`)
    const { content } = upload
    const head = await this.#port.head(done.key)
    if (head.found?.size !== content.length) upload.broken(`is finished with ${head.found?.size} bytes`)
    if (!isLast && upload.restartsSeen >= READ_AFTER_RESTARTS) return
    if (!(await this.#read(done.key))?.equals(content)) upload.broken('is finished with other bytes')
  }

  async nothingLeft(): Promise<(upload: UploadModel) => Promise<void>> {
    return (upload) => this.#checkGone(upload)
  }

  /** Its objects may outlive a kill for a while; no program shows them. */
  async #checkGone(upload: UploadModel): Promise<void> {
    const done = await this.#done(upload)
    if (done?.kind !== 'gone') upload.broken(`is deleted, but the bucket says that it is ${done?.kind}`)
  }

  async checkReceivedBytes(
    upload: UploadModel,
    ranges: readonly Range[],
    onMissing: () => Promise<unknown>,
  ): Promise<void> {
    for (let tries = 1; ; tries++) {
      const stored = union(await this.#storedBytes(upload))
      if (ranges.every((range) => range.start === range.end || covers(stored, range))) return
      if ((await this.#done(upload)) !== undefined) break
      if (tries === MOST_LISTINGS) break
    }
    await onMissing()
    const isThere = (await this.#done(upload))?.kind === 'finished'
    if (!isThere) upload.broken(`lacks bytes of ${JSON.stringify(ranges)}`)
  }

  async checkWhatIsThere(upload: UploadModel): Promise<void> {
    await this.#storedBytes(upload)
  }

  async hasNoBytes(part: UploadModel): Promise<boolean> {
    return (await this.#live(part)).isDiscarded
  }

  async isLanded(upload: UploadModel): Promise<boolean> {
    return (await this.#done(upload))?.kind === 'finished'
  }

  /** Only a program can tell: pieces without their record may count or not. */
  async isWhollyThere(): Promise<boolean> {
    return false
  }

  async checkLeftovers(uploads: readonly UploadModel[], unknown: number): Promise<void> {
    const known = new Set(uploads.map(({ id }) => id))
    const strangers = new Set<string>()
    for (const folder of [`${this.#prefix}live/`, this.#files]) {
      for (const { key } of await this.#list(folder)) {
        const [id = '', name = ''] = key.slice(folder.length).split('/')
        // The claims of an upload stay for a while after its end.
        if (!known.has(id) && parseName(name)?.kind !== 'claim') strangers.add(id)
      }
    }
    if (strangers.size > unknown) throw new Violation(`No client knows of ${[...strangers].join(', ')}`)
  }

  /**
   * The most claims that one upload has.
   *
   * @returns 1 for an upload that only its creator has opened.
   */
  async mostTerms(): Promise<number> {
    const claims = new Map<string, number>()
    const folder = `${this.#prefix}live/`
    for (const { key } of await this.#list(folder)) {
      const [id = '', name = ''] = key.slice(folder.length).split('/')
      if (parseName(name)?.kind === 'claim') claims.set(id, (claims.get(id) ?? 1) + 1)
    }
    return Math.max(1, ...claims.values())
  }

  /** The ranges of the pieces that count. @throws Violation if one has other bytes. */
  async #storedBytes(upload: UploadModel): Promise<readonly Range[]> {
    const { pieces } = await this.#live(upload)
    const found: Range[] = []
    for (const { name, start, end } of pieces) {
      const bytes = await this.#read(`${this.#folder(upload)}${name}`)
      // A cover has replaced it.
      if (bytes === undefined) continue
      if (!bytes.equals(upload.content.subarray(start, end))) upload.broken(`has other bytes from ${start} to ${end}`)
      found.push({ start, end })
    }
    return found
  }

  async #live(upload: UploadModel): Promise<Live> {
    const folder = this.#folder(upload)
    const listed: ListedPiece[] = []
    const records: { term: number; sequence: number }[] = []
    let base = 1
    for (const { key, size } of await this.#list(folder)) {
      const name = parseName(key.slice(folder.length))
      if (name?.kind === 'piece') listed.push({ piece: name.piece, size })
      if (name?.kind === 'record') records.push(name)
      if (name?.kind === 'manifest') base = Math.max(base, name.term)
    }
    const manifest = base === 1 ? undefined : await this.#get(`${folder}${manifestName(base)}`)
    const { state, pieces } = manifest === undefined ? { state: undefined, pieces: [] } : parseManifest(manifest)
    const sequence = Math.max(-1, ...records.filter(({ term }) => term === base).map(({ sequence }) => sequence))
    const record = sequence === -1 ? undefined : await this.#get(`${folder}${recordName(base, sequence)}`)
    const last = record === undefined ? state : parseLiveState(record)
    return {
      pieces: accept(listed, base, new Set(pieces), true).pieces,
      isDiscarded: last?.discarded === true,
    }
  }

  async #done(upload: UploadModel): Promise<Done | undefined> {
    const body = await this.#get(`${this.#prefix}done/${idOf(upload)}`)
    return body === undefined ? undefined : parseDone(body)
  }

  #folder(upload: UploadModel): string {
    return `${this.#prefix}live/${idOf(upload)}/`
  }

  async #get(key: string): Promise<Buffer | undefined> {
    return (await this.#port.get(key)).found?.body
  }

  /** The whole of an object of any size. */
  async #read(key: string): Promise<Buffer | undefined> {
    const { found } = await this.#port.head(key)
    if (found === undefined) return undefined
    if (found.size === 0) return Buffer.alloc(0)
    const parts: Buffer[] = []
    try {
      for await (const part of this.#port.read(key, { start: 0, end: found.size })) parts.push(part)
    } catch {
      return undefined
    }
    return Buffer.concat(parts)
  }

  async #list(prefix: string): Promise<readonly ListedObject[]> {
    const all: ListedObject[] = []
    for (let after: string | undefined; ; ) {
      const { objects, next } = await this.#port.list(prefix, { after })
      all.push(...objects)
      if (next === undefined) return all
      after = next
    }
  }
}

function idOf(upload: UploadModel): string {
  return upload.id ?? upload.broken('has no URL yet')
}
