import type { ChunkSet } from '../../../legacy-adapter/which-upload.ts'
import type { Question, Sending, SimulatedFile, World } from './world.ts'

/** When a page asks which chunks to skip: never, at each selection, or once per file with these fields. */
export type Asks = 'never' | 'bare' | 'name' | 'all fields'

export interface PageOptions {
  readonly number: number
  readonly visitor: string | undefined
  /** Whether the visitor gets the cookie only while the page is open. */
  readonly isIntroducedLate: boolean
  readonly task: string
  /** Whether a reload keeps the task. */
  readonly keepsTask: boolean
  readonly threads: number
  readonly retries: number
  readonly asks: Asks
  /** Whether the browser reports the modification time. */
  readonly tellsDate: boolean
}

/** One selection of a file. */
export interface Item {
  readonly id: string
  readonly file: SimulatedFile
  readonly task: string
  /** The text of the date. */
  readonly date: string
  state: 'queued' | 'running' | 'failed' | 'done'
  next: number
  /** How often each chunk in flight was resent. */
  readonly tries: Map<number, number>
  list: ChunkSet
  /** Whether its complete is pending. */
  asksComplete: boolean
}

/** A page with WebUploader: a queue, threads, retries, and a list of chunks to skip. */
export class Page {
  readonly options: PageOptions
  readonly #world: World
  readonly #net: Set<Travelling>
  items: Item[] = []
  #task: string
  #chosen = 0
  #loads = 0
  /** When the browser got its cookie. */
  #since: number | undefined
  #list: ReadonlyMap<string, ChunkSet> = new Map()

  constructor(world: World, net: Set<Travelling>, options: PageOptions) {
    this.#world = world
    this.#net = net
    this.options = options
    this.#task = options.task
    this.#since = options.isIntroducedLate ? undefined : Number.NEGATIVE_INFINITY
  }

  /** `undefined` without a cookie. */
  get visitor(): string | undefined {
    return this.#since === undefined ? undefined : this.options.visitor
  }

  /** The browser gets the cookie. */
  introduce(): void {
    this.#since ??= this.#world.time
  }

  /** The visitor opens the file picker. @param isLost whether the response of the check is lost. */
  click(isLost: boolean): void {
    if (this.options.asks !== 'bare') return
    const list = this.#world.checkAll(this.visitor)
    if (isLost) return
    this.#list = list
    this.introduce()
  }

  choose(file: SimulatedFile): void {
    const { tellsDate } = this.options
    this.items.push({
      id: `WU_FILE_${this.#chosen}`,
      file,
      task: this.#task,
      date: tellsDate ? String(file.modified) : `chosen ${this.#world.time}.${this.#chosen}`,
      state: 'queued',
      next: 0,
      tries: new Map(),
      list: [],
      asksComplete: false,
    })
    this.#chosen += 1
  }

  retry(item: Item): void {
    item.state = 'queued'
    this.items = [...this.items.filter((other) => other !== item), item]
  }

  /** The network fails, and with it all running requests. */
  lose(): void {
    for (const item of this.running) {
      this.#abort(item)
      item.state = 'failed'
    }
  }

  reload(): void {
    for (const item of this.items) this.#abort(item)
    this.items = []
    this.#chosen = 0
    this.#list = new Map()
    this.#loads += 1
    if (!this.options.keepsTask) this.#task = `${this.options.task} ${this.options.number}.${this.#loads}`
  }

  get running(): readonly Item[] {
    return this.items.filter(({ state }) => state === 'running')
  }

  /** The file from which a thread takes the next chunk. */
  get startable(): Item | undefined {
    const busy = this.running.reduce((sum, { tries }) => sum + tries.size, 0)
    if (busy >= this.options.threads) return undefined
    const running = this.running.find(({ next, file }) => next < file.content.length)
    return running ?? this.items.find(({ state }) => state === 'queued')
  }

  /** A thread takes the next chunk of a file, and skips or sends it. */
  start(item: Item): void {
    if (item.state === 'queued') this.#begin(item)
    const chunk = item.next
    item.next += 1
    if (item.list.some(({ start, end }) => start <= chunk && chunk < end)) {
      this.#endIfDone(item)
    } else {
      item.tries.set(chunk, 0)
      this.#send(item, chunk)
    }
  }

  /** A response arrives. @param status 0 if it is lost. */
  answered({ item, sending, isGone }: Travelling, status: number): void {
    const tries = item.tries.get(sending.chunk)
    if (isGone || item.state !== 'running' || tries === undefined) return
    if (status === 200) {
      item.tries.delete(sending.chunk)
      this.#endIfDone(item)
    } else if (tries < this.options.retries) {
      item.tries.set(sending.chunk, tries + 1)
      this.#send(item, sending.chunk)
    } else {
      item.state = 'failed'
      this.#abort(item)
    }
  }

  questionOf({ file, task, id, date }: Item): Question & { sender: string } {
    const { tellsDate } = this.options
    const { visitor } = this
    const modified = tellsDate ? file.modified : undefined
    return {
      visitor,
      since: this.#since,
      task,
      name: file.name,
      chunks: file.content.length,
      sender: `${id}|${date}`,
      modified,
    }
  }

  #begin(item: Item): void {
    item.state = 'running'
    item.next = 0
    item.tries.clear()
    item.list = this.#listFor(item)
  }

  #listFor(item: Item): ChunkSet {
    const { asks } = this.options
    if (asks === 'never') return []
    if (asks === 'bare') return this.#list.get(item.task) ?? []
    const question = this.questionOf(item)
    return this.#world.check(asks === 'name' ? { ...question, sender: undefined, modified: undefined } : question)
  }

  #send(item: Item, chunk: number): void {
    const content = item.file.content[chunk] ?? 0
    this.#net.add({
      page: this,
      item,
      sending: { ...this.questionOf(item), chunk, content },
      isGone: false,
      isPlaced: false,
    })
  }

  #abort(item: Item): void {
    for (const travelling of this.#net) {
      if (travelling.item === item) travelling.isGone = true
    }
    item.tries.clear()
  }

  #endIfDone(item: Item): void {
    if (item.next < item.file.content.length || item.tries.size > 0 || item.state !== 'running') return
    item.state = 'done'
    item.asksComplete = true
  }
}

/** A request between a page and the service. */
export interface Travelling {
  readonly page: Page
  readonly item: Item
  readonly sending: Sending
  /** Whether the page has stopped waiting for it. */
  isGone: boolean
  /** Whether it has arrived at the service. */
  isPlaced: boolean
}
