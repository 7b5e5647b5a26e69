import type { DeadLetter, WrittenEvent } from '../core/written-event.ts'
import type { Environment } from './environment.ts'
import { letterName, parseLetterName } from './event-names.ts'
import { readDeadLetter } from './event-objects.ts'
import { againFolder, deadFolder } from './keys.ts'
import { listAll } from './list-all.ts'
import { onS3 } from './storage-error.ts'

// `dead/` has an object for each event that an endpoint did not accept. To have it sent again, any process moves it to
// `again/`.

/** A dead letter that is to be sent again. */
export interface RequestedLetter {
  readonly key: string
  /** The id of the event. */
  readonly id: string
  readonly endpoint: string
  /** Since it was requested, by the clock of S3: milliseconds. */
  readonly age: number
}

/** The events in a bucket that were given up. */
export class BucketDeadLetters {
  readonly #environment: Pick<Environment, 'port' | 'prefix'>

  constructor(environment: Pick<Environment, 'port' | 'prefix'>) {
    this.#environment = environment
  }

  /** @throws UploadError `no_space`, `storage_error`. */
  async add(event: WrittenEvent, endpoint: string, why: string): Promise<void> {
    const { port, prefix } = this.#environment
    const letter: DeadLetter = { ...event, only: endpoint, why }
    const key = `${deadFolder(prefix)}${letterName(event.id, endpoint)}`
    await onS3(() => port.put(key, Buffer.from(JSON.stringify(letter))))
  }

  /** The names of all dead letters, the ids of their events first. @throws S3Error */
  async names(): Promise<readonly string[]> {
    const { port, prefix } = this.#environment
    const folder = deadFolder(prefix)
    const names: string[] = []
    for await (const { key } of listAll(port, folder)) {
      const name = key.slice(folder.length)
      if (parseLetterName(name) !== undefined) names.push(name)
    }
    return names
  }

  /** @returns `undefined` if there is none, or another program has written it. @throws S3Error */
  read(name: string): Promise<DeadLetter | undefined> {
    const { port, prefix } = this.#environment
    return readDeadLetter(port, `${deadFolder(prefix)}${name}`)
  }

  /** Has a dead letter sent again by a node, or by the next one that starts. @throws S3Error */
  async sendAgain(name: string): Promise<void> {
    const { prefix } = this.#environment
    await this.#move(`${deadFolder(prefix)}${name}`, `${againFolder(prefix)}${name}`)
  }

  /** Deletes a dead letter. @throws S3Error */
  async remove(name: string): Promise<void> {
    const { port, prefix } = this.#environment
    await port.remove([`${deadFolder(prefix)}${name}`])
  }

  /** A letter that cannot be sent is dead again. @throws S3Error */
  async putBack({ key, id, endpoint }: RequestedLetter): Promise<void> {
    await this.#move(key, `${deadFolder(this.#environment.prefix)}${letterName(id, endpoint)}`)
  }

  /** The letters that are to be sent again. @throws S3Error */
  async *requested(): AsyncGenerator<RequestedLetter> {
    const { port, prefix } = this.#environment
    const folder = againFolder(prefix)
    for await (const { key, age } of listAll(port, folder)) {
      const name = parseLetterName(key.slice(folder.length))
      if (name !== undefined) yield { key, age, ...name }
    }
  }

  async #move(from: string, to: string): Promise<void> {
    const { port } = this.#environment
    await port.copy(from, to)
    await port.remove([from])
  }
}
