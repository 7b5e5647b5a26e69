import { type Asks, type Item, Page, type PageOptions, type Travelling } from './page.ts'
import { below, oneOf, type Random, seeded } from './random.ts'
import { type SimulatedFile, type SimulatedUpload, World } from './world.ts'

/**
 * The kinds of faults. `mixed`: a finished file has bytes of different files. `false done`: the page reports a file
 * that is not stored. `stuck`: a file is not stored after three tries without disturbances.
 */
export type Fault = 'mixed' | 'false done' | 'stuck'

/** The result of one run. */
export interface Outcome {
  readonly faults: ReadonlySet<Fault>
  /** Whether no rule could have told its files apart. */
  readonly isHopeless: boolean
  /** Chunks sent after the disturbances, and the minimum that would have sufficed. */
  readonly sent: number
  readonly least: number
}

interface Action {
  readonly weight: number
  readonly run: () => unknown
}

/**
 * A few pages upload similar files while everything breaks that can; then the disturbances stop.
 *
 * @param introducesLate whether visitors may get their cookie during an upload.
 */
export function simulate(seed: number, introducesLate: boolean): Outcome {
  return new Run(seeded(seed), introducesLate).outcome()
}

class Run {
  readonly #random: Random
  readonly #world = new World()
  readonly #net = new Set<Travelling>()
  readonly #files: readonly SimulatedFile[]
  readonly #pages: readonly Page[]
  readonly #faults = new Set<Fault>()
  /** The files of each sender, to detect two files from one sender. */
  readonly #sentBy = new Map<string, Set<SimulatedFile>>()
  readonly #hasFaults: boolean
  #sent = 0
  #least = 0
  #isHopeless = false

  constructor(random: Random, introducesLate: boolean) {
    this.#random = random
    this.#files = makeFiles(random)
    this.#pages = makePages(random, introducesLate).map((options) => new Page(this.#world, this.#net, options))
    this.#hasFaults = random() < 0.85
  }

  outcome(): Outcome {
    const steps = 40 + below(this.#random, 80)
    for (let step = 0; step < steps; step++) this.#fire([...this.#traffic(true), ...this.#visitors()])
    this.#drain()
    for (const page of this.#pages) for (const file of this.#files) this.#upload(page, file)
    return { faults: this.#faults, isHopeless: this.#isHopeless, sent: this.#sent, least: this.#least }
  }

  /** The possible next events on the network. */
  #traffic(breaks: boolean): Action[] {
    const actions: Action[] = []
    for (const travelling of this.#net) actions.push(...this.#next(travelling, breaks && this.#hasFaults))
    for (const page of this.#pages) {
      const item = page.startable
      if (item !== undefined) actions.push({ weight: 3, run: () => page.start(item) })
      for (const done of page.items.filter(({ asksComplete }) => asksComplete)) {
        actions.push({ weight: 2, run: () => this.#complete(page, done, breaks && this.#hasFaults) })
      }
    }
    return actions
  }

  #next(travelling: Travelling, breaks: boolean): Action[] {
    const { page, sending, isGone, isPlaced } = travelling
    const leave = (): boolean => this.#net.delete(travelling)
    if (!isPlaced) {
      const arrive = (): void => {
        if (isGone && this.#random() < 0.5) leave()
        else this.#arrive(travelling)
      }
      const copy = { ...travelling, sending: { ...sending }, isGone: true }
      const double: Action = { weight: 0.04, run: () => this.#net.add(copy) }
      return [{ weight: isGone ? 0.5 : 2, run: arrive }, ...(breaks && !isGone ? [double] : [])]
    }
    if (sending.answer !== undefined) {
      const { answer } = sending
      const isLost = (): boolean => breaks && this.#random() < 0.04
      return [{ weight: 2, run: () => leave() && page.answered(travelling, isLost() ? 0 : answer) }]
    }
    const abort = {
      weight: 0.06,
      run: () => {
        page.answered(travelling, 0)
        travelling.isGone = true
      },
    }
    const aborts = breaks && !isGone ? [abort] : []
    if (sending.upload === undefined) {
      const isOver = this.#world.time - (sending.waitsSince ?? 0) >= 10_000
      const look = (): void => {
        if (isOver) sending.answer = 409
        else this.#arrive(travelling)
      }
      return [{ weight: 1, run: look }, ...aborts]
    }
    const end = (): void => {
      if (isGone && this.#random() < 0.5) {
        leave()
        this.#world.breakOff(sending)
      } else {
        this.#see(this.#world.complete(sending))
      }
    }
    return [{ weight: 2, run: end }, ...aborts]
  }

  #arrive(travelling: Travelling): void {
    const { item, sending } = travelling
    travelling.isPlaced = true
    const sender = `${travelling.page.options.visitor} ${sending.task} ${sending.sender}`
    this.#sentBy.set(sender, (this.#sentBy.get(sender) ?? new Set()).add(item.file))
    this.#world.arrive(sending)
  }

  /** The possible next actions of visitors and of their environment. */
  #visitors(): Action[] {
    const actions: Action[] = [
      { weight: 0.4, run: () => this.#pass(1_000) },
      { weight: 0.03, run: () => this.#pass(60_000) },
    ]
    for (const page of this.#pages) {
      const choose = (): void => {
        if (this.#random() < 0.85) page.click(this.#hasFaults && this.#random() < 0.08)
        page.choose(this.#anyFile())
        if (this.#random() < 0.3) page.choose(this.#anyFile())
      }
      if (page.options.isIntroducedLate) actions.push({ weight: 0.05, run: () => page.introduce() })
      if (page.items.length < 5) actions.push({ weight: 0.5, run: choose })
      const failed = page.items.find(({ state }) => state === 'failed')
      if (failed !== undefined) actions.push({ weight: 0.6, run: () => page.retry(failed) })
      if (!this.#hasFaults) continue
      actions.push({ weight: 0.06, run: () => page.lose() }, { weight: 0.04, run: () => page.reload() })
    }
    if (this.#hasFaults) actions.push({ weight: 0.02, run: () => this.#pausingart() })
    return actions
  }

  #pausingart(): void {
    for (const travelling of [...this.#net].filter(({ isPlaced }) => isPlaced)) {
      this.#net.delete(travelling)
      if (travelling.sending.answer === undefined) travelling.page.answered(travelling, 0)
    }
    this.#world.restart()
  }

  /** Without disturbances, the visitor retries in the natural way until the file is stored. */
  #upload(page: Page, file: SimulatedFile): void {
    for (let tries = 0; !this.#isStored(file); tries++) {
      if (tries === 3) {
        this.#fault('stuck', [file])
        return
      }
      this.#pass(3_000)
      const most = this.#mostOf(page, file)
      const sent = this.#world.uploads.reduce((sum, { fed }) => Math.max(sum, fed), 0)
      const failed = page.items.find((item) => item.file === file && item.state === 'failed')
      if (failed !== undefined && tries === 0 && this.#random() < 0.5) {
        page.retry(failed)
      } else {
        page.click(false)
        page.choose(file)
      }
      this.#drain()
      this.#sent += this.#world.uploads.reduce((sum, { fed }) => Math.max(sum, fed), 0) - sent
      this.#least += file.content.length - most + (most > 0 ? 1 : 0)
    }
  }

  /** The largest number of chunks of a file in one upload. */
  #mostOf({ visitor }: Page, file: SimulatedFile): number {
    const uploads = this.#world.uploads.filter(
      ({ question, content, finished }) =>
        question.visitor === visitor &&
        finished === undefined &&
        [...content].every(([chunk, bytes]) => file.content[chunk] === bytes),
    )
    return Math.max(0, ...uploads.map(({ content }) => content.size))
  }

  #drain(): void {
    for (let step = 0; step < 3_000; step++) {
      const actions = this.#traffic(false)
      if (actions.length === 0) return
      this.#fire([...actions, { weight: 0.5, run: () => this.#pass(1_000) }])
    }
    this.#faults.add('stuck')
  }

  #complete(page: Page, item: Item, breaks: boolean): void {
    item.asksComplete = false
    if (breaks && this.#random() < 0.1) return
    this.#see(this.#world.ask(page.questionOf(item)))
    if (!this.#isStored(item.file)) this.#fault('false done', this.#files)
  }

  /** Checks an upload that has just finished. */
  #see(upload: SimulatedUpload | undefined): void {
    if (upload === undefined) return
    const isOne = this.#files.some((file) => isOf(upload, file))
    if (!isOne) this.#fault('mixed', this.#files)
  }

  /** Records a fault, and whether any rule could have prevented it. */
  #fault(fault: Fault, files: readonly SimulatedFile[]): void {
    this.#faults.add(fault)
    const tellDates = this.#pages.every(({ options }) => options.tellsDate)
    const areAlike = this.#files.some((one, at) =>
      this.#files.slice(at + 1).some((other) => isAlike(one, other) && (!tellDates || one.modified === other.modified)),
    )
    const isSharedSender = [...this.#sentBy.values()].some(
      (sent) => sent.size > 1 && [...sent].some((file) => files.includes(file) || files.length > 1),
    )
    const isSharedTask = new Set(this.#pages.map(({ options }) => options.task)).size < this.#pages.length
    if (areAlike || isSharedSender || isSharedTask) this.#isHopeless = true
  }

  #isStored(file: SimulatedFile): boolean {
    return this.#world.uploads.some((upload) => upload.finished !== undefined && isOf(upload, file))
  }

  #anyFile(): SimulatedFile {
    const file = this.#files[below(this.#random, this.#files.length)]
    if (file === undefined) throw new Error('There are no files.')
    return file
  }

  #pass(time: number): void {
    this.#world.time += time
  }

  #fire(actions: readonly Action[]): void {
    let place = this.#random() * actions.reduce((sum, { weight }) => sum + weight, 0)
    for (const { weight, run } of actions) {
      place -= weight
      if (place > 0) continue
      run()
      return
    }
  }
}

/** Similar files: with the same name, number of chunks, date, or chunk 0. */
function makeFiles(random: Random): SimulatedFile[] {
  const chunks = 2 + below(random, 3)
  const isAlike = random() < 0.35
  return Array.from({ length: 1 + below(random, 3) }, (_, at) => {
    const count = random() < 0.8 ? chunks : 2 + below(random, 3)
    const content = Array.from({ length: count }, () => (random() < 0.5 ? 0 : at + 1))
    content[0] = isAlike ? 0 : at + 1
    return { name: random() < 0.75 ? 'x' : 'y', content, modified: random() < 0.6 ? 0 : at }
  })
}

function makePages(random: Random, introducesLate: boolean): PageOptions[] {
  const isShared = random() < 0.5
  const isOneVisitor = random() < 0.5
  return Array.from({ length: random() < 0.75 ? 1 : 2 }, (_, number) => ({
    number,
    visitor: random() < 0.85 ? `visitor ${isOneVisitor ? 0 : number}` : undefined,
    task: isShared ? 'shared' : `task ${number}`,
    keepsTask: random() < 0.5,
    threads: oneOf(random, [1, 1, 2, 3, 6]),
    retries: below(random, 4),
    asks: oneOf<Asks>(random, ['never', 'bare', 'bare', 'bare', 'name', 'all fields']),
    tellsDate: random() < 0.6,
    isIntroducedLate: introducesLate && random() < 0.5,
  }))
}

function isAlike(one: SimulatedFile, other: SimulatedFile): boolean {
  return one.name === other.name && one.content.length === other.content.length && one.content[0] === other.content[0]
}

function isOf({ question, content }: SimulatedUpload, file: SimulatedFile): boolean {
  return (
    question.name === file.name &&
    question.chunks === file.content.length &&
    file.content.every((bytes, chunk) => content.get(chunk) === bytes)
  )
}
