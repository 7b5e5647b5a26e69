import { randomInt } from 'node:crypto'
import { UploadError } from '../server/core/errors.ts'
import { covers, type Ranges, union } from '../server/core/ranges.ts'
import type { UploadRecord, WebUploaderRecord } from '../server/core/record.ts'
import type { Upload } from '../server/core/upload.ts'
import type { Uploads } from '../server/core/uploads.ts'
import type { CheckHistories } from './check-histories.ts'
import type { Identity } from './identity.ts'
import { KeyedLock } from './keyed-lock.ts'
import { type LiveUploads, now } from './live-uploads.ts'
import type { FileRequest, FirstUpload, Lookup } from './lookup.ts'
import { type Caller, chunkSetOf, type FileFacts, isUsable, withSenders } from './page-record.ts'
import { decide, isWhole, type SenderState, skippedWrongly } from './which-upload.ts'

/** Maximum senders per upload; the earliest to join is dropped first, never the one that began it. */
const MOST_SENDERS = 32
/** Maximum runs of chunks in a sender's share; beyond that the file waits for its complete. */
const MOST_RUNS = 256
/** Maximum senders with a cached upload, and maximum senders with remembered state. */
const MOST_CACHED = 5_000
/** How long a chunk waits for chunk 0 of its sender: while one is in flight, and otherwise. Milliseconds. */
const LONGEST_WAIT = 50_000
const SHORT_WAIT = 10_000

/** A chunk to place. */
export interface PlacedChunk extends FileRequest {
  /** Equal for all chunks of a sender. */
  readonly key: string
  readonly facts: FileFacts & { readonly chunks: number }
  readonly chunk: number
  /** The modification time of the file if known, in milliseconds since 1970. */
  readonly modified: number | undefined
  /** Creates the record of a new upload. */
  readonly recordOf: (id: string, senders: WebUploaderRecord) => UploadRecord
}

/** What to do with the upload of a chunk. */
export interface Work<T> {
  /**
   * Puts the bytes; throws if they do not count.
   *
   * @param isBeginner whether the sender began the upload: only then may another chunk size fail it.
   */
  readonly put: (upload: Upload, isBeginner: boolean) => Promise<void>
  /** @param isBeginners whether the caller began the upload, and may know its id. */
  readonly answer: (upload: Upload, isBeginners: boolean) => Promise<T>
}

/** The state of a sender while its chunks are placed. */
interface Sender {
  proving: string | undefined
  rejected: SenderState['rejected']
  /** How many of its chunks are being placed, and how many of those are chunk 0. */
  users: number
  firsts: number
  /** Chunks that wait for chunk 0, and how often they were woken. */
  readonly waiting: Set<() => void>
  woken: number
}

/** The destination of a chunk. */
interface Destination {
  /** The identity by which the record names the sender. */
  readonly identity: Pick<Identity, 'sender' | 'firstId'>
  /** The task of the caller. */
  readonly own: Pick<Identity, 'group'>
  /** Whether chunk 0 must prove that the file is the same. */
  readonly isProof: boolean
}

/** Only short texts: a whole identity would keep all fields of its request in memory. */
interface Cached extends Pick<Destination, 'identity' | 'own'> {
  readonly id: string
}

type Outcome<T> = { readonly value: T } | undefined

/**
 * Finds or creates the upload of each chunk. Chunks of one visitor, task, and name are placed one at a time. Nothing
 * waits in this line: a chunk leaves it before its first byte is read.
 *
 * After a crash: the record of an upload names a sender before any chunk of that sender counts, except chunk 0, which
 * was stored before. The note that maps the sender to its upload follows. Without the note, an unfinished upload is
 * found by its record, and a finished file is stored a second time. A share may lack a stored chunk: then the file
 * waits for its complete. Pending proofs and rejections are forgotten: such senders start again with chunk 0.
 */
export class Placing {
  readonly #uploads: Uploads
  readonly #live: LiveUploads
  readonly #histories: CheckHistories
  readonly #lookup: Lookup
  readonly #lines = new KeyedLock()
  readonly #cache = new Map<string, Cached>()
  /** By their first ids. */
  readonly #senders = new Map<string, Sender>()

  constructor(uploads: Uploads, live: LiveUploads, histories: CheckHistories, lookup: Lookup) {
    this.#uploads = uploads
    this.#live = live
    this.#histories = histories
    this.#lookup = lookup
  }

  /**
   * Puts a chunk into its upload.
   *
   * @throws UploadError `wrongly_skipped`, `content_differs`, `busy`, and what `work` and the core throw.
   */
  async place<T>(chunk: PlacedChunk, work: Work<T>): Promise<T> {
    if (chunk.chunk !== 0) return this.#place(chunk, work)
    const sender = this.#senderOf(chunk)
    sender.firsts += 1
    try {
      return await this.#place(chunk, work)
    } finally {
      sender.firsts -= 1
      wake(sender)
      this.#tidy(chunk, sender)
    }
  }

  async #place<T>(chunk: PlacedChunk, work: Work<T>): Promise<T> {
    const outcome = (await this.#placeCached(chunk, work)) ?? (await this.#placeInLine(chunk, work))
    return outcome.value
  }

  async #placeCached<T>(chunk: PlacedChunk, work: Work<T>): Promise<Outcome<T>> {
    const cached = this.#cache.get(chunk.key)
    if (cached === undefined) return undefined
    const { id, identity, own } = cached
    const outcome = await this.#tryUse(id, async (upload) => {
      if (!upload.record.webUploader?.senders?.includes(identity.sender) || !isUsable(upload)) return undefined
      return this.#feed(chunk, work, upload, { identity, own, isProof: false })
    })
    if (outcome === undefined && this.#cache.get(chunk.key) === cached) this.#cache.delete(chunk.key)
    return outcome
  }

  async #placeInLine<T>(chunk: PlacedChunk, work: Work<T>): Promise<{ readonly value: T }> {
    const began = now()
    let since = began
    const sender = this.#senderOf(chunk)
    sender.users += 1
    try {
      for (;;) {
        const { woken } = sender
        const placed = await this.#lines.hold(chunk.identities().own.file, (leave) =>
          this.#choose(chunk, work, sender, leave),
        )
        if (placed !== 'wait' && placed !== undefined) return placed
        if (placed === 'wait') await untilWoken(sender, woken, began, since)
        since = now()
      }
    } finally {
      sender.users -= 1
      this.#tidy(chunk, sender)
    }
  }

  /** Chooses the upload, leaves the line, and feeds the upload; `undefined` if it has disappeared meanwhile. */
  async #choose<T>(chunk: PlacedChunk, work: Work<T>, sender: Sender, leave: () => void): Promise<Outcome<T> | 'wait'> {
    const { candidates, first } = await this.#lookup.find(chunk)
    const { own, open } = chunk.identities()
    const { chunks } = chunk.facts
    const skips = await this.#histories.read(historyName(chunk.caller, own), (history) =>
      history.skips(own.group, fileKey(own, chunk.facts.size), own.sender, chunks),
    )
    const decision = decide({ chunk: chunk.chunk, chunks, modified: chunk.modified }, candidates, sender, skips, now())
    const feed = (id: string, isProof: boolean): Promise<Outcome<T>> =>
      this.#tryUse(id, async (upload) => {
        if (!isUsable(upload)) return undefined
        const identity = open !== undefined && id.startsWith(`${open.group}.`) ? open : own
        return this.#feed(chunk, work, upload, { identity, own, isProof }, leave)
      })
    switch (decision.kind) {
      case 'use':
        return feed(decision.id, false)
      case 'prove': {
        sender.proving = decision.id
        if (chunk.chunk !== 0) return 'wait'
        const outcome = await feed(decision.id, true)
        if (outcome === undefined) sender.proving = undefined
        return outcome
      }
      case 'wait':
        return 'wait'
      case 'content_differs':
        sender.rejected = { byLaterChunk: true, last: now() }
        throw new UploadError(
          'content_differs',
          'Another chunk of this file differs from the stored one; send the whole file again.',
        )
      case 'wrongly_skipped':
        await this.#histories.change(historyName(chunk.caller, own), (history) => history.refuse(own.group))
        throw wronglySkipped()
      case 'create':
        return this.#create(chunk, work, sender, first, leave)
    }
  }

  async #create<T>(
    chunk: PlacedChunk,
    work: Work<T>,
    sender: Sender,
    first: FirstUpload,
    leave: () => void,
  ): Promise<{ readonly value: T }> {
    const { own } = chunk.identities()
    // Random, not counted: no earlier upload has to be looked up.
    const id = first.isTaken ? own.idOf(randomInt(1, 2 ** 47)) : own.firstId
    const record = chunk.recordOf(id, {
      begun: own.sender,
      senders: [own.sender],
      modified: chunk.modified,
      further: own.further,
      ...(first.recut > 0 ? { recut: first.recut } : {}),
    })
    await this.#live.expect(own.group, own.file)
    return this.#uploads.createTentatively(record, async (upload) => {
      await this.#lookup.note(own, id)
      await this.#histories.change(historyName(chunk.caller, own), (history) => {
        if (chunk.caller.whose !== undefined) history.touch(own.group)
        history.clearRefusal(own.group)
      })
      sender.rejected = undefined
      return this.#feed(chunk, work, upload, { identity: own, own, isProof: false }, () => {
        leave()
        wake(sender)
      })
    })
  }

  /** @param leave called once the chunk counts as in flight: from then on, other choices see it. */
  async #feed<T>(
    chunk: PlacedChunk,
    work: Work<T>,
    upload: Upload,
    destination: Destination,
    leave: () => void = () => undefined,
  ): Promise<{ readonly value: T }> {
    const { id } = upload.record
    const { identity, isProof } = destination
    const isFed: boolean = upload.state === 'receiving'
    if (isFed) this.#live.begin(id)
    let isFailed = true
    try {
      if (!isProof) await this.#remember(chunk, upload, destination)
      leave()
      await this.#put(chunk, work, upload, destination)
      isFailed = isFed && (await this.#isSkippedWrongly(chunk, upload, destination))
    } finally {
      if (isFed) this.#live.end(id, isFailed)
      if (isFed && upload.state === 'failed') this.#live.settle(id)
    }
    if (isFailed) throw wronglySkipped()
    const { visitor, begun } = upload.record.webUploader ?? {}
    const isBeginners = visitor !== undefined || begun === identity.sender
    const value = await work.answer(upload, isBeginners)
    if (isFed && upload.state === 'finished') this.#live.settle(id)
    return { value }
  }

  /** Caches the choice, and adds the sender to a record of the previous version. */
  async #remember(chunk: PlacedChunk, upload: Upload, { identity, own }: Destination): Promise<void> {
    if (upload.record.webUploader?.senders === undefined) {
      await upload.update((record) => ({ ...record, webUploader: withSenders(record, identity.sender) }))
    }
    if (this.#cache.has(chunk.key)) return
    const { sender, firstId } = identity
    this.#cache.set(chunk.key, { id: upload.record.id, identity: { sender, firstId }, own: { group: own.group } })
    const [oldest] = this.#cache.keys()
    if (this.#cache.size > MOST_CACHED && oldest !== undefined) this.#cache.delete(oldest)
  }

  async #put<T>(chunk: PlacedChunk, work: Work<T>, upload: Upload, destination: Destination): Promise<void> {
    const { identity, isProof } = destination
    try {
      await work.put(upload, upload.record.webUploader?.begun === identity.sender)
    } catch (error) {
      if (error instanceof UploadError) await this.#reject(chunk, upload, destination, error)
      throw error
    }
    if (isProof) await this.#join(chunk, upload, destination)
    else if (!upload.record.webUploader?.senders?.includes(identity.sender)) {
      throw new UploadError(
        'content_differs',
        'Another chunk of this file differs from the stored one; send the whole file again.',
      )
    }
    await this.#share(chunk, upload, destination)
  }

  /** Removes a sender from an upload for which it sent different bytes. */
  async #reject(
    chunk: PlacedChunk,
    upload: Upload,
    { identity, isProof }: Destination,
    error: UploadError,
  ): Promise<void> {
    const differs = error.code === 'content_differs'
    if (!differs && !(isProof && error.code === 'chunk_size_changed')) return
    const sender = this.#senderOf(chunk)
    sender.proving = undefined
    sender.rejected = { byLaterChunk: chunk.chunk !== 0, last: now() }
    this.#cache.delete(chunk.key)
    wake(sender)
    if (!differs) return
    await updatePage(
      upload,
      (page) => {
        if (isProof) return { ...page, contested: true }
        const { [identity.sender]: _, ...shares } = page.shares ?? {}
        const senders = page.senders.filter((other) => other !== identity.sender)
        return { ...page, contested: true, senders, shares }
      },
      !isProof,
    )
  }

  /** Adds a sender whose chunk 0 matched. Everything stored until now is the share of the first sender. */
  async #join(chunk: PlacedChunk, upload: Upload, destination: Destination): Promise<void> {
    const { identity, own } = destination
    await updatePage(
      upload,
      (page) => {
        const [beginner, ...others] = page.senders.filter((other) => other !== identity.sender)
        const senders = [beginner ?? page.begun, ...others.slice(2 - MOST_SENDERS), identity.sender]
        const shares = page.shares ?? { [senders[0] ?? page.begun]: chunkSetOf(upload).slice(0, MOST_RUNS) }
        const kept = Object.entries(shares).filter(([other]) => senders.includes(other))
        return { ...page, senders, modified: page.modified ?? chunk.modified, shares: Object.fromEntries(kept) }
      },
      true,
    )
    await this.#lookup.note(identity, upload.record.id)
    await this.#remember(chunk, upload, destination)
    await this.#histories.change(historyName(chunk.caller, own), (history) => history.clearRefusal(own.group))
    const sender = this.#senderOf(chunk)
    sender.proving = undefined
    wake(sender)
  }

  /** Adds a stored chunk to its sender's share, and finishes a file that several senders fed once it is whole. */
  async #share(chunk: PlacedChunk, upload: Upload, { identity, own }: Destination): Promise<void> {
    if (upload.record.webUploader?.shares === undefined || upload.state !== 'receiving') return
    await updatePage(upload, (page) => {
      const share = union([...(page.shares?.[identity.sender] ?? []), { start: chunk.chunk, end: chunk.chunk + 1 }])
      return { ...page, shares: { ...page.shares, [identity.sender]: share.slice(0, MOST_RUNS) } }
    })
    const { length, webUploader } = upload.record
    if (length === null || !covers(upload.received, { start: 0, end: length })) return
    const shares: Ranges[] = (webUploader?.senders ?? []).map((sender) => webUploader?.shares?.[sender] ?? [])
    const listed = await this.#histories.listed(historyName(chunk.caller, own), own.group)
    if (isWhole(shares, chunk.facts.chunks, listed)) await upload.announceEnd(length)
  }

  /** Whether the page skipped chunks from an outdated list; the chunk that reveals it is stored all the same. */
  async #isSkippedWrongly(chunk: PlacedChunk, upload: Upload, { own }: Destination): Promise<boolean> {
    if (upload.state !== 'receiving' || this.#live.inFlight(upload.record.id) > 1) return false
    const listed = await this.#histories.listed(historyName(chunk.caller, own), own.group)
    return listed.length > 0 && skippedWrongly(chunk.chunk, chunkSetOf(upload), chunk.facts.chunks, listed)
  }

  /** Runs `work` on an upload; `undefined` if there is none. */
  async #tryUse<T>(id: string, work: (upload: Upload) => Promise<Outcome<T>>): Promise<Outcome<T>> {
    let begun = false
    try {
      return await this.#uploads.use(id, (upload) => {
        begun = true
        return work(upload)
      })
    } catch (error) {
      const isMissing = error instanceof UploadError && (error.code === 'not_found' || error.code === 'gone')
      if (begun || !isMissing) throw error
      return undefined
    }
  }

  #senderOf({ identities }: PlacedChunk): Sender {
    const { own } = identities()
    const known = this.#senders.get(own.firstId)
    if (known !== undefined) return known
    const sender: Sender = {
      proving: undefined,
      rejected: undefined,
      users: 0,
      firsts: 0,
      waiting: new Set(),
      woken: 0,
    }
    this.#senders.set(own.firstId, sender)
    if (this.#senders.size > MOST_CACHED) this.#forgetOldest()
    return sender
  }

  #tidy({ identities }: PlacedChunk, sender: Sender): void {
    const { users, firsts, proving, rejected } = sender
    if (users + firsts === 0 && proving === undefined && rejected === undefined)
      this.#senders.delete(identities().own.firstId)
  }

  #forgetOldest(): void {
    for (const [firstId, { users, firsts }] of this.#senders) {
      if (users + firsts > 0) continue
      this.#senders.delete(firstId)
      return
    }
  }
}

/**
 * Changes the adapter's part of a record.
 *
 * @param hold whether an unfinished upload is no longer finished by its last missing byte, but only by `announceEnd`.
 * @throws UploadError `no_space`, `storage_error`.
 */
async function updatePage(
  upload: Upload,
  change: (page: ReturnType<typeof withSenders>) => WebUploaderRecord,
  hold = false,
): Promise<void> {
  await upload.update((record) => {
    const endAwaited = hold && upload.state === 'receiving' ? true : record.endAwaited
    return { ...record, endAwaited, webUploader: change(withSenders(record)) }
  })
}

/** The name of the history that records what `/check` has listed to the caller. */
export function historyName({ whose }: Caller, { group }: Pick<Identity, 'group'>): string {
  return whose ?? group
}

/** The key of a file name and size in a history. */
export function fileKey({ group, file }: Pick<Identity, 'group' | 'file'>, size: number): string {
  return `${file.slice(group.length + 1)}/${size}`
}

function wake(sender: Sender): void {
  sender.woken += 1
  for (const go of sender.waiting) go()
  sender.waiting.clear()
}

/**
 * Waits until a chunk 0 of the sender is decided, unless that has happened since `woken`. @throws UploadError `busy` if
 * none arrives.
 */
async function untilWoken(sender: Sender, woken: number, began: number, since: number): Promise<void> {
  if (sender.woken !== woken) return
  const limit = (): number =>
    Math.min(began + LONGEST_WAIT, sender.firsts > 0 ? Number.POSITIVE_INFINITY : since + SHORT_WAIT)
  for (let left = limit() - now(); left > 0; left = limit() - now()) {
    if (await wokenWithin(sender, left)) return
  }
  throw new UploadError('busy', 'The first chunk of this file must arrive before this one; send this chunk again.')
}

function wokenWithin({ waiting }: Sender, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const go = (): void => {
      clearTimeout(timer)
      resolve(true)
    }
    const timer = setTimeout(() => {
      waiting.delete(go)
      resolve(false)
    }, ms)
    waiting.add(go)
  })
}

function wronglySkipped(): UploadError {
  return new UploadError(
    'wrongly_skipped',
    'The page skipped chunks that belong to another file; select the file again to send all of it.',
  )
}
