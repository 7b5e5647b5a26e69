import { randomUUID } from 'node:crypto'
import { MemoryClaims } from '../../../server/core/memory-claims.ts'
import { Uploads } from '../../../server/core/uploads.ts'
import type { Clock } from '../../../server/s3/clock.ts'
import type { Environment } from '../../../server/s3/environment.ts'
import { MemoryBudget } from '../../../server/s3/memory-budget.ts'
import { S3Error } from '../../../server/s3/s3-error.ts'
import { S3Store } from '../../../server/s3/s3-store.ts'
import type { Random } from '../../support/random.ts'
import { Bucket, portTo } from '../memory-s3.ts'

/** The sizes of cells in the simulation, in bytes: everything happens with few bytes. */
export const SIZES = { usual: 8, smallest: 5, largestNatural: 16, largest: 32, copied: 32 }

/** What S3 has not answered, or what it may still apply although nobody waits for an answer. */
interface Call {
  readonly node: SimulatedNode
  /** Applied at most once. */
  readonly apply: () => void
  isApplied: boolean
  /** Tells the caller; `undefined` once it has been told, or can never be. */
  answer: (() => void) | undefined
  giveUp: ((error: Error) => void) | undefined
}

interface Sleeper {
  readonly node: SimulatedNode
  readonly until: number
  readonly wake: () => void
}

/** One process of the service. */
export interface SimulatedNode {
  readonly uploads: Uploads
  isPaused: boolean
  isCrashed: boolean
}

/** A bucket and its nodes, in which the random decide what happens next. */
export class World {
  readonly bucket: Bucket
  readonly nodes: SimulatedNode[] = []
  readonly #all: SimulatedNode[] = []
  readonly random: Random
  readonly log: string[] = []
  #time = Date.parse('2026-01-01T00:00:00Z')
  readonly #calls = new Set<Call>()
  readonly #sleepers = new Set<Sleeper>()
  readonly #works = new Set<() => void>()
  /** What ends each call of a process that hears no answer. */
  readonly #ends = new Set<(error: Error) => void>()
  #isOver = false
  #hasFaults = true

  constructor(random: Random, nodes: number) {
    this.random = random
    this.bucket = new Bucket(() => this.#time, SIZES.smallest)
    for (let i = 0; i < nodes; i++) this.nodes.push(this.#start())
  }

  /** A node that answers. */
  get node(): SimulatedNode {
    const node = anyOf(this.random, this.nodes)
    if (node === undefined) throw new RangeError('There is no node.')
    return node
  }

  /** Something happens to S3, the network, the time, or a node. */
  step(): void {
    const { random } = this
    const faults = this.#hasFaults
    const work = random.chance(0.3) ? anyOf(random, [...this.#works]) : undefined
    if (work !== undefined) {
      this.#works.delete(work)
      work()
      return
    }
    if (faults && random.chance(0.02)) this.#crash()
    else if (faults && random.chance(0.03)) this.#pauseOrResume()
    else if (random.chance(0.05)) this.#passTime(random.chance(0.05) && faults ? 60_000 : 4000)
    else {
      const call = anyOf(random, [...this.#calls])
      if (call === undefined) this.#passTime(11_000)
      else this.#goOn(call, faults)
    }
  }

  #goOn(call: Call, faults: boolean): void {
    const { random } = this
    if (faults && random.chance(0.04) && call.giveUp !== undefined && !call.node.isPaused) {
      this.note('time-out')
      call.giveUp(new S3Error('unknown', 'no answer'))
      call.giveUp = undefined
      call.answer = undefined
      // It lands later, or never.
      if (call.isApplied || random.chance(0.3)) this.#calls.delete(call)
      return
    }
    if (faults && random.chance(0.01) && !call.isApplied && call.giveUp !== undefined && !call.node.isPaused) {
      this.note('refused')
      call.giveUp(new S3Error('refused', 'denied', { code: 'AccessDenied' }))
      this.#calls.delete(call)
      return
    }
    if (!call.isApplied) {
      call.isApplied = true
      call.apply()
      if (faults && random.chance(0.2)) return
    }
    if (call.node.isPaused) return
    call.answer?.()
    this.#calls.delete(call)
  }

  /** Whether a connection of a client breaks now. */
  get breaks(): boolean {
    return this.#isOver || (this.#hasFaults && this.random.chance(0.1))
  }

  /** Calls `work` at some time. */
  later(work: () => void): void {
    this.#works.add(work)
  }

  note(what: string): void {
    this.log.push(what)
  }

  /** Ends everything that still runs, also in processes that have crashed. */
  async end(): Promise<void> {
    this.#isOver = true
    for (const end of this.#ends) end(new S3Error('unknown', 'The simulation is over.'))
    for (const work of this.#works) work()
    for (const { uploads } of this.#all) await uploads.close().catch(() => undefined)
  }

  /** Ends all faults. */
  heal(): void {
    this.#hasFaults = false
    for (const node of this.nodes) node.isPaused = false
  }

  #start(): SimulatedNode {
    const name = randomUUID()
    const node: SimulatedNode = { uploads: this.#uploadsOf(() => node, name), isPaused: false, isCrashed: false }
    this.#all.push(node)
    return node
  }

  #uploadsOf(node: () => SimulatedNode, name: string): Uploads {
    const clock: Clock = {
      now: () => this.#time,
      elapsed: () => this.#time,
      sleep: (ms) =>
        new Promise((wake, end) => {
          if (this.#isOver) return end(new S3Error('unknown', 'The simulation is over.'))
          this.#ends.add(end)
          this.#sleepers.add({ node: node(), until: this.#time + ms, wake })
        }),
    }
    const port = portTo(this.bucket, (apply) => this.#send(node(), apply))
    const environment: Environment = {
      port,
      bucket: 'bucket',
      prefix: '.landfall/',
      keyOf: ({ id }) => `files/${id}`,
      node: name,
      cells: SIZES,
      parallel: 2,
      flushAfter: 30_000,
      budget: new MemoryBudget(1_000_000),
      clock,
      keepsRejected: false,
    }
    return new Uploads(new S3Store(environment), new MemoryClaims(), Number.POSITIVE_INFINITY)
  }

  #send<T>(node: SimulatedNode, apply: () => T): Promise<T> {
    if (this.#isOver) return Promise.reject(new S3Error('unknown', 'The simulation is over.'))
    return new Promise<T>((resolve, reject) => {
      this.#ends.add(reject)
      let outcome: () => void = () => undefined
      this.#calls.add({
        node,
        apply: () => {
          try {
            const result = apply()
            outcome = () => resolve(result)
          } catch (error) {
            outcome = () => reject(error)
          }
        },
        isApplied: false,
        answer: () => outcome(),
        giveUp: reject,
      })
    })
  }

  #crash(): void {
    const node = this.node
    this.note('crash')
    node.isCrashed = true
    this.nodes[this.nodes.indexOf(node)] = this.#start()
    for (const call of this.#calls) {
      if (call.node !== node) continue
      call.answer = undefined
      call.giveUp = undefined
      // Its requests land, or not.
      if (this.random.chance(0.5)) this.#calls.delete(call)
    }
    for (const sleeper of this.#sleepers) if (sleeper.node === node) this.#sleepers.delete(sleeper)
  }

  #pauseOrResume(): void {
    const node = this.node
    node.isPaused = !node.isPaused
    this.note(node.isPaused ? 'pause' : 'resume')
  }

  #passTime(most: number): void {
    this.#time += this.random.whole(1, most)
    for (const sleeper of this.#sleepers) {
      if (sleeper.until > this.#time || sleeper.node.isPaused) continue
      this.#sleepers.delete(sleeper)
      sleeper.wake()
    }
  }
}

function anyOf<T>(random: Random, items: readonly T[]): T | undefined {
  return items[random.whole(0, items.length - 1)]
}
