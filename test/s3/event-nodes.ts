import { randomUUID } from 'node:crypto'
import pino from 'pino'
import { Events } from '../../server/core/events.ts'
import { ReportedStore } from '../../server/core/reported-store.ts'
import type { Store } from '../../server/core/store.ts'
import { openWebhooks } from '../../server/open-webhooks.ts'
import { parseSettings } from '../../server/read-settings.ts'
import { cellSizes } from '../../server/s3/cells.ts'
import type { Environment } from '../../server/s3/environment.ts'
import { MemoryBudget } from '../../server/s3/memory-budget.ts'
import type { S3Port } from '../../server/s3/s3-port.ts'
import { S3Store } from '../../server/s3/s3-store.ts'
import type { Schedule } from '../../server/webhooks/endpoint.ts'
import { Bucket, memoryPort, portTo, type Transport } from './memory-s3.ts'
import { MovedClock } from './moved-clock.ts'

/** An event is given up at the third attempt. */
const SCHEDULE: Schedule = { delays: [0, 1, 1], firstPause: 1, maxPause: 1 }
/** An event that is not accepted waits for longer than any test. */
export const PATIENT: Schedule = { delays: [0, 3_600_000], firstPause: 1, maxPause: 1 }

/** When a node dies: at so many calls of S3 from now on. */
export interface Death {
  readonly afterCalls: number
  /** Whether S3 applies the last call, which is not answered. */
  readonly isApplied: boolean
}

/** A process that keeps uploads in a bucket, and reports their events. */
export interface EventNode {
  readonly store: Store
  readonly environment: Environment
  /** Hears nothing of S3 any more, and sends nothing. */
  kill(): void
  killLater(death: Death): void
  readonly isKilled: boolean
  /** Stops it in order. */
  stop(): Promise<void>
}

/** Processes that share a bucket. */
export class EventNodes {
  readonly clock = new MovedClock()
  /** The bucket of nodes that have no other port. It has the same clock. */
  readonly bucket = new Bucket(() => this.clock.now())
  /** How often nodes have looked for the events of others. */
  looks = 0
  readonly #settings: Readonly<Record<string, string>>
  readonly #makePort: (() => S3Port) | undefined
  readonly #nodes: EventNode[] = []

  /**
   * @param settings of the webhooks.
   * @param makePort makes a port to another bucket, which no node can be cut off from.
   */
  constructor(settings: Readonly<Record<string, string>> = {}, makePort?: () => S3Port) {
    this.#settings = settings
    this.#makePort = makePort
  }

  /** The keys of events, dead letters, and letters to send again. */
  get keys(): readonly string[] {
    return [...this.bucket.objects.keys()].filter((key) => /^\.landfall\/(?:out|dead|again)\//.test(key))
  }

  /** What a process knows of the bucket. */
  environment(port: S3Port = memoryPort(this.bucket)): Environment {
    return {
      bucket: 'bucket',
      port,
      prefix: '.landfall/',
      keyOf: ({ id, fileName }) => `files/${id}/${fileName}`,
      node: randomUUID(),
      cells: cellSizes(8 * 1024 * 1024),
      clock: this.clock,
      parallel: 4,
      flushAfter: 30_000,
      budget: new MemoryBudget(256 * 1024 * 1024),
      keepsRejected: true,
    }
  }

  /** @param settings of the webhooks, in addition. */
  async start(settings: Readonly<Record<string, string>> = {}, schedule = SCHEDULE): Promise<EventNode> {
    const wire = new Wire()
    const environment = this.environment(this.#makePort?.() ?? this.#counted(portTo(this.bucket, wire.send)))
    const place = { bucket: environment, onStep: () => undefined }
    const log = pino({ level: 'silent' })
    const webhooks = openWebhooks(parseSettings({ ...this.#settings, ...settings }), log, place, schedule)
    const inner = new S3Store(environment)
    const store = new ReportedStore(inner, { events: new Events(), outbox: webhooks.outbox, progressInterval: 0 })
    await webhooks.outbox.begin(inner)
    wire.onCut = () => {
      webhooks.close().catch(() => undefined)
    }
    let isStopped = false
    const node: EventNode = {
      store,
      environment,
      kill: () => wire.cut(),
      killLater: (death) => wire.cutLater(death),
      get isKilled() {
        return wire.isCut
      },
      stop: async () => {
        if (wire.isCut || isStopped) return
        isStopped = true
        await webhooks.close()
        await store.close()
      },
    }
    this.#nodes.push(node)
    return node
  }

  #counted(port: S3Port): S3Port {
    return {
      ...port,
      list: (prefix, options) => {
        if (prefix.endsWith('/out/')) this.looks += 1
        return port.list(prefix, options)
      },
    }
  }

  async stop(): Promise<void> {
    for (const node of this.#nodes) await node.stop()
  }
}

/** The connection of a node to the bucket, which ends with it: no further call is applied, none is answered. */
class Wire {
  isCut = false
  onCut: () => void = () => undefined
  #left = Number.POSITIVE_INFINITY
  #appliesLast = false

  readonly send: Transport = async (apply) => {
    if (!this.isCut) {
      this.#left -= 1
      if (this.#left > 0) return apply()
      if (this.#appliesLast) apply()
      this.cut()
    }
    return new Promise(() => undefined)
  }

  cut(): void {
    this.isCut = true
    this.onCut()
  }

  cutLater({ afterCalls, isApplied }: Death): void {
    this.#left = afterCalls
    this.#appliesLast = isApplied
  }
}
