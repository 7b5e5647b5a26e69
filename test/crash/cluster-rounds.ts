import { setTimeout as pause } from 'node:timers/promises'
import type { Random } from '../support/random.ts'
import { all } from './all-settled.ts'
import { Client, NoAnswer } from './client.ts'
import type { Cluster, ClusterNode } from './cluster.ts'
import { FileMaker } from './file-maker.ts'
import type { UploadModel } from './model.ts'
import { checkPromises } from './promise-checks.ts'
import { Sweeps } from './sweeps.ts'
import { type Kind, Load } from './workload.ts'

/** What happens to the nodes during a round. */
export type Disturbance = 'kill' | 'freeze' | 'cut off' | 'deploy' | 'rehash'

/** How long something takes, in milliseconds. */
export interface Pace {
  readonly freeze: number
  readonly cutOff: number
  /** Before and after each disturbance, at most. */
  readonly load: number
}

/** Addresses of the clients. */
const ADDRESSES = ['127.0.0.2', '127.0.0.3', '127.0.0.4'] as const
/** An upload continues on another node within this time, in milliseconds, and a check of it may wait for it twice. */
const CONTINUES_WITHIN = 15_000
/** How often clients return to what they have not finished. */
const MOST_RETURNS = 20

/** Clients of a cluster through all the disturbances. */
export class ClusterRounds {
  readonly #cluster: Cluster
  readonly #random: Random
  readonly #loads: readonly Load[]
  readonly #sweeps = new Sweeps()
  #next = 0

  constructor(cluster: Cluster, random: Random, seed: number, kinds: readonly Kind[]) {
    this.#cluster = cluster
    this.#random = random
    // Without owners, equal names of two clients are the same file.
    this.#loads = ADDRESSES.map((_, i) => {
      return new Load(random, new FileMaker(seed + i * 1_000_000, seed + i), 1 / ADDRESSES.length, kinds)
    })
  }

  get uploads(): readonly UploadModel[] {
    return this.#loads.flatMap(({ uploads }) => uploads)
  }

  /** Loads the cluster while one thing after the other happens to it. @throws Violation */
  async load(disturbances: readonly Disturbance[], pace: Pace): Promise<void> {
    const clients = this.#clients(0)
    const works = all(this.#loads.map((load, i) => load.run(at(clients, i))))
    // It is awaited later.
    works.catch(() => undefined)
    await pause(this.#random.whole(pace.load / 2, pace.load))
    for (const disturbance of disturbances) {
      await this.#disturb(disturbance, pace)
      await pause(this.#random.whole(pace.load / 2, pace.load))
    }
    for (const client of clients) client.stop()
    await works
    for (const client of clients) client.close()
  }

  /** Finishes every upload, and checks all. @throws Violation, NoAnswer */
  async last(): Promise<void> {
    const clients = this.#clients(0)
    await all(this.#loads.map((load, i) => finish(load, at(clients, i))))
    for (const client of clients) client.close()
    await this.check(true)
    this.uploads.find((upload) => upload.isOpen)?.broken('did not finish')
    const unanswered = this.#loads.reduce((sum, load) => sum + load.unansweredCreations, 0)
    await this.#cluster.storage.checkLeftovers(this.uploads, unanswered)
  }

  /** Checks all promises. @param isLast whether uploads that have long been correct are checked, too. @throws Violation */
  async check(isLast: boolean): Promise<void> {
    const clients = this.#clients(CONTINUES_WITHIN)
    const { storage } = this.#cluster
    const checks = this.#loads.map(({ uploads }, i) =>
      checkPromises(uploads, { storage, client: at(clients, i), alive: () => true, isLast }),
    )
    await all(checks)
    for (const client of clients) client.close()
  }

  #clients(patience: number): readonly Client[] {
    const { url } = this.#cluster.balancer
    return ADDRESSES.map((localAddress) => new Client(url, this.#sweeps, {}, { localAddress, patience }))
  }

  async #disturb(disturbance: Disturbance, { freeze, cutOff }: Pace): Promise<void> {
    const { nodes, balancer } = this.#cluster
    if (disturbance === 'rehash') return balancer.rehash()
    if (disturbance === 'deploy') {
      for (const node of nodes) await restart(node)
      return
    }
    // In turn.
    const node = at(nodes, this.#next)
    this.#next = (this.#next + 1) % nodes.length
    if (disturbance === 'freeze') return node.freeze(freeze)
    if (disturbance === 'cut off') return node.cutOff(cutOff)
    await node.kill()
    await pause(this.#random.whole(0, 2_000))
    await node.start()
  }
}

/** Clients return until they have finished what they can. */
async function finish(load: Load, client: Client): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await load.finishAll(client)
    } catch (error) {
      if (!(error instanceof NoAnswer) || tries === MOST_RETURNS) throw error
      await pause(1_000)
    }
  }
}

async function restart(node: ClusterNode): Promise<void> {
  await node.end()
  await node.start()
}

function at<T>(list: readonly T[], place: number): T {
  const found = list[place]
  if (found === undefined) throw new Error(`There is no ${place}th`)
  return found
}
