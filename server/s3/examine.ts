import { UploadError } from '../core/errors.ts'
import { parseDone } from './documents.ts'
import { readDone } from './ends.ts'
import type { Environment } from './environment.ts'
import { doneKey, goneFolder, liveFolder } from './keys.ts'
import { parseName, recordName } from './names.ts'
import { counted, list } from './opening.ts'
import { passedKey } from './passed-self-test.ts'
import { S3Error } from './s3-error.ts'
import type { ListedObject } from './s3-port.ts'

/** A problem in a bucket. */
export interface BucketFinding {
  /** A key, or the beginning of keys. */
  readonly place: string
  readonly sentence: string
  /** How to fix it: it only deletes what no upload needs. `undefined` if a person has to decide. */
  readonly repair: { readonly sentence: string; readonly run: () => Promise<void> } | undefined
}

/** How old objects are that nothing can be waiting for any more. Milliseconds, by the clock of S3. */
const ABANDONED_AFTER = 48 * 60 * 60 * 1000

/** How many finished files are looked at at a time. */
const PARALLEL = 16

/** An object, and how old it is. */
interface Aged extends ListedObject {
  /** Milliseconds, by the clock of S3. */
  readonly age: number
}

/**
 * Examines the uploads in a bucket. Services may use it meanwhile.
 *
 * @throws S3Error, UploadError `storage_error`.
 */
export async function* examineBucket(environment: Environment): AsyncGenerator<BucketFinding> {
  const { prefix } = environment
  for await (const [id, objects] of liveFolders(environment)) {
    const finding = await examineLive(environment, id, objects)
    if (finding !== undefined) yield finding
  }
  yield* examineEnds(environment)
  yield* examineRest(environment, `${prefix}notes/`, 'Notes of an upload that is not finished.', async (id) => {
    return (await readDone(environment, id))?.kind === 'finished'
  })
  yield* examineRest(environment, goneFolder(prefix), 'The mark of a tombstone that is not there.', async (place) => {
    return (await readDone(environment, place.split('/')[2] ?? ''))?.kind === 'gone'
  })
  yield* examineRest(environment, `${prefix}self-test/`, 'What a self-test has left.', async (place) => {
    return `${prefix}self-test/${place}` === passedKey(prefix)
  })
}

/** What is below the folders of unfinished uploads, by their ids. */
async function* liveFolders(environment: Environment): AsyncGenerator<readonly [string, readonly Aged[]]> {
  const folder = `${environment.prefix}live/`
  let current: { readonly id: string; readonly objects: Aged[] } | undefined
  for await (const object of objectsBelow(environment, folder)) {
    const [id = ''] = object.key.slice(folder.length).split('/')
    if (current?.id !== id) {
      if (current !== undefined) yield [current.id, current.objects]
      current = { id, objects: [] }
    }
    current.objects.push(object)
  }
  if (current !== undefined) yield [current.id, current.objects]
}

async function examineLive(
  environment: Environment,
  id: string,
  objects: readonly Aged[],
): Promise<BucketFinding | undefined> {
  const { prefix } = environment
  const folder = liveFolder(prefix, id)
  const isAbandoned = objects.every(({ age }) => age > ABANDONED_AFTER)
  const hasRecord = objects.some(({ key }) => key === `${folder}${recordName(1, 0)}`)
  const end = await readDone(environment, id).catch(() => 'unreadable' as const)
  if (end === 'unreadable') return undefined
  if (end !== undefined) {
    // Claims tell a process that was stopped that the upload has ended.
    const rest = objects.filter(({ key }) => parseName(key.slice(folder.length))?.kind !== 'claim')
    if (rest.length > 0) return leftover(environment, folder, 'Objects of an upload that has ended.', rest)
    return isAbandoned ? leftover(environment, folder, 'Claims of an upload that has ended.', objects) : undefined
  }
  if (hasRecord) return examineOpen(environment, id)
  return isAbandoned ? leftover(environment, folder, 'Objects without a record.', objects) : undefined
}

/** Whether an unfinished upload can be opened. */
async function examineOpen(environment: Environment, id: string): Promise<BucketFinding | undefined> {
  const folder = liveFolder(environment.prefix, id)
  let sentence: string | undefined
  // A service may be changing it: then it is another one the second time.
  for (let attempt = 0; attempt < 2; attempt += 1) {
    sentence = await problemOf(environment, folder)
    if (sentence === undefined || (await readDone(environment, id)) !== undefined) return undefined
  }
  return sentence === undefined ? undefined : { place: folder, sentence, repair: undefined }
}

async function problemOf(environment: Environment, folder: string): Promise<string | undefined> {
  const listing = await list(environment, folder)
  if (listing.records.size === 0) return undefined
  try {
    await counted(environment, folder, listing)
    return undefined
  } catch (error) {
    if (error instanceof S3Error && error.code !== undefined) throw error
    const cause = error instanceof UploadError && error.cause instanceof Error ? ` (${error.cause.message})` : ''
    return `An upload that cannot be opened: its record, or bytes of it, are missing${cause}.`
  }
}

async function* examineEnds(environment: Environment): AsyncGenerator<BucketFinding> {
  const waiting: Promise<BucketFinding | undefined>[] = []
  for await (const { key } of objectsBelow(environment, doneKey(environment.prefix, ''))) {
    const examined = examineEnd(environment, key)
    // It is awaited below, in order.
    examined.catch(() => undefined)
    waiting.push(examined)
    if (waiting.length < PARALLEL) continue
    const finding = await waiting.shift()
    if (finding !== undefined) yield finding
  }
  for (const last of waiting) {
    const finding = await last
    if (finding !== undefined) yield finding
  }
}

/** Whether the file of a finished upload is there. */
async function examineEnd({ port }: Environment, key: string): Promise<BucketFinding | undefined> {
  const { found } = await port.get(key)
  if (found === undefined) return undefined
  const end = parsed(found.body)
  if (end === undefined) return { place: key, sentence: 'The end of an upload that cannot be read.', repair: undefined }
  if (end.kind === 'gone') return undefined
  const file = (await port.head(end.key)).found
  if (file?.size === end.size) return undefined
  const sentence =
    file === undefined
      ? 'The file of a finished upload is missing.'
      : `A finished file of ${file.size} bytes that should have ${end.size}.`
  return { place: end.key, sentence, repair: undefined }
}

function parsed(body: Buffer): ReturnType<typeof parseDone> | undefined {
  try {
    return parseDone(body)
  } catch {
    return undefined
  }
}

/** Objects that accompany others. @param isNeeded by the rest of the key. */
async function* examineRest(
  environment: Environment,
  folder: string,
  sentence: string,
  isNeeded: (place: string) => Promise<boolean>,
): AsyncGenerator<BucketFinding> {
  for await (const object of objectsBelow(environment, folder)) {
    const isOld = object.age > ABANDONED_AFTER
    if (isOld && !(await isNeeded(object.key.slice(folder.length)))) {
      yield leftover(environment, object.key, sentence, [object])
    }
  }
}

function leftover(
  { port }: Environment,
  place: string,
  sentence: string,
  objects: readonly ListedObject[],
): BucketFinding {
  const keys = objects.map(({ key }) => key)
  const run = async (): Promise<void> => {
    await port.remove(keys)
  }
  return {
    place,
    sentence,
    repair: { sentence: keys.length === 1 ? 'delete it' : `delete ${keys.length} objects`, run },
  }
}

async function* objectsBelow({ port }: Environment, folder: string): AsyncGenerator<Aged> {
  for (let after: string | undefined; ; ) {
    const { objects, date, next } = await port.list(folder, { after })
    for (const object of objects) yield { ...object, age: date - object.lastModified }
    if (next === undefined) return
    after = next
  }
}
