import { compareIds, packedIdLength, packId, unpackId } from './packed-id.ts'

/** Bytes of a page; no entry is in two. */
const PAGE = 1 << 20

/** Where the key is that entries are compared with. */
export const KEY_ADDRESS = 1
const KEY_PAGE = 1_024

/** The longest text of an entry, in bytes of UTF-8. */
export const MAX_TEXT = 255

/** The texts of an upload. */
export interface Texts {
  readonly id: string
  readonly owner: string | null
  readonly name: string
  readonly taskId: string | null
}

const OWNER = /^[0-9a-f]{32}$/
/** The length byte of an owner that is a digest, in half of its characters. */
const PACKED = 254
const PACKED_BYTES = 16

/** Lower-case ASCII letters count like upper-case ones. */
const FOLDED = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 65 && byte <= 90 ? byte + 32 : byte))

/**
 * The texts of all uploads as bytes: id, owner, name, and task id, one after another, each with its length. An address
 * is the number of a page and a place in it. The space of removed entries is used again only by `compact`.
 */
export class Arena {
  /** The first page has only the key. */
  #pages: Buffer[] = [Buffer.alloc(KEY_PAGE), Buffer.alloc(PAGE)]
  #used = 0
  #wasted = 0

  /** Bytes of its pages. */
  get bytes(): number {
    return this.#pages.length * PAGE
  }

  /** Whether much of it belongs to removed entries. */
  get isWasteful(): boolean {
    return this.#wasted > 4 * PAGE && this.#wasted > this.bytes / 2
  }

  /** @returns the address of the entry, at least 1. */
  add(texts: Texts): number {
    return this.#append(encodeEntry(packId(texts.id), texts))
  }

  /** Sets the entry at `KEY_ADDRESS`, which is only compared. @param id packed. */
  setKey(id: Buffer, owner: string | null, name: Buffer): void {
    const [page, at] = this.#at(KEY_ADDRESS)
    encodeParts(id, owner, name, null).copy(page, at)
  }

  remove(address: number): void {
    const [page, at] = this.#at(address)
    this.#wasted += this.#taskAt(page, at) + 1 + (page[this.#taskAt(page, at)] ?? 0) - at
  }

  /** Copies all entries close together. @param addresses of the entries; replaced by their new ones. */
  compact(addresses: Uint32Array): void {
    const old = this.#pages
    this.#pages = [...old.slice(0, 1), Buffer.alloc(PAGE)]
    this.#used = 0
    this.#wasted = 0
    for (const [slot, address] of addresses.entries()) {
      if (address <= KEY_ADDRESS) continue
      const page = old[address >>> 20]
      if (page === undefined) continue
      const at = address & (PAGE - 1)
      const task = this.#taskAt(page, at)
      addresses[slot] = this.#append(page.subarray(at, task + 1 + (page[task] ?? 0)))
    }
  }

  texts(address: number): Texts {
    const [page, at] = this.#at(address)
    const owner = at + packedIdLength(page, at)
    const name = owner + ownerLength(page, owner)
    const task = name + 1 + (page[name] ?? 0)
    const length = page[task] ?? 0
    return {
      id: unpackId(page, at),
      owner: ownerIn(page, owner),
      name: page.toString('utf8', name + 1, task),
      taskId: length === 0 ? null : page.toString('utf8', task + 1, task + 1 + length),
    }
  }

  idOf(address: number): string {
    const [page, at] = this.#at(address)
    return unpackId(page, at)
  }

  /** An owner as `hasOwner` compares it. */
  ownerKey(owner: string | null): Buffer {
    return encodeOwner(owner)
  }

  hasOwner(address: number, key: Buffer): boolean {
    const [page, at] = this.#at(address)
    const owner = at + packedIdLength(page, at)
    for (let i = 0; i < key.length; i++) if (page[owner + i] !== key[i]) return false
    return true
  }

  /** The kind of the id: see `packId`. */
  kindOf(address: number): number {
    const [page, at] = this.#at(address)
    return page[at] ?? 0
  }

  compareIds(a: number, b: number): number {
    const [pageA, atA] = this.#at(a)
    const [pageB, atB] = this.#at(b)
    return compareIds(pageA, atA, pageB, atB)
  }

  /** Uploads without an owner come first. */
  compareOwners(a: number, b: number): number {
    const [pageA, atA] = this.#at(a)
    const [pageB, atB] = this.#at(b)
    const ownerA = atA + packedIdLength(pageA, atA)
    const ownerB = atB + packedIdLength(pageB, atB)
    return compareBytes(pageA, ownerA, ownerLength(pageA, ownerA), pageB, ownerB, ownerLength(pageB, ownerB))
  }

  /** ASCII letters of both cases are the same. */
  compareNames(a: number, b: number): number {
    const [pageA, atA] = this.#nameAt(a)
    const [pageB, atB] = this.#nameAt(b)
    const lengthA = pageA[atA] ?? 0
    const lengthB = pageB[atB] ?? 0
    const common = Math.min(lengthA, lengthB)
    for (let i = 1; i <= common; i++) {
      const difference = (FOLDED[pageA[atA + i] ?? 0] ?? 0) - (FOLDED[pageB[atB + i] ?? 0] ?? 0)
      if (difference !== 0) return difference
    }
    return lengthA - lengthB
  }

  /** Whether the name begins with, or contains, some folded bytes. */
  nameMatches(address: number, wanted: Buffer, isPrefix: boolean): boolean {
    const [page, at] = this.#nameAt(address)
    const last = isPrefix ? 0 : (page[at] ?? 0) - wanted.length
    if ((page[at] ?? 0) < wanted.length) return false
    for (let start = 0; start <= last; start++) {
      let i = 0
      while (i < wanted.length && FOLDED[page[at + 1 + start + i] ?? 0] === wanted[i]) i += 1
      if (i === wanted.length) return true
    }
    return false
  }

  #append(entry: Buffer): number {
    let page = this.#pages.at(-1)
    if (page === undefined || this.#used + entry.length > PAGE) {
      page = Buffer.alloc(PAGE)
      this.#pages.push(page)
      this.#used = 0
    }
    entry.copy(page, this.#used)
    const address = ((this.#pages.length - 1) << 20) | this.#used
    this.#used += entry.length
    return address >>> 0
  }

  #at(address: number): [page: Buffer, at: number] {
    const page = this.#pages[address >>> 20]
    if (page === undefined) throw new RangeError(`There is no entry at ${address}.`)
    return [page, address & (PAGE - 1)]
  }

  #nameAt(address: number): [page: Buffer, at: number] {
    const [page, at] = this.#at(address)
    const owner = at + packedIdLength(page, at)
    return [page, owner + ownerLength(page, owner)]
  }

  #taskAt(page: Buffer, at: number): number {
    const owner = at + packedIdLength(page, at)
    const name = owner + ownerLength(page, owner)
    return name + 1 + (page[name] ?? 0)
  }
}

/** Bytes of a text, at most `MAX_TEXT`, without a part of a character at the end. */
export function bytesOf(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8')
  if (bytes.length <= MAX_TEXT) return bytes
  let end = MAX_TEXT
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return bytes.subarray(0, end)
}

/** The bytes of a text as names are compared. */
export function foldedBytesOf(text: string): Buffer {
  return Buffer.from(bytesOf(text).map((byte) => FOLDED[byte] ?? byte))
}

function encodeEntry(id: Buffer, { owner, name, taskId }: Texts): Buffer {
  return encodeParts(id, owner, bytesOf(name), taskId)
}

function encodeParts(id: Buffer, owner: string | null, name: Buffer, taskId: string | null): Buffer {
  const task = bytesOf(taskId ?? '')
  return Buffer.concat([id, encodeOwner(owner), Buffer.from([name.length]), name, Buffer.from([task.length]), task])
}

function encodeOwner(owner: string | null): Buffer {
  if (owner === null) return Buffer.from([0])
  if (OWNER.test(owner)) return Buffer.concat([Buffer.from([PACKED]), Buffer.from(owner, 'hex')])
  const text = bytesOf(owner).subarray(0, PACKED - 1)
  return Buffer.concat([Buffer.from([text.length]), text])
}

/** With the length byte. */
function ownerLength(page: Uint8Array, at: number): number {
  const length = page[at] ?? 0
  return 1 + (length === PACKED ? PACKED_BYTES : length)
}

function ownerIn(page: Buffer, at: number): string | null {
  const end = at + ownerLength(page, at)
  if (end === at + 1) return null
  return page.toString(page[at] === PACKED ? 'hex' : 'utf8', at + 1, end)
}

function compareBytes(
  a: Uint8Array,
  startA: number,
  lengthA: number,
  b: Uint8Array,
  startB: number,
  lengthB: number,
): number {
  const common = Math.min(lengthA, lengthB)
  for (let i = 0; i < common; i++) {
    const difference = (a[startA + i] ?? 0) - (b[startB + i] ?? 0)
    if (difference !== 0) return difference
  }
  return lengthA - lengthB
}
