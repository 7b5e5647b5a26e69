import { randomBytes } from 'node:crypto'
import { type FileHandle, readFile, rename, rm } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { add, type Range, type Ranges, union } from '../core/ranges.ts'
import { synced } from './disk-error.ts'
import { ifThere, openExisting, openNew } from './files.ts'

// A journal lists the ranges of an upload that count. It has a header and entries, 32 bytes each:
//   header  magic(8) boot(20) crc(4)
//   entry   kind(1) unused(3) index(8) start(8) end(8) crc(4)
// `range` adds [start, end). `mark` records that the data of the first `start` entries is on disk.

const ENTRY_SIZE = 32
const MAGIC = 'LFJRNL01'
const RANGE = 1
const MARK = 2
/** A journal with more entries is compacted when it is loaded, if that makes it much shorter. */
const COMPACT_ON_LOAD_AFTER_ENTRIES = 256
/** The same while it is in use, where compaction must be rare. */
const COMPACT_AFTER_ENTRIES = 4096

/** The suffix of journals that this process is writing and has not renamed yet. */
const TEMPORARY = `.${randomBytes(4).toString('hex')}.tmp`

/** Whether this process is writing the journal file of this name. */
export function isBeingWritten(name: string): boolean {
  return name.endsWith(TEMPORARY)
}

interface Entry extends Range {
  readonly kind: number
}

/** The received ranges that a journal describes. */
export interface JournalContent {
  /** The ranges that count. */
  readonly received: Ranges
  /** The ranges that are on disk. */
  readonly synced: Ranges
}

/** The journal of an upload. Calls must not overlap. */
export class Journal {
  readonly #path: string
  #file: FileHandle | undefined
  #count: number
  /** Whether complete entries follow the last one that counts: after a crash, they would count. */
  #hasRemains = false

  private constructor(path: string, count: number) {
    this.#path = path
    this.#count = count
  }

  /** The number of entries. */
  get count(): number {
    return this.#count
  }

  /** Whether it has so many more entries than `received` needs that it should be compacted with `load`. */
  isLongFor(received: Ranges): boolean {
    return this.#count > COMPACT_AFTER_ENTRIES + 8 * received.length && !this.#hasRemains
  }

  /** Whether it has an open descriptor. */
  get isOpen(): boolean {
    return this.#file !== undefined
  }

  /** Writes a new journal, header and entries at once, in place of an existing one. */
  static async create(path: string, boot: string, content: JournalContent, durable: boolean): Promise<Journal> {
    const entries = entriesOf(content)
    const temporary = `${path}${TEMPORARY}`
    const file = await openNew(temporary)
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
   * Reads a journal. Of the ranges from an earlier boot, only those marked as synced count. A torn tail is cut off.
   *
   * @param alsoSynced more bytes that are on disk.
   * @returns `undefined` when there is none with a valid header.
   */
  static async load(
    path: string,
    boot: string,
    alsoSynced: Range,
  ): Promise<{ journal: Journal; content: JournalContent } | undefined> {
    const bytes = await ifThere(() => readFile(path))
    const parsed = bytes && parse(bytes, boot, alsoSynced)
    if (bytes === undefined || parsed === undefined) return undefined
    const { entries, sameBoot, content } = parsed
    const { received } = content
    const torn = bytes.length !== ENTRY_SIZE * (1 + entries.length)
    if (!sameBoot || torn || entries.length > COMPACT_ON_LOAD_AFTER_ENTRIES + 4 * received.length) {
      return { journal: await Journal.create(path, boot, content, true), content }
    }
    return { journal: new Journal(path, entries.length), content }
  }

  /** What counts by a journal, like `load`, but changes nothing. */
  static async view(path: string, boot: string, alsoSynced: Range): Promise<Ranges | undefined> {
    const bytes = await ifThere(() => readFile(path))
    return bytes && parse(bytes, boot, alsoSynced)?.content.received
  }

  /** Adds ranges, which then count. @param durable whether they are on disk when this returns. */
  async append(ranges: Ranges, durable: boolean): Promise<void> {
    const entries: Entry[] = ranges.map((range) => ({ kind: RANGE, start: range.start, end: range.end }))
    // The data was synced before. One write for both, so a power cut loses neither alone.
    if (durable) entries.push({ kind: MARK, start: this.#count + entries.length, end: 0 })
    await this.#write(entries, durable)
  }

  /** Whether `clear` has anything to remove. */
  get hasRemains(): boolean {
    return this.#hasRemains
  }

  /**
   * Cuts off the entries of an incomplete write. They do not count, and their ranges will be overwritten.
   *
   * @param durable whether that is on disk when this returns.
   */
  async clear(durable: boolean): Promise<void> {
    if (!this.#hasRemains) return
    this.#file ??= await openExisting(this.#path)
    const file = this.#file
    await file.truncate(ENTRY_SIZE * (1 + this.#count))
    if (durable) await synced(() => file.datasync())
    this.#hasRemains = false
  }

  /** Records that the data of the first `count` entries is on disk. */
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
    this.#file ??= await openExisting(this.#path)
    const file = this.#file
    const bytes = Buffer.concat(entries.map((entry, i) => encode(entry, this.#count + i)))
    const position = ENTRY_SIZE * (1 + this.#count)
    let written = 0
    try {
      while (written < bytes.length) {
        const { bytesWritten } = await file.write(bytes, written, bytes.length - written, position + written)
        written += bytesWritten
      }
    } catch (error) {
      if (written >= ENTRY_SIZE) this.#hasRemains = true
      await this.clear(durable).catch(() => undefined)
      throw error
    }
    if (durable) await synced(() => file.datasync())
    // Only now: the next write replaces entries that are incomplete.
    this.#count += entries.length
  }
}

interface Parsed {
  readonly entries: readonly Entry[]
  /** Whether it was written during this boot of the host. */
  readonly sameBoot: boolean
  readonly content: JournalContent
}

/** What a journal says; `undefined` without a valid header. */
function parse(bytes: Buffer, boot: string, alsoSynced: Range): Parsed | undefined {
  const sameBoot = isHeader(bytes, header(boot))
  if (!sameBoot && !isHeader(bytes)) return undefined
  const entries = decodeAll(bytes)
  const marked = entries.findLast((entry) => entry.kind === MARK)?.start ?? 0
  const synced = add(rangesIn(entries.slice(0, marked)), alsoSynced)
  const received = sameBoot ? add(rangesIn(entries), alsoSynced) : synced
  return { entries, sameBoot, content: { received, synced } }
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
  const bytes = Buffer.alloc(ENTRY_SIZE)
  bytes.write(MAGIC, 0, 'latin1')
  // 20 of the 36 characters of a boot id, hyphens left out, are 80 random bits.
  bytes.write(boot.replaceAll('-', '').slice(0, 20), 8, 'latin1')
  return sealed(bytes)
}

function isHeader(bytes: Buffer, expected?: Buffer): boolean {
  const found = bytes.subarray(0, ENTRY_SIZE)
  if (expected !== undefined) return found.equals(expected)
  return found.length === ENTRY_SIZE && found.toString('latin1', 0, MAGIC.length) === MAGIC && isSealed(found)
}

function encode(entry: Entry, index: number): Buffer {
  const bytes = Buffer.alloc(ENTRY_SIZE)
  bytes.writeUInt8(entry.kind, 0)
  bytes.writeBigUInt64LE(BigInt(index), 4)
  bytes.writeBigUInt64LE(BigInt(entry.start), 12)
  bytes.writeBigUInt64LE(BigInt(entry.end), 20)
  return sealed(bytes)
}

function decodeAll(bytes: Buffer): Entry[] {
  const entries: Entry[] = []
  for (let position = ENTRY_SIZE; position + ENTRY_SIZE <= bytes.length; position += ENTRY_SIZE) {
    const found = bytes.subarray(position, position + ENTRY_SIZE)
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
  bytes.writeUInt32LE(crc32(bytes.subarray(0, ENTRY_SIZE - 4)), ENTRY_SIZE - 4)
  return bytes
}

function isSealed(bytes: Buffer): boolean {
  return crc32(bytes.subarray(0, ENTRY_SIZE - 4)) === bytes.readUInt32LE(ENTRY_SIZE - 4)
}
