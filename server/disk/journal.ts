import { randomBytes } from 'node:crypto'
import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { add, type Range, type Ranges, union } from '../core/ranges.ts'
import { synced } from './disk-error.ts'
import { ifThere } from './files.ts'

// A journal says which ranges of an upload count. It is a header and entries, 32 bytes each:
//   header  magic(8) boot(20) crc(4)
//   entry   kind(1) unused(3) index(8) start(8) end(8) crc(4)
// `range` adds [start, end). `mark` says that the data of the first `start` entries has been synced.

const SIZE = 32
const MAGIC = 'LFJRNL01'
const RANGE = 1
const MARK = 2
/** From how many entries on a journal that says little is written anew when it is loaded. */
const MANY = 256
/** The same while it is written to: so that this is rare. */
const VERY_MANY = 4096

/** The suffix of journals that this process is writing and has not renamed yet. */
const TEMPORARY = `.${randomBytes(4).toString('hex')}.tmp`

/** Whether this process is writing the journal file of this name. */
export function isBeingWritten(name: string): boolean {
  return name.endsWith(TEMPORARY)
}

interface Entry extends Range {
  readonly kind: number
}

/** What an upload has received, as far as its journal says. */
export interface JournalContent {
  /** All that counts. */
  readonly received: Ranges
  /** What is surely on the disk, too. */
  readonly synced: Ranges
}

/** The journal of one upload, open for more entries. One call at a time. */
export class Journal {
  readonly #path: string
  #file: FileHandle | undefined
  #count: number
  /** Whether whole entries lie behind the last one that counts: they would count if the process ended now. */
  #hasRemains = false

  private constructor(path: string, count: number) {
    this.#path = path
    this.#count = count
  }

  /** How many entries there are. */
  get count(): number {
    return this.#count
  }

  /** Whether it has so many more entries than it takes to say `received` that `load` should write it anew. */
  isLongFor(received: Ranges): boolean {
    return this.#count > VERY_MANY + 8 * received.length && !this.#hasRemains
  }

  /** Whether it holds a descriptor. */
  get isOpen(): boolean {
    return this.#file !== undefined
  }

  /** Writes a new journal, header and first entries with one write; it replaces one that is there. */
  static async create(path: string, boot: string, content: JournalContent, durable: boolean): Promise<Journal> {
    const entries = entriesOf(content)
    const temporary = `${path}${TEMPORARY}`
    const file = await open(temporary, 'w')
    try {
      await file.writeFile(Buffer.concat([header(boot), ...entries.map(encode)]))
      if (durable) await file.datasync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    return new Journal(path, entries.length)
  }

  /**
   * Reads a journal. What came in an earlier boot counts only as far as it was marked as synced. A torn tail is cut off.
   *
   * @param alsoSynced bytes that are known to be on the disk from elsewhere.
   * @returns `undefined` when there is none, or not even a whole header.
   */
  static async load(
    path: string,
    boot: string,
    alsoSynced: Range,
  ): Promise<{ journal: Journal; content: JournalContent } | undefined> {
    const bytes = await ifThere(() => readFile(path))
    if (bytes === undefined) return undefined
    const sameBoot = isHeader(bytes, header(boot))
    if (!sameBoot && !isHeader(bytes)) return undefined
    const entries = decodeAll(bytes)
    const marked = entries.findLast((entry) => entry.kind === MARK)?.start ?? 0
    const synced = add(rangesIn(entries.slice(0, marked)), alsoSynced)
    const received = sameBoot ? add(rangesIn(entries), alsoSynced) : synced
    const content = { received, synced }
    const torn = bytes.length !== SIZE * (1 + entries.length)
    if (!sameBoot || torn || entries.length > MANY + 4 * received.length) {
      return { journal: await Journal.create(path, boot, content, true), content }
    }
    return { journal: new Journal(path, entries.length), content }
  }

  /** Adds ranges that count from now on. @param durable whether they are on the disk when this returns. */
  async append(ranges: Ranges, durable: boolean): Promise<void> {
    const entries: Entry[] = ranges.map((range) => ({ kind: RANGE, start: range.start, end: range.end }))
    // The data was synced before: said in the same write, so that a power cut forgets neither.
    if (durable) entries.push({ kind: MARK, start: this.#count + entries.length, end: 0 })
    await this.#write(entries, durable)
  }

  /** Whether `clear` has something to do. */
  get hasRemains(): boolean {
    return this.#hasRemains
  }

  /**
   * Cuts off entries that were written without those that belong to them: they do not count, and their ranges are written anew.
   *
   * @param durable whether that is on the disk when this returns.
   */
  async clear(durable: boolean): Promise<void> {
    if (!this.#hasRemains) return
    this.#file ??= await open(this.#path, 'r+')
    const file = this.#file
    await file.truncate(SIZE * (1 + this.#count))
    if (durable) await synced(() => file.datasync())
    this.#hasRemains = false
  }

  /** Says that the data of the first `count` entries has been synced. */
  async mark(count: number): Promise<void> {
    await this.#write([{ kind: MARK, start: count, end: 0 }], false)
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close()
  }

  async unlink(): Promise<void> {
    await this.close()
    await rm(this.#path, { force: true })
  }

  async #write(entries: readonly Entry[], durable: boolean): Promise<void> {
    this.#file ??= await open(this.#path, 'r+')
    const file = this.#file
    const bytes = Buffer.concat(entries.map((entry, i) => encode(entry, this.#count + i)))
    const position = SIZE * (1 + this.#count)
    let written = 0
    try {
      while (written < bytes.length) {
        const { bytesWritten } = await file.write(bytes, written, bytes.length - written, position + written)
        written += bytesWritten
      }
    } catch (error) {
      if (written >= SIZE) this.#hasRemains = true
      await this.clear(durable).catch(() => undefined)
      throw error
    }
    if (durable) await synced(() => file.datasync())
    // Only now: entries that were written in part or not at all are written over by the next.
    this.#count += entries.length
  }
}

function entriesOf(content: JournalContent): Entry[] {
  const synced = content.synced.map((range) => ({ kind: RANGE, ...range }))
  const mark = synced.length > 0 ? [{ kind: MARK, start: synced.length, end: 0 }] : []
  return [...synced, ...mark, ...content.received.map((range) => ({ kind: RANGE, ...range }))]
}

function rangesIn(entries: readonly Entry[]): Ranges {
  return union(entries.filter((entry) => entry.kind === RANGE).map(({ start, end }) => ({ start, end })))
}

function header(boot: string): Buffer {
  const bytes = Buffer.alloc(SIZE)
  bytes.write(MAGIC, 0, 'latin1')
  // 20 of the 36 characters of a boot id, hyphens left out, are 80 random bits.
  bytes.write(boot.replaceAll('-', '').slice(0, 20), 8, 'latin1')
  return sealed(bytes)
}

function isHeader(bytes: Buffer, expected?: Buffer): boolean {
  const found = bytes.subarray(0, SIZE)
  if (expected !== undefined) return found.equals(expected)
  return found.length === SIZE && found.toString('latin1', 0, MAGIC.length) === MAGIC && isSealed(found)
}

function encode(entry: Entry, index: number): Buffer {
  const bytes = Buffer.alloc(SIZE)
  bytes.writeUInt8(entry.kind, 0)
  bytes.writeBigUInt64LE(BigInt(index), 4)
  bytes.writeBigUInt64LE(BigInt(entry.start), 12)
  bytes.writeBigUInt64LE(BigInt(entry.end), 20)
  return sealed(bytes)
}

function decodeAll(bytes: Buffer): Entry[] {
  const entries: Entry[] = []
  for (let position = SIZE; position + SIZE <= bytes.length; position += SIZE) {
    const found = bytes.subarray(position, position + SIZE)
    if (!isSealed(found) || Number(found.readBigUInt64LE(4)) !== entries.length) break
    entries.push({
      kind: found.readUInt8(0),
      start: Number(found.readBigUInt64LE(12)),
      end: Number(found.readBigUInt64LE(20)),
    })
  }
  return entries
}

function sealed(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(crc32(bytes.subarray(0, SIZE - 4)), SIZE - 4)
  return bytes
}

function isSealed(bytes: Buffer): boolean {
  return crc32(bytes.subarray(0, SIZE - 4)) === bytes.readUInt32LE(SIZE - 4)
}
