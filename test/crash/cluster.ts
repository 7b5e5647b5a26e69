import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { RetryingPort } from '../../server/s3/retrying-port.ts'
import { SdkPort } from '../../server/s3/sdk-port.ts'
import { type FaultProxy, startFaultProxy } from '../s3/fault-proxy.ts'
import { type Balancer, startBalancer } from '../support/balancer.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { freePort } from '../support/free-port.ts'
import { type Program, startProgram } from '../support/program.ts'
import type { EngineLocation } from '../support/s3-engine.ts'
import { BucketStorage } from './bucket-storage.ts'
import { Violation } from './model.ts'

const CLOCK = fileURLToPath(new URL('../support/shifted-clock.mjs', import.meta.url))
const MINUTES = 60_000
/** How far the clocks of the nodes are ahead, in milliseconds. */
const CLOCKS_AHEAD = [0, 10 * MINUTES, -10 * MINUTES] as const

/** One process, which comes back on its port and in its data directory, and reaches the bucket through its own proxy. */
export class ClusterNode {
  readonly url: string
  readonly #settings: Readonly<Record<string, string>>
  readonly #folder: TemporaryFolder
  readonly #proxy: FaultProxy
  #program: Program | undefined

  private constructor(
    url: string,
    settings: Readonly<Record<string, string>>,
    folder: TemporaryFolder,
    proxy: FaultProxy,
  ) {
    this.url = url
    this.#settings = settings
    this.#folder = folder
    this.#proxy = proxy
  }

  static async prepare(storage: BucketStorage, engine: EngineLocation, ahead: number): Promise<ClusterNode> {
    const [port, folder, proxy] = await Promise.all([freePort(), temporaryFolder(), startFaultProxy(engine.endpoint)])
    const clock = { NODE_OPTIONS: `--import=${pathToFileURL(CLOCK)}`, CLOCK_AHEAD: String(ahead) }
    const settings = {
      ...storage.settings,
      S3_ENDPOINT: proxy.url,
      DATA_DIR: folder.path,
      PORT: String(port),
      ...clock,
    }
    return new ClusterNode(`http://127.0.0.1:${port}`, settings, folder, proxy)
  }

  async start(): Promise<void> {
    this.#program = await startProgram(this.#settings)
  }

  async kill(): Promise<void> {
    await this.#program?.end('SIGKILL')
  }

  /** @throws Violation unless it stops in order. */
  async end(): Promise<void> {
    const code = await this.#program?.end('SIGTERM')
    if (code !== 0) throw new Violation(`A node ended with ${code}: ${this.#program?.errors()}`)
  }

  /** Stops the process for a while, which it does not notice. */
  async freeze(milliseconds: number): Promise<void> {
    this.#program?.process.kill('SIGSTOP')
    await pause(milliseconds)
    this.#program?.process.kill('SIGCONT')
  }

  /** Keeps the bucket out of its reach for a while. */
  async cutOff(milliseconds: number): Promise<void> {
    const restore = this.#proxy.disturb({ fault: { kind: 'resetBefore' } })
    await pause(milliseconds)
    restore()
  }

  async dispose(): Promise<void> {
    await this.kill()
    await this.#proxy.close()
    await this.#folder.dispose()
  }
}

/** Three nodes on one bucket, behind a balancer. */
export class Cluster {
  readonly nodes: readonly ClusterNode[]
  readonly balancer: Balancer
  readonly storage: BucketStorage
  readonly #port: RetryingPort
  readonly #proxy: FaultProxy

  private constructor(
    nodes: readonly ClusterNode[],
    balancer: Balancer,
    storage: BucketStorage,
    port: RetryingPort,
    proxy: FaultProxy,
  ) {
    this.nodes = nodes
    this.balancer = balancer
    this.storage = storage
    this.#port = port
    this.#proxy = proxy
  }

  static async start(engine: EngineLocation, part: string): Promise<Cluster> {
    const port = new RetryingPort(new SdkPort(engine))
    const proxy = await startFaultProxy(engine.endpoint)
    const storage = new BucketStorage(port, engine, proxy, part)
    const nodes = await Promise.all(CLOCKS_AHEAD.map((ahead) => ClusterNode.prepare(storage, engine, ahead)))
    await Promise.all(nodes.map((node) => node.start()))
    const balancer = await startBalancer(nodes.map(({ url }) => url))
    return new Cluster(nodes, balancer, storage, port, proxy)
  }

  async close(): Promise<void> {
    await this.balancer.close()
    await Promise.all(this.nodes.map((node) => node.dispose()))
    await this.#proxy.close()
    this.#port.close()
  }
}
