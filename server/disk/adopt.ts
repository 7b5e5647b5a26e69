import { lstat, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { systemCode } from '../core/errors.ts'
import { isUploadId, nameOf, type UploadRecord } from '../core/record.ts'
import { safeName } from '../core/safe-name.ts'
import type { Environment } from './environment.ts'
import { ifThere, syncPath } from './files.ts'
import type { Layout } from './layout.ts'
import { createRecord } from './record-file.ts'

/** Maximum size of a description, in bytes. A longer file with such a name is an upload itself. */
const MAX_DESCRIPTION = 1024 * 1024

/** The fields of a description that matter here. */
const description = z.object({
  id: z.string(),
  size: z.number().int().nonnegative().optional(),
  metadata: z.record(z.string(), z.string().nullable()).nullish(),
  creation_date: z.string().optional(),
})

const ENDING = '.json'

/** The id of the upload that a file in the data directory describes, judging by its name. */
export function adoptableId(name: string): string | undefined {
  const id = name.endsWith(ENDING) ? name.slice(0, -ENDING.length) : ''
  return isUploadId(id) ? id : undefined
}

/**
 * Adopts an upload that @tus/file-store wrote into the data directory, finished or not: `<id>` becomes an incoming
 * file, and its description `<id>.json` a record. After a crash in between, the next call continues.
 *
 * @returns whether there was such an upload.
 * @throws the OS error.
 */
export async function adopt(environment: Environment, id: string): Promise<boolean> {
  const { layout, sync, directorySync } = environment
  const file = path.join(layout.root, id)
  const json = `${file}${ENDING}`
  // In a directory that others can write to, a link could lead anywhere.
  const found = await ifThere(() => lstat(json))
  if (found === undefined || !found.isFile() || found.size > MAX_DESCRIPTION) return false
  const described = await readDescription(layout, id)
  if (described?.id !== id) return false
  const stats = await ifThere(() => lstat(file))
  if (stats !== undefined && !stats.isFile()) return false
  if (stats !== undefined && stats.size > (described.size ?? Number.POSITIVE_INFINITY)) return false
  if (stats !== undefined) {
    const durable = sync !== 'never'
    // The record will claim that these bytes are on disk.
    if (durable) await syncPath(file, 'data')
    await createUnlessThere(environment, recordOf(environment, described, stats.size), durable)
    environment.onStep('adopt:record')
    if (durable) await directorySync.sync(layout.recordFolder(id))
    await rename(file, layout.incomingFile(id))
    environment.onStep('adopt:bytes')
    // Without this, a power cut could keep only the removal, and leave bytes without a record.
    if (durable) await directorySync.sync(layout.incoming)
  }
  await rm(json)
  environment.onStep('adopt:done')
  return stats !== undefined
}

/** @returns `undefined` for any other file. @throws the OS error. */
async function readDescription({ root }: Layout, id: string): Promise<z.infer<typeof description> | undefined> {
  // Loading the package takes about 60 ms, and few starts have anything to adopt.
  const { FileConfigstore } = await import('@tus/file-store')
  const found = await new FileConfigstore(root).get(id)
  // The package hides read errors, but a description that could not be read must not count as another file.
  const json = found ?? jsonIn(await readFile(path.join(root, `${id}${ENDING}`), 'utf8'))
  return description.safeParse(json).data
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function recordOf(environment: Environment, from: z.infer<typeof description>, bytes: number): UploadRecord {
  const metadata = from.metadata ?? {}
  return {
    id: from.id,
    length: from.size ?? null,
    metadata,
    fileName: safeName(nameOf(metadata)),
    createdAt: from.creation_date ?? new Date().toISOString(),
    // The other server has acknowledged these bytes: a reboot before the first sync must not discard them.
    mark: { boot: environment.boot, synced: bytes },
  }
}

async function createUnlessThere(environment: Environment, record: UploadRecord, durable: boolean): Promise<void> {
  try {
    await createRecord(environment, record, durable)
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  }
}
