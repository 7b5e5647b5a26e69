import { readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { Concatenation } from '../../server/core/concatenation.ts'
import { covers, missing, type Ranges } from '../../server/core/ranges.ts'
import { unlessMissing } from '../../server/core/unless-missing.ts'
import type { Upload } from '../../server/core/upload.ts'
import type { Uploads } from '../../server/core/uploads.ts'
import type { SyncMode } from '../../server/disk/environment.ts'
import { Layout } from '../../server/disk/layout.ts'
import { folderSecrets } from '../../server/disk/secret.ts'
import { openStore } from '../../server/open-store.ts'
import { ArraySource } from '../support/array-source.ts'
import { finishedFolderOf } from '../support/finished-files.ts'
import { anyone } from '../support/principal.ts'
import type { Facts } from './acknowledged-facts.ts'
import type { SentFile } from './workload.ts'

/** A promise was broken. */
export class Broken extends Error {}

/**
 * Starts the store on the state after a power cut, checks all promises, and completes every upload.
 *
 * @param boot a boot id other than that before the cut.
 * @throws Broken
 */
export async function checkAfterCut(
  directory: string,
  sync: SyncMode,
  boot: string,
  files: readonly SentFile[],
  facts: readonly Facts[],
): Promise<void> {
  const uploads = await openStore({ directory, sync, boot })
  const layout = new Layout(directory)
  const concatenation = new Concatenation(uploads, (await folderSecrets(layout, () => undefined)).ids)
  try {
    await checkIncoming(layout)
    for (const [i, file] of files.entries()) {
      const known = facts[i]
      if (known !== undefined) await checkFile({ uploads, layout, sync }, file, known)
    }
    await uploads.sweeps.resume()
    await concatenation.resume()
    for (const [i, file] of files.entries()) {
      if (file.path === undefined || facts[i]?.removal !== 'none') continue
      await unlessMissing(uploads.use(idOf(file), (upload) => goOn(upload, file, layout)))
    }
    for (const [i, file] of files.entries()) {
      if (file.kind === 'final' && facts[i]?.removal === 'none')
        await checkFinal({ uploads, layout, concatenation }, file)
    }
  } finally {
    await concatenation.close()
    await uploads.close()
  }
}

/** Expects no upload that no client knows. */
async function checkIncoming(layout: Layout): Promise<void> {
  for (const name of await readdir(layout.incoming)) {
    if (!(await isThere(layout.record(name)))) throw new Broken(`incoming/${name} has no record`)
  }
}

interface Service {
  readonly uploads: Uploads
  readonly layout: Layout
  readonly sync: SyncMode
}

async function checkFile({ uploads, layout, sync }: Service, file: SentFile, known: Facts): Promise<void> {
  if (file.path === undefined) return
  const isThere = await unlessMissing(
    uploads.use(idOf(file), async (upload) => {
      // It may be finishing.
      await upload.finish()
      await checkUpload(upload, file, known, sync)
      if (upload.state === 'finished') await checkFinished(file, layout)
      if (upload.state === 'finished' && file.kind === 'webuploader') await checkListed(uploads, file)
      return true
    }),
  )
  if (isThere) {
    if (known.removal === 'done' && sync === 'always') broken(file, 'was deleted, and is back')
    return
  }
  if (known.removal !== 'none' || !known.created) return
  if (sync === 'always' || known.finished) broken(file, 'is gone')
}

async function checkUpload(upload: Upload, file: SentFile, known: Facts, sync: SyncMode): Promise<void> {
  const { received, state, record } = upload
  if (state === 'failed') broken(file, `has failed: ${record.failed?.message}`)
  if (!record.joined) await checkBytes(upload, file, received)
  if (known.finished && known.removal === 'none' && state !== 'finished') {
    broken(file, `was finished, but is ${state} with ${JSON.stringify(received)}`)
  }
  if (sync !== 'always' || known.removal !== 'none' || file.kind === 'final') return
  const lost = known.acknowledged.find((range) => !covers(received, range))
  if (lost !== undefined) broken(file, `has lost bytes from ${lost.start} to ${lost.end}: ${JSON.stringify(received)}`)
  if (known.hasLength && record.length === null) broken(file, 'has lost its length')
}

/** Expects every counted byte to be the sent one. */
async function checkBytes(upload: Upload, file: SentFile, received: Ranges): Promise<void> {
  for (const range of received) {
    const pieces: Buffer[] = []
    for await (const piece of upload.read(range)) pieces.push(Buffer.from(piece))
    const bytes = Buffer.concat(pieces)
    const sent = file.content.subarray(range.start, range.end)
    if (!bytes.equals(sent) || range.end > file.content.length) {
      broken(file, `counts other bytes than were sent, somewhere from ${range.start} to ${range.end}`)
    }
  }
}

async function checkFinished(file: SentFile, layout: Layout): Promise<void> {
  const bytes = await readFile(path.join(await finishedFolderOf(layout, idOf(file)), file.name))
  if (!bytes.equals(file.content)) broken(file, `lies there with other bytes, ${bytes.length} of them`)
}

/** The page's `complete` finds its file by the task. */
async function checkListed(uploads: Uploads, file: SentFile): Promise<void> {
  const [group = ''] = idOf(file).split('.')
  if (!(await uploads.group(group)).includes(idOf(file))) broken(file, 'is not listed')
}

/** Sends the missing bytes: the file must become the intended one. */
async function goOn(upload: Upload, file: SentFile, layout: Layout): Promise<void> {
  if (file.kind === 'final' || upload.record.joined) return
  const { content } = file
  if (upload.record.length === null) await upload.setLength(content.length)
  for (const { start, end } of missing(upload.received, { start: 0, end: content.length })) {
    const source = ArraySource.of(content.subarray(start, end))
    if (file.kind === 'webuploader') await upload.receiving.put({ start, end }, source)
    else await upload.receiving.append({ start, end }, source, 'as-received')
  }
  await upload.finish()
  if (file.kind === 'part') {
    if (upload.state !== 'sealed') broken(file, `has all its bytes, but is ${upload.state}`)
    return
  }
  await checkFinished(file, layout)
}

/** Once its parts are complete again, a final upload becomes its file. */
async function checkFinal(
  { uploads, layout, concatenation }: Pick<Service, 'uploads' | 'layout'> & { concatenation: Concatenation },
  file: SentFile,
): Promise<void> {
  const parts = file.parts.map(idOf)
  const states = await Promise.all(parts.map((id) => unlessMissing(uploads.use(id, async ({ state }) => state))))
  const isMade =
    file.path !== undefined && (await isThere(path.join(await finishedFolderOf(layout, idOf(file)), file.name)))
  if (!isMade && states.some((state) => state !== 'sealed')) return
  const id = await concatenation.create(
    { parts, fileName: file.name, metadata: {}, tus: { concat: 'final' } },
    uploads.for(anyone),
  )
  if (file.path !== undefined && id !== idOf(file)) broken(file, 'has another id')
  const bytes = await readFile(path.join(await finishedFolderOf(layout, id), file.name))
  if (!bytes.equals(file.content)) broken(file, 'was put together wrongly')
}

export function idOf({ path }: SentFile): string {
  return path?.slice('/files/'.length) ?? ''
}

function broken({ kind, name, path }: SentFile, what: string): never {
  throw new Broken(`${kind} upload ${name} (${path}) ${what}`)
}

async function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  )
}
