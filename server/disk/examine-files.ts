import type { Stats } from 'node:fs'
import { lstat, readdir, rmdir } from 'node:fs/promises'
import path from 'node:path'
import type { UploadRecord } from '../core/record.ts'
import { exists, ifThere } from './files.ts'
import type { Finding } from './finding.ts'
import { levelsOf } from './finished-folders.ts'
import type { Layout } from './layout.ts'

/** What may be in the directory of finished files, by relative path. */
interface Expected {
  readonly files: ReadonlyMap<string, UploadRecord>
  /** The directories of uploads. */
  readonly own: ReadonlyMap<string, UploadRecord>
  /** Those that they are in. */
  readonly above: ReadonlySet<string>
}

/** Examines the finished files. Those without a record are left to the operator. @throws the OS error. */
export async function examineFiles(layout: Layout, records: Iterable<UploadRecord>): Promise<Finding[]> {
  const files = new Map<string, UploadRecord>()
  const own = new Map<string, UploadRecord>()
  const above = new Set<string>()
  for (const record of records) {
    const { id, folder, fileName } = record
    const place = folder === undefined ? id : `${folder}/${id}`
    files.set(`${place}/${fileName}`, record)
    own.set(place, record)
    if (folder !== undefined) for (const level of levelsOf(folder)) above.add(level)
  }
  return examineFolder(layout, '', { files, own, above })
}

async function examineFolder(layout: Layout, folder: string, expected: Expected): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const name of await list(path.join(layout.files, folder))) {
    const place = path.posix.join(folder, name)
    const record = expected.files.get(place)
    if (record !== undefined) findings.push(...(await examineFile(layout, place, record)))
    else if (expected.own.has(place) || expected.above.has(place)) {
      findings.push(...(await examineKnown(layout, place, expected)))
    } else findings.push(await unknown(layout, place))
  }
  return findings
}

async function examineFile(layout: Layout, place: string, { length }: UploadRecord): Promise<Finding[]> {
  const size = (await lookAt(layout, place))?.size
  if (size === undefined || length === null || size === length) return []
  return [finding(layout, place, `A finished file of ${size} bytes that should have ${length}.`)]
}

/** Examines a directory that records speak of. */
async function examineKnown(layout: Layout, place: string, expected: Expected): Promise<Finding[]> {
  if ((await lookAt(layout, place))?.isDirectory() !== true) {
    return [finding(layout, place, 'A directory of finished files was replaced by a link or a file.')]
  }
  const id = expected.own.get(place)?.id
  const isEmpty = (await list(path.join(layout.files, place))).length === 0
  const isLeft = isEmpty && id !== undefined && !(await exists(layout.incomingFile(id)))
  return isLeft ? [emptyFolder(layout, place)] : examineFolder(layout, place, expected)
}

async function unknown(layout: Layout, place: string): Promise<Finding> {
  const stats = await lookAt(layout, place)
  if (stats?.isDirectory() !== true) return finding(layout, place, 'A file without a record.')
  if (!(await hasFiles(path.join(layout.files, place)))) return emptyFolder(layout, place)
  return finding(layout, place, 'A finished file without a record: it cannot be downloaded.')
}

function emptyFolder(layout: Layout, place: string): Finding {
  const run = (): Promise<void> => removeEmpty(path.join(layout.files, place))
  const repair = { sentence: 'remove the directory', run }
  return { ...finding(layout, place, 'A directory without its file.'), repair }
}

function finding(layout: Layout, place: string, sentence: string): Finding {
  return { place: path.join(path.relative(layout.root, layout.files), place), sentence, repair: undefined }
}

/** Whether there is anything but directories. */
async function hasFiles(folder: string): Promise<boolean> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isDirectory() || (await hasFiles(path.join(folder, entry.name)))) return true
  }
  return false
}

/** Removes directories in which there are only directories. */
async function removeEmpty(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await removeEmpty(path.join(folder, name))
  await rmdir(folder)
}

/** @returns `undefined` if there is nothing. A link is not followed. */
function lookAt(layout: Layout, place: string): Promise<Stats | undefined> {
  return ifThere<Stats>(() => lstat(path.join(layout.files, place)))
}

async function list(folder: string): Promise<readonly string[]> {
  return (await ifThere(() => readdir(folder))) ?? []
}
