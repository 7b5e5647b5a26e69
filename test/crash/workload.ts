import { setTimeout as pause } from 'node:timers/promises'
import type { Random } from '../support/random.ts'
import { all } from './all-settled.ts'
import type { Manner } from './bodies.ts'
import { type Client, NoAnswer } from './client.ts'
import { createByDraft, sendByDraft } from './draft-load.ts'
import type { FileMaker } from './file-maker.ts'
import type { Join } from './join.ts'
import { goOnJoining, removeFinal } from './join-load.ts'
import { Over, type UploadModel } from './model.ts'
import { askInAnyWay, download } from './readers.ts'
import { sendByTus, streamByTus, touchByTus } from './tus-load.ts'
import { type Creation, createTus, remove } from './tus-requests.ts'
import { sendByWebUploader } from './webuploader-load.ts'

/** Maximum unfinished uploads; at this number, no new ones begin. */
const MOST_OPEN = 14
/** How many are abandoned by their clients, for the sweep or until a client returns. */
const MOST_LEFT = 12
const LARGE_WORKERS = 4
/** Uploads that only grow at their end, so kills occur while some of them are written. */
const STREAMS = 2
/** Requests per run of the program that stop in the middle of their body. */
const MOST_STALLED = 2
/** Milliseconds between two small uploads: enough for every step, but not so many that checks dominate. */
const SMALL_PAUSE = 25
/** Milliseconds between two stale uploads that receive a byte: the others expire. */
const TOUCH_PAUSE = 60
/** Milliseconds between two queries. */
const ASK_PAUSE = 15

/** What clients upload. */
export type Kind = 'tus' | 'WebUploader' | 'final'
const KINDS: readonly Kind[] = ['tus', 'WebUploader', 'final']

const CREATIONS: readonly Creation[] = ['empty', 'with bytes', 'deferred length']
/** Mostly on the short path of small files: its steps occur on no other. */
const SMALL_CREATIONS: readonly Creation[] = ['whole', 'whole', 'whole', ...CREATIONS]

/** Clients of both protocols that continue their uploads through every restart. */
export class Load {
  readonly uploads: UploadModel[] = []
  /** Uploads that may exist without any client knowing their URL. */
  unansweredCreations = 0
  readonly #joins: Join[] = []
  readonly #random: Random
  readonly #files: FileMaker
  readonly #busy = new Set<UploadModel | Join>()
  readonly #left = new Set<UploadModel>()
  readonly #streams = new Set<UploadModel>()
  readonly #share: number
  readonly #kinds: ReadonlySet<Kind>

  /**
   * @param files with unique names.
   * @param share the share of all clients that these are.
   * @param kinds of new uploads.
   */
  constructor(random: Random, files: FileMaker, share: number, kinds: readonly Kind[] = KINDS) {
    this.#kinds = new Set(kinds)
    this.#random = random
    this.#files = files
    this.#share = share
  }

  /** Works until the program no longer responds. @throws Violation */
  async run(client: Client): Promise<void> {
    let stalls = client.endsWithProgram ? MOST_STALLED : 0
    const manner: Manner = {
      random: this.#random,
      mayStall: () => stalls > 0 && this.#random.chance(0.05) && stalls-- > 0,
    }
    const patient: Manner = { random: this.#random, mayStall: () => false }
    const works: (() => Promise<void>)[] = [
      ...Array.from({ length: LARGE_WORKERS * this.#share }, () => () => this.#large(client, manner)),
      ...Array.from({ length: STREAMS * this.#share }, () => () => this.#stream(client, patient)),
      () => this.#small(client, patient),
      ...(this.#kinds.has('final') ? [() => this.#join('large', client, manner)] : []),
      ...(this.#kinds.has('final') ? [() => this.#join('small', client, patient)] : []),
      () => this.#ask(client),
      ...(client.sweeps.areRunning ? [() => this.#touch(client, patient)] : []),
    ]
    await Promise.all(works.map((work) => untilNoAnswer(() => unlessOver(work), client)))
  }

  /** Finishes all open uploads. @throws NoAnswer, Violation */
  async finishAll(client: Client): Promise<void> {
    const manner: Manner = { random: this.#random, mayStall: () => false }
    for (let rest = this.#toFinish(); rest.length > 0; rest = this.#toFinish()) {
      for (const upload of rest) await unlessOver(() => this.#send(upload, client, manner))
    }
    for (const join of this.#joins.filter(({ isOpen }) => isOpen)) {
      await unlessOver(() => this.#goOnJoining(join, client, manner))
    }
  }

  async #large(client: Client, manner: Manner): Promise<void> {
    const upload = this.#nextOpen(client) ?? (await this.#begin('large', client, manner))
    await this.#working(upload, () => this.#goOn(upload, client, manner))
  }

  async #stream(client: Client, manner: Manner): Promise<void> {
    const known = [...this.#streams].find((stream) => stream.isOpen && !this.#busy.has(stream))
    const upload = known ?? (await this.#beginStream(client, manner))
    await this.#working(upload, async () => {
      await streamByTus(upload, client, manner)
      if (this.#random.chance(0.7)) await remove(upload, client)
    })
    if (!upload.isOpen) this.#streams.delete(upload)
  }

  async #small(client: Client, manner: Manner): Promise<void> {
    const upload = await this.#begin('small', client, manner)
    // Its client does not return for a while, or ever.
    const isLeft = upload.path !== undefined && upload.isOpen && this.#left.size < MOST_LEFT
    if (isLeft && this.#random.chance(0.7)) this.#left.add(upload)
    await this.#working(upload, async () => {
      if (!this.#left.has(upload)) await this.#goOn(upload, client, manner)
    })
    await pause(SMALL_PAUSE)
  }

  async #join(size: 'large' | 'small', client: Client, manner: Manner): Promise<void> {
    const open = this.#joins.filter((join) => join.isOpen && !this.#busy.has(join))
    const known = this.#random.shuffled(open.filter((join) => this.#files.isSmall(join) === (size === 'small')))[0]
    const join = known ?? this.#files.join(size)
    if (known === undefined) this.#joins.push(join)
    await this.#working(join, () => this.#goOnJoining(join, client, manner))
    await pause(SMALL_PAUSE)
  }

  /** Sends bytes to uploads that the sweep may have found stale, but has not removed yet. */
  async #touch(client: Client, manner: Manner): Promise<void> {
    const stale = [...this.#left].filter(
      (upload) =>
        upload.nature.kind === 'tus' &&
        upload.isOpen &&
        !this.#busy.has(upload) &&
        upload.mayHaveExpired(client.sweeps),
    )
    const [upload] = this.#random.shuffled(stale)
    // Sent in any case: a missing response ends the work.
    if (upload === undefined) await client.send('GET', '/healthz', {})
    else await this.#working(upload, () => touchByTus(upload, client, manner))
    await pause(TOUCH_PAUSE)
  }

  /** Queries uploads while other clients use them. */
  async #ask(client: Client): Promise<void> {
    const recent = this.uploads.slice(-60).filter(({ path }) => path !== undefined)
    const [upload] = this.#random.shuffled(recent)
    if (upload === undefined) await client.send('GET', '/healthz', {})
    else await askInAnyWay(upload, client, this.#random)
    await pause(this.#random.whole(0, ASK_PAUSE))
  }

  async #working(what: UploadModel | Join, work: () => Promise<void>): Promise<void> {
    this.#busy.add(what)
    try {
      await unlessOver(work)
    } finally {
      this.#busy.delete(what)
    }
  }

  async #goOn(upload: UploadModel, client: Client, manner: Manner): Promise<void> {
    const random = this.#random
    this.#left.delete(upload)
    if (upload.path !== undefined && random.chance(0.05)) return remove(upload, client)
    if (!upload.finished) await this.#send(upload, client, manner)
    if (random.chance(0.3)) return remove(upload, client)
    if (upload.finished && random.chance(0.3)) await download(upload, client)
  }

  async #goOnJoining(join: Join, client: Client, manner: Manner): Promise<void> {
    if (join.final?.path !== undefined && this.#random.chance(0.03)) return removeFinal(join.final, client)
    await all(join.missing.map((place) => this.#createPart(join, place, client, manner)))
    if (join.final === undefined) this.uploads.push(join.bind())
    await goOnJoining(join, client, manner)
    const { final } = join
    if (final !== undefined && this.#random.chance(0.3)) await removeFinal(final, client)
  }

  async #createPart(join: Join, place: number, client: Client, manner: Manner): Promise<void> {
    const name = `${join.name} part ${place}`
    const part = await this.#create(name, join.contentOf(place), client, manner, CREATIONS, 'part')
    join.parts.set(place, part)
    this.uploads.push(part)
  }

  async #send(upload: UploadModel, client: Client, manner: Manner): Promise<void> {
    if (upload.cut === undefined) await (this.#random.chance(0.25) ? sendByDraft : sendByTus)(upload, client, manner)
    else await sendByWebUploader(upload, upload.cut, client, manner)
  }

  /** Files that a client may continue; parts and final uploads belong to their joins. */
  #open(): UploadModel[] {
    return this.uploads.filter((upload) => upload.isOpen && isFile(upload))
  }

  #toFinish(): UploadModel[] {
    for (const upload of this.uploads.filter(isToBeSentAgain)) this.#sendAgain(upload)
    return this.#open()
  }

  #nextOpen(client: Client): UploadModel | undefined {
    const random = this.#random
    const stopped = this.uploads.filter(isToBeSentAgain)[0]
    if (stopped !== undefined) return this.#sendAgain(stopped)
    const open = this.#open().filter((upload) => !this.#left.has(upload) && !this.#streams.has(upload))
    if (open.length < MOST_OPEN * this.#share && random.chance(0.4)) return undefined
    // While the program sweeps, clients return at the last moment.
    const from = client.sweeps.areRunning && random.chance(0.3) ? [...this.#left].filter(({ isOpen }) => isOpen) : open
    return random.shuffled(from.filter((upload) => !this.#busy.has(upload)))[0]
  }

  /** The page continues with failed or expired uploads. */
  #sendAgain(upload: UploadModel): UploadModel | undefined {
    if (upload.cut === undefined) return undefined
    const next = upload.again((upload.failure === 'certain' ? upload.nextCut : undefined) ?? upload.cut)
    this.uploads.push(next)
    this.#busy.add(next)
    return next
  }

  async #begin(size: 'large' | 'small', client: Client, manner: Manner): Promise<UploadModel> {
    for (const upload of this.#left) if (!upload.isOpen) this.#left.delete(upload)
    const random = this.#random
    const creations: readonly Creation[] = size === 'small' ? SMALL_CREATIONS : CREATIONS
    const isTus = random.chance(0.5) || !this.#kinds.has('WebUploader')
    const upload = isTus
      ? await this.#create(this.#files.name(), this.#files.content(size), client, manner, creations, 'tus')
      : this.#files.webUploaderFile(size)
    this.uploads.push(upload)
    // Before any other client can see it.
    this.#busy.add(upload)
    return upload
  }

  async #beginStream(client: Client, manner: Manner): Promise<UploadModel> {
    const upload = await this.#create(
      this.#files.name(),
      this.#files.content('large'),
      client,
      manner,
      ['empty'],
      'tus',
    )
    this.uploads.push(upload)
    this.#streams.add(upload)
    // Before any other client can see it.
    this.#busy.add(upload)
    return upload
  }

  async #create(
    name: string,
    content: Buffer,
    client: Client,
    manner: Manner,
    creations: readonly Creation[],
    kind: 'tus' | 'part',
  ): Promise<UploadModel> {
    const creation = this.#random.shuffled(creations)[0] ?? 'empty'
    this.unansweredCreations += 1
    const byDraft = kind === 'tus' && content.length > 0 && this.#random.chance(0.2)
    try {
      const upload = byDraft
        ? await createByDraft(name, content, client, manner)
        : await createTus(name, content, creation, client, manner, { kind })
      this.unansweredCreations -= 1
      return upload
    } catch (error) {
      // There is no room for it. By the draft, it may have been created before its bytes were refused.
      if (error instanceof Over && !byDraft) this.unansweredCreations -= 1
      throw error
    }
  }
}

/** Whether the page has to restart it: then there is a next upload for the same file. */
function isToBeSentAgain({ cut, successor, failure, expired, removal }: UploadModel): boolean {
  if (cut === undefined || successor !== undefined) return false
  return (failure === 'certain' && removal === 'none') || (expired && removal === 'done')
}

function isFile({ nature }: UploadModel): boolean {
  return nature.kind === 'tus' || nature.kind === 'WebUploader'
}

/** With several nodes, others answer after a while. */
async function untilNoAnswer(work: () => Promise<void>, client: Client): Promise<void> {
  do {
    try {
      for (;;) await work()
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
    }
  } while (await client.canContinue())
}

async function unlessOver(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof Over)) throw error
  }
}
