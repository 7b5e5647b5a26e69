import { hash } from 'node:crypto'
import type { Environment } from './environment.ts'
import { nodeFolder } from './keys.ts'
import { listAll } from './list-all.ts'

/** How often a node gives a sign of life, and how long it may be silent. Milliseconds, by the clock of S3. */
export const SIGN_EVERY = 20_000
const LONGEST_SILENCE = 60_000
/** When the sign of a silent node is deleted: it costs a place in a list. Milliseconds. */
const FORGET_AFTER = 60 * 60 * 1000

/** Which nodes share the bucket. Nothing that must be right depends on it, only how often an event is sent. */
export class LivingNodes {
  readonly #environment: Environment

  constructor(environment: Environment) {
    this.#environment = environment
  }

  /** Gives a sign of life. @throws S3Error */
  async sign(): Promise<void> {
    const { port, prefix, node } = this.#environment
    await port.put(`${nodeFolder(prefix)}${node}`, Buffer.alloc(0))
  }

  /** Ends the life of this node: others need not wait until it has been silent. @throws S3Error */
  async leave(): Promise<void> {
    const { port, prefix, node } = this.#environment
    await port.remove([`${nodeFolder(prefix)}${node}`])
  }

  /** @throws S3Error */
  async list(): Promise<Living> {
    const { port, prefix, node } = this.#environment
    const folder = nodeFolder(prefix)
    const living = new Set([node])
    const forgotten: string[] = []
    for await (const { key, age } of listAll(port, folder)) {
      if (age < LONGEST_SILENCE) living.add(key.slice(folder.length))
      else if (age > FORGET_AFTER) forgotten.push(key)
    }
    if (forgotten.length > 0) await port.remove(forgotten)
    return new Living(node, living)
  }
}

/** The nodes that were alive at a moment. */
export class Living {
  readonly #node: string
  readonly #nodes: ReadonlySet<string>

  /** @param node this one. */
  constructor(node: string, nodes: ReadonlySet<string>) {
    this.#node = node
    this.#nodes = nodes
  }

  has(node: string): boolean {
    return this.#nodes.has(node)
  }

  /** Whether this node, of all that live, does what belongs to none of them: all nodes come to the same result. */
  isHeir(name: string): boolean {
    const weight = (node: string): string => hash('sha256', `${node} ${name}`)
    const own = weight(this.#node)
    return ![...this.#nodes].some((node) => weight(node) > own)
  }
}
