import type { Stats } from 'node:fs'
import { readFile, rename } from 'node:fs/promises'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { systemCode } from '../core/errors.ts'
import type { UploadRecord } from '../core/record.ts'
import { formatRecord, parseRecord } from '../core/record-format.ts'
import type { Environment } from './environment.ts'
import { ifThere, openExisting, openNew, syncPath, writeAll, writeNewFile } from './files.ts'
import { PRIVATE_FILE } from './modes.ts'
import { isOnlyRecord } from './upload-files.ts'

/** Maximum attempts to create a directory that others keep removing. */
const MAX_ATTEMPTS = 100

/** A record file of this size is replaced instead of getting another mark, in bytes. */
const REPLACE_FROM = 16 * 1024

// A record is a line of JSON and a line with its CRC-32, which reveals a torn record. Newer marks may follow: an empty
// line, then one with a CRC-32 and JSON. Versions without marks ignore everything after the first empty line.

const markSchema = z.object({ boot: z.string(), synced: z.number().int().nonnegative() })

/**
 * Writes a new record with one exclusive write; if that fails, none is left. A torn record, which a power cut can
 * leave, is replaced.
 *
 * @param durable whether it is on disk when this returns.
 * @throws the OS error, `EEXIST` if there is one.
 */
export async function createRecord(environment: Environment, record: UploadRecord, durable: boolean): Promise<void> {
  const { layout, recordFolders } = environment
  const file = layout.record(record.id)
  const folder = layout.recordFolder(record.id)
  for (let attempt = 1; ; attempt++) {
    await recordFolders.make(folder)
    try {
      const make = (): Promise<Stats> =>
        writeNewFile(file, [Buffer.from(encode(record))], durable ? 'all' : 'none', PRIVATE_FILE)
      const made = await (attempt < MAX_ATTEMPTS ? ifThere(make) : make())
      // The directory may have been removed and created again: then it may not be on disk.
      if (made !== undefined) return await recordFolders.make(folder)
    } catch (error) {
      if (systemCode(error) === 'EEXIST' && (await isNone(environment, record.id))) {
        return replaceRecord(environment, record)
      }
      throw error
    }
    // Another request has just removed the directory.
    recordFolders.forget(folder)
  }
}

/** Whether an existing record is torn, or an orphan. */
async function isNone(environment: Environment, id: string): Promise<boolean> {
  const found = await readRecord(environment, id)
  return found === 'torn' || (found !== 'none' && (await isOnlyRecord(environment, found)))
}

/** Replaces a record atomically: after a crash, there is the old one or the new one. */
export async function replaceRecord(
  environment: Pick<Environment, 'layout' | 'sync' | 'directorySync' | 'onStep'>,
  record: UploadRecord,
): Promise<void> {
  const target = environment.layout.record(record.id)
  const temporary = path.join(path.dirname(target), `.${record.id}.tmp`)
  const file = await openNew(temporary)
  try {
    await file.writeFile(encode(record))
    // Without this, a power cut after the rename could leave an empty record.
    if (environment.sync !== 'never') await file.datasync()
  } finally {
    await file.close()
  }
  await rename(temporary, target)
  if (environment.sync === 'always') await environment.directorySync.sync(path.dirname(target))
  environment.onStep('record:replaced')
}

/**
 * Appends the mark of a record to its file. Unlike a replacement, this needs no sync: if a power cut loses or tears the
 * mark, the one before counts.
 */
export async function markRecord(environment: Environment, record: UploadRecord): Promise<void> {
  const file = await openExisting(environment.layout.record(record.id))
  try {
    const { size } = await file.stat()
    if (size < REPLACE_FROM) {
      await writeAll(file, [Buffer.from(encodeMark(record))], size)
      return
    }
  } finally {
    await file.close()
  }
  await replaceRecord(environment, record)
}

/** Reads a record; `torn` if it is incomplete or damaged. */
export function readRecord({ layout }: Environment, id: string): Promise<UploadRecord | 'none' | 'torn'> {
  return readRecordFile(layout.record(id), id)
}

/**
 * Reads a record at any path; `torn` if it is incomplete or damaged.
 *
 * @throws Error with a sentence for the operator when it is complete, but this version cannot read it; the OS error.
 */
export async function readRecordFile(file: string, id: string): Promise<UploadRecord | 'none' | 'torn'> {
  const text = await ifThere(() => readFile(file, 'utf8'))
  if (text === undefined) return 'none'
  try {
    return decode(text, id) ?? 'torn'
  } catch (cause) {
    throw new Error(`${file} was written by another version of Landfall; start that version to read it.`, { cause })
  }
}

/** Makes the record durable. */
export function syncRecord(environment: Environment, id: string): Promise<void> {
  return syncPath(environment.layout.record(id), 'all')
}

function encode(record: UploadRecord): string {
  const line = formatRecord(record)
  return `${line}\n${crc32(line).toString(16)}\n`
}

function decode(text: string, id: string): UploadRecord | undefined {
  const [line, sum, ...rest] = text.split('\n')
  if (line === undefined || rest.length === 0 || crc32(line).toString(16) !== sum) return undefined
  const record = parseRecord(JSON.parse(line))
  if (record.id !== id) return undefined
  const mark = rest.length > 1 ? latestMark(rest, id) : undefined
  return mark === undefined ? record : { ...record, mark }
}

function encodeMark({ id, mark }: UploadRecord): string {
  const text = JSON.stringify(mark)
  return `\n${markSum(id, text)} ${text}\n`
}

function latestMark(lines: readonly string[], id: string): UploadRecord['mark'] {
  const whole = lines.findLast((line) => {
    const space = line.indexOf(' ')
    return space > 0 && line.slice(0, space) === markSum(id, line.slice(space + 1))
  })
  return whole === undefined ? undefined : markSchema.parse(JSON.parse(whole.slice(whole.indexOf(' ') + 1)))
}

function markSum(id: string, text: string): string {
  return crc32(`${id}\n${text}`).toString(16)
}
