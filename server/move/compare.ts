import { createHash } from 'node:crypto'
import type { Carried } from '../core/depot.ts'
import { covers, type Ranges } from '../core/ranges.ts'
import type { UploadRecord } from '../core/record.ts'

/** What is wrong with an upload at the target; `undefined` if it is the one of the source. */
export function difference(source: Carried, target: Carried | undefined): string | undefined {
  if (target === undefined) return 'It cannot be read at the target.'
  const { record, finishedAt, received, hasBytes } = source
  if (!isSameUpload(record, target.record)) return 'The target has another upload of this id.'
  if (finishedAt !== undefined && target.finishedAt === undefined) return 'At the target, it is not finished.'
  if (finishedAt !== undefined && record.length !== target.record.length) {
    return `At the target, its file has ${target.record.length} bytes instead of ${record.length}.`
  }
  const mayLack = !hasBytes || record.failed !== undefined || target.record.failed !== undefined
  return mayLack || coversAll(target.received, received) ? undefined : 'At the target, some of its bytes are missing.'
}

/** Whether two records are those of one upload. It may have changed at the target since it was moved. */
export function isSameUpload(one: UploadRecord, other: UploadRecord): boolean {
  return one.createdAt === other.createdAt && one.owner === other.owner
}

/** Whether the bytes that the source has are those of the target. @throws UploadError `storage_error`. */
export async function hasSameContent(source: Carried, target: Carried | undefined): Promise<boolean> {
  if (target === undefined || !source.hasBytes || !target.hasBytes || target.record.failed !== undefined) return true
  return (await digestOf(source, source.received)) === (await digestOf(target, source.received))
}

function coversAll(received: Ranges, wanted: Ranges): boolean {
  return wanted.every((range) => covers(received, range))
}

async function digestOf(upload: Carried, ranges: Ranges): Promise<string> {
  const hash = createHash('sha256')
  for (const range of ranges) for await (const bytes of upload.read(range)) hash.update(bytes)
  return hash.digest('hex')
}
