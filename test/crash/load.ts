import { setTimeout as pause } from 'node:timers/promises'
import type { Manner } from './bodies.ts'
import { type Client, NoAnswer } from './client.ts'
import type { UploadModel } from './model.ts'
import { type Random, randomBytesFrom } from './random.ts'
import { type Creation, createTus, download, remove, sendByTus } from './tus-load.ts'
import { sendByWebUploader, webUploaderFile } from './webuploader-load.ts'

const MIB = 1024 * 1024
const LONGEST = 6 * MIB
/** How many unfinished uploads there are before no new ones are begun. */
const MOST_OPEN = 14
const LARGE_WORKERS = 6
/** Requests per run of the program that stop in the middle of their body. */
const MOST_STALLED = 2
/** Milliseconds between two small uploads: enough of them for every step, not so many that checking takes over. */
const SMALL_PAUSE = 12

const CREATIONS: readonly Creation[] = ['empty', 'with bytes', 'deferred length']

/** Clients of both protocols that go on with what they have begun through every restart. */
export class Load {
  readonly uploads: UploadModel[] = []
  /** Uploads that may be there without anybody knowing of them. */
  unansweredCreations = 0
  readonly #random: Random
  readonly #pool: Buffer
  readonly #busy = new Set<UploadModel>()
  #names = 0
  #lastTask = ''

  constructor(random: Random, seed: number) {
    this.#random = random
    this.#pool = randomBytesFrom(seed, LONGEST * 4)
  }

  /** Works until the program gives no answers any more. @throws Violation */
  async run(client: Client): Promise<void> {
    let stalls = MOST_STALLED
    const manner: Manner = {
      random: this.#random,
      mayStall: () => stalls > 0 && this.#random.chance(0.05) && stalls-- > 0,
    }
    const patient: Manner = { random: this.#random, mayStall: () => false }
    const works = Array.from({ length: LARGE_WORKERS }, () => this.#untilNoAnswer(() => this.#large(client, manner)))
    works.push(this.#untilNoAnswer(() => this.#small(client, patient)))
    await Promise.all(works)
  }

  /** Finishes everything that is not deleted. @throws NoAnswer, Violation */
  async finishAll(client: Client): Promise<void> {
    const manner: Manner = { random: this.#random, mayStall: () => false }
    for (const upload of this.#open()) await this.#send(upload, client, manner)
  }

  async #untilNoAnswer(work: () => Promise<void>): Promise<void> {
    try {
      for (;;) await work()
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
    }
  }

  async #large(client: Client, manner: Manner): Promise<void> {
    const upload = this.#nextOpen() ?? (await this.#begin(LONGEST, client, manner))
    await this.#working(upload, () => this.#goOn(upload, client, manner))
  }

  async #small(client: Client, manner: Manner): Promise<void> {
    const upload = await this.#begin(5_000, client, manner)
    await this.#working(upload, () => this.#goOn(upload, client, manner))
    await pause(SMALL_PAUSE)
  }

  async #working(upload: UploadModel, work: () => Promise<void>): Promise<void> {
    this.#busy.add(upload)
    try {
      await work()
    } finally {
      this.#busy.delete(upload)
    }
  }

  async #goOn(upload: UploadModel, client: Client, manner: Manner): Promise<void> {
    const random = this.#random
    if (upload.path !== undefined && random.chance(0.05)) return remove(upload, client)
    if (!upload.finished) await this.#send(upload, client, manner)
    if (random.chance(0.3)) return remove(upload, client)
    if (random.chance(0.3)) await download(upload, client)
    if (random.chance(0.2) && upload.content.length > 1) {
      const start = random.whole(0, upload.content.length - 2)
      await download(upload, client, { start, end: random.whole(start + 1, upload.content.length) })
    }
  }

  async #send(upload: UploadModel, client: Client, manner: Manner): Promise<void> {
    if (upload.cut === undefined) await sendByTus(upload, client, manner)
    else await sendByWebUploader(upload, upload.cut, client, manner)
  }

  #open(): UploadModel[] {
    return this.uploads.filter((upload) => !upload.finished && upload.removal === 'none')
  }

  #nextOpen(): UploadModel | undefined {
    const open = this.#open()
    if (open.length < MOST_OPEN && this.#random.chance(0.4)) return undefined
    return this.#random.shuffled(open.filter((upload) => !this.#busy.has(upload)))[0]
  }

  async #begin(longest: number, client: Client, manner: Manner): Promise<UploadModel> {
    const upload = this.#random.chance(0.5) ? await this.#newTus(longest, client, manner) : this.#newFile(longest)
    this.uploads.push(upload)
    // Before anybody else can see it.
    this.#busy.add(upload)
    return upload
  }

  async #newTus(longest: number, client: Client, manner: Manner): Promise<UploadModel> {
    const random = this.#random
    // Mostly long ones: a kill should find them being written.
    const least = random.chance(0.7) ? Math.ceil(longest / 16) : 1
    const content = this.#content(random.chance(0.05) ? 0 : random.size(least, longest))
    const creation = random.shuffled(CREATIONS)[0] ?? 'empty'
    this.unansweredCreations += 1
    const upload = await createTus(this.#name(), content, creation, client, manner)
    this.unansweredCreations -= 1
    return upload
  }

  #newFile(longest: number): UploadModel {
    const random = this.#random
    if (this.#lastTask === '' || !random.chance(0.2))
      this.#lastTask = `task-${random.whole(0, 2 ** 32)}-${this.#names}-of-a-page`
    if (longest < MIB || random.chance(0.15)) {
      const content = this.#content(random.chance(0.05) ? 0 : random.size(1, Math.min(longest, MIB)))
      const chunkSize = random.chance(0.5) ? undefined : random.whole(Math.ceil(content.length / 3), content.length + 1)
      return webUploaderFile(this.#name(), content, this.#lastTask, chunkSize)
    }
    const chunkSize = random.size(1024, 300 * 1024)
    const content = this.#content(chunkSize * random.whole(1, 20) + random.whole(0, chunkSize - 1))
    return webUploaderFile(this.#name(), content, this.#lastTask, chunkSize)
  }

  #name(): string {
    this.#names += 1
    return `file ${this.#names}.bin`
  }

  #content(length: number): Buffer {
    const start = this.#random.whole(0, this.#pool.length - length)
    return this.#pool.subarray(start, start + length)
  }
}
