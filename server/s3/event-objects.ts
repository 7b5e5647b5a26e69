import { type DeadLetter, deadLetter, type WrittenEvent, writtenEvent } from '../core/written-event.ts'
import type { Environment } from './environment.ts'
import { parseOutName, sentName } from './event-names.ts'
import { eventFolder } from './keys.ts'
import type { AgedObject } from './list-all.ts'
import type { S3Port } from './s3-port.ts'

/** An event of an upload, as a list of the bucket shows it. */
export interface ListedEvent {
  /** The id of the event. */
  readonly id: string
  /** Its objects, one for each node that has written it. */
  readonly copies: readonly EventCopy[]
  /** The endpoints that have it, and the keys that say so. */
  readonly sent: ReadonlyMap<string, string>
}

export interface EventCopy {
  readonly key: string
  readonly node: string
  /** Milliseconds, by the clock of S3. */
  readonly age: number
}

/** The events of an upload that are not delivered. */
export interface UploadEvents {
  readonly upload: string
  /** As they happened. */
  readonly events: readonly ListedEvent[]
  /** Keys that belong to no event any more. */
  readonly leftovers: readonly AgedObject[]
  /** The last key. */
  readonly end: string
}

/** Reads the events of a bucket, upload by upload, in parts. */
export class EventList {
  readonly #environment: Environment
  #after: string | undefined
  #isOver = false

  constructor(environment: Environment) {
    this.#environment = environment
  }

  /** Whether everything was read. */
  get isOver(): boolean {
    return this.#isOver
  }

  /**
   * Some further uploads. The last one of a page comes with the next page, which may have the rest of it.
   *
   * @throws S3Error
   */
  async next(): Promise<readonly UploadEvents[]> {
    const { port, prefix } = this.#environment
    const folder = eventFolder(prefix)
    const { objects, next, date } = await port.list(folder, { after: this.#after })
    const uploads = byUpload(
      folder,
      objects.map((object) => ({ ...object, age: date - object.lastModified })),
    )
    if (next === undefined) this.#isOver = true
    else if (uploads.length > 1) uploads.pop()
    this.#after = uploads.at(-1)?.end ?? next
    return uploads
  }
}

/** The events of one upload. @throws S3Error */
export async function eventsOf({ port, prefix }: Environment, upload: string): Promise<readonly ListedEvent[]> {
  const folder = eventFolder(prefix)
  const { objects, date } = await port.list(`${folder}${upload}/`)
  const aged = objects.map((object) => ({ ...object, age: date - object.lastModified }))
  return byUpload(folder, aged)[0]?.events ?? []
}

/** The key that says that an endpoint has accepted an event. */
export function sentKey({ prefix }: Environment, { upload, type, id }: WrittenEvent, endpoint: string): string {
  return `${eventFolder(prefix)}${upload}/${sentName(type, id, endpoint)}`
}

/** @returns `undefined` if there is none. @throws S3Error; UnknownEvent if another program has written it. */
export async function readEvent(port: S3Port, key: string): Promise<WrittenEvent | undefined> {
  const { found } = await port.get(key)
  if (found === undefined) return undefined
  const { data } = writtenEvent.safeParse(parsed(found.body))
  if (data === undefined) throw new UnknownEvent(key)
  return data
}

/** @returns `undefined` if there is none, or another program has written it. @throws S3Error */
export async function readDeadLetter(port: S3Port, key: string): Promise<DeadLetter | undefined> {
  const { found } = await port.get(key)
  return found === undefined ? undefined : deadLetter.safeParse(parsed(found.body)).data
}

/** An object among events that this version cannot read. */
export class UnknownEvent extends Error {
  override readonly name = 'UnknownEvent'

  constructor(key: string) {
    super(`${key} is not an event of this version.`)
  }
}

interface CollectedEvent extends ListedEvent {
  readonly copies: EventCopy[]
  readonly sent: Map<string, string>
}

function byUpload(folder: string, objects: readonly AgedObject[]): UploadEvents[] {
  const uploads: UploadEvents[] = []
  let some: AgedObject[] = []
  for (const [i, object] of objects.entries()) {
    some.push(object)
    const upload = uploadIn(folder, object)
    const following = objects[i + 1]
    if (following !== undefined && uploadIn(folder, following) === upload) continue
    uploads.push({ upload, end: object.key, ...eventsIn(`${folder}${upload}/`, some) })
    some = []
  }
  return uploads
}

function uploadIn(folder: string, { key }: AgedObject): string {
  return key.slice(folder.length).split('/', 1)[0] ?? ''
}

function eventsIn(folder: string, objects: readonly AgedObject[]): Pick<UploadEvents, 'events' | 'leftovers'> {
  const events = new Map<string, CollectedEvent>()
  const marks: { readonly id: string; readonly endpoint: string; readonly object: AgedObject }[] = []
  for (const object of objects) {
    const { key, age } = object
    const name = parseOutName(key.slice(folder.length))
    if (name === undefined) continue
    const { id } = name
    if (name.kind === 'sent') {
      marks.push({ id, endpoint: name.endpoint, object })
      continue
    }
    const event: CollectedEvent = events.get(id) ?? { id, copies: [], sent: new Map() }
    events.set(id, event)
    event.copies.push({ key, node: name.node, age })
  }
  for (const { id, endpoint, object } of marks) events.get(id)?.sent.set(endpoint, object.key)
  const leftovers = marks.filter(({ id }) => !events.has(id)).map(({ object }) => object)
  return { events: [...events.values()], leftovers }
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return undefined
  }
}
