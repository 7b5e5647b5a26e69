import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Carried } from './core/depot.ts'
import type { Range } from './core/ranges.ts'
import type { UploadRecord } from './core/record.ts'
import type { Step } from './disk/environment.ts'
import { importUploads } from './import/import.ts'
import type { Target } from './import/target.ts'
import type { Settings } from './settings.ts'

/**
 * `landfall import`: see `importUploads`. With STORE=s3, uploads come into the bucket.
 *
 * @param onStep called after each step in a data directory; tests stop the program there.
 */
export function importCommand(
  variables: NodeJS.ProcessEnv,
  args: readonly string[],
  print: (line: string) => void,
  onStep: (step: Step) => void = () => undefined,
): Promise<number> {
  const openBucket = (settings: Settings, isDry: boolean): Promise<Target> => bucketTarget(settings, isDry, print)
  return importUploads(variables, args, print, { onStep, openBucket })
}

/** Where the bucket of these settings takes uploads. @throws Error with a sentence for the operator. */
async function bucketTarget(settings: Settings, isDry: boolean, print: (line: string) => void): Promise<Target> {
  const { checkBucket, s3Environment } = await import('./open-s3-store.ts')
  const { S3Depot } = await import('./s3/s3-depot.ts')
  const environment = s3Environment(settings)
  const depot = new S3Depot(environment)
  if (!isDry) await checkBucket(settings, environment.port, print)
  return {
    isTaken: async (id) => (await depot.see(id)).kind !== 'none',
    add: async (record, { files }) => {
      if (!isDry) await depot.place(await carried(record, files))
    },
    close: () => depot.close(),
  }
}

/** @param files in the order of their bytes. */
async function carried(record: UploadRecord, files: readonly string[]): Promise<Carried> {
  const all = await Promise.all(files.map((file) => stat(file)))
  const size = all.reduce((sum, stats) => sum + stats.size, 0)
  const changedAt = new Date(Math.max(...all.map(({ mtimeMs }) => mtimeMs)))
  return {
    record,
    received: size === 0 ? [] : [{ start: 0, end: size }],
    hasBytes: true,
    finishedAt: record.length === size && !record.partial ? changedAt : undefined,
    changedAt,
    read: (range) => bytesOf(files, range),
    close: async () => undefined,
  }
}

async function* bytesOf(files: readonly string[], { start, end }: Range): AsyncGenerator<Buffer> {
  let position = 0
  for (const file of files) {
    const { size } = await stat(file)
    const within = { start: Math.max(0, start - position), end: Math.min(size, end - position) }
    position += size
    if (within.start >= within.end) continue
    // The end of a stream is its last byte.
    for await (const bytes of createReadStream(file, { start: within.start, end: within.end - 1 })) yield bytes
  }
}
