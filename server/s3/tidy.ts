import { readDone } from './ends.ts'
import type { Environment } from './environment.ts'
import { goneFolder, liveFolder, senderFolder } from './keys.ts'
import { parseName, recordName } from './names.ts'
import { S3Error } from './s3-error.ts'

/**
 * How long the claims of an upload stay after its end, for processes that were stopped, and the notes that name it, for
 * pages that repeat a request. Milliseconds.
 */
const CLAIMS_STAY = 48 * 60 * 60 * 1000

/** When what may have landed after a removal is deleted once more. Milliseconds. */
const REPEATED_AFTER = 7 * 24 * 60 * 60 * 1000

/**
 * Removes what is left of uploads that have ended, and what a crash has left of creations. Any process may do so at any
 * time: what it deletes can never count again.
 *
 * @throws S3Error.
 */
export async function tidy(environment: Environment, signal: AbortSignal): Promise<void> {
  await tidyLive(environment, signal)
  await tidySenders(environment, signal)
  await tidyGone(environment, signal)
}

async function tidyLive(environment: Environment, signal: AbortSignal): Promise<void> {
  const { port, prefix } = environment
  const folder = `${prefix}live/`
  let current = { id: '', hasRecord: false, changedAt: 0 }
  for (let after: string | undefined; !signal.aborted; ) {
    const { objects, date, next } = await port.list(folder, { after })
    for (const { key, lastModified } of objects) {
      const [id = '', name = ''] = key.slice(folder.length).split('/')
      if (id !== current.id) {
        await tidyUpload(environment, current, date)
        current = { id, hasRecord: false, changedAt: 0 }
      }
      const kind = parseName(name)?.kind
      current.hasRecord ||= kind === 'record' || kind === 'manifest'
      current.changedAt = Math.max(current.changedAt, lastModified)
    }
    if (next === undefined) return tidyUpload(environment, current, date)
    after = next
  }
}

interface Left {
  readonly id: string
  readonly hasRecord: boolean
  /** Milliseconds since 1970. */
  readonly changedAt: number
}

async function tidyUpload(environment: Environment, { id, hasRecord, changedAt }: Left, date: number): Promise<void> {
  if (id === '' || date - changedAt < CLAIMS_STAY) return
  // Without a record there is no upload, and never will be: its claim would be newer.
  if (hasRecord && (await readDone(environment, id)) === undefined) return
  const { port, prefix } = environment
  const folder = liveFolder(prefix, id)
  for (let page = await port.list(folder); page.objects.length > 0; page = await port.list(folder)) {
    await port.remove(page.objects.map(({ key }) => key))
  }
}

/** Removes the notes of uploads that ended long ago, or never began. */
async function tidySenders(environment: Environment, signal: AbortSignal): Promise<void> {
  const { port, prefix } = environment
  for (let after: string | undefined; !signal.aborted; ) {
    const { objects, date, next } = await port.list(senderFolder(prefix), { after })
    for (const { key, lastModified } of objects) {
      if (date - lastModified >= CLAIMS_STAY && (await isUseless(environment, key))) await port.remove([key])
    }
    if (next === undefined) return
    after = next
  }
}

async function isUseless(environment: Environment, key: string): Promise<boolean> {
  const { port, prefix } = environment
  const { found, date } = await port.get(key)
  // It may have been replaced since it was listed.
  if (found === undefined || date - found.lastModified < CLAIMS_STAY) return false
  const id = found.body.toString('utf8')
  const { found: record } = await port.head(`${liveFolder(prefix, id)}${recordName(1, 0)}`)
  const end = await readDone(environment, id).catch((error: unknown) => {
    if (error instanceof S3Error) throw error
    return 'damaged' as const
  })
  if (end === undefined) return record === undefined
  if (end === 'damaged') return false
  return date - (end.kind === 'finished' ? end.finishedAt : end.at).getTime() >= CLAIMS_STAY
}

/** Tombstones of random ids are forgotten by the service itself. */
async function tidyGone(environment: Environment, signal: AbortSignal): Promise<void> {
  const { port, prefix } = environment
  const folder = goneFolder(prefix)
  for (let after: string | undefined; !signal.aborted; ) {
    const { objects, date, next } = await port.list(folder, { after })
    for (const { key, lastModified } of objects) {
      const [, kind, id] = key.slice(folder.length).split('/')
      if (kind !== 'kept' || id === undefined || date - lastModified < REPEATED_AFTER) continue
      const end = await readDone(environment, id)
      await port.remove(end?.kind === 'gone' && end.key !== undefined ? [end.key, key] : [key])
    }
    if (next === undefined) return
    after = next
  }
}
