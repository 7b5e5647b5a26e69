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
  /** The directories of uploads. */
  readonly own: ReadonlyMap<string, UploadRecord>
  /** The folders that they are in. */
  readonly folders: ReadonlySet<string>
}

/** Examines the finished files. Those without a record are left to the operator. @throws the OS error. */
export async function examineFiles(layout: Layout, records: Iterable<UploadRecord>): Promise<Finding[]> {
  const own = new Map<string, UploadRecord>()
  const folders = new Set<string>()
  for (const record of records) {
    const { id, folder } = record
    own.set(folder === undefined ? id : `${folder}/${id}`, record)
    if (folder !== undefined) for (const level of levelsOf(folder)) folders.add(level)
  }
  return examineFolder(layout, '', { own, folders })
}

async function examineFolder(layout: Layout, folder: string, expected: Expected): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const name of await list(path.join(layout.files, folder))) {
    const place = path.posix.join(folder, name)
    const record = expected.own.get(place)
    if (record !== undefined) findings.push(...(await examineOwn(layout, record, place, expected.folders)))
    if (expected.folders.has(place)) findings.push(...(await examineWay(layout, place, expected)))
    else if (record === undefined) findings.push(await unknown(layout, place))
  }
  return findings
}

/** Examines a folder that leads to files. */
async function examineWay(layout: Layout, folder: string, expected: Expected): Promise<Finding[]> {
  const stats = await lookAt(layout, folder)
  if (stats?.isDirectory() === true) return examineFolder(layout, folder, expected)
  return [finding(layout, folder, 'A folder of finished files was replaced by a link or a file.')]
}

/** Examines the directory of one upload. */
async function examineOwn(
  layout: Layout,
  record: UploadRecord,
  place: string,
  folders: ReadonlySet<string>,
): Promise<Finding[]> {
  const names = await list(path.join(layout.files, place))
  if (names.length === 0) {
    const isOnItsWay = await exists(layout.incomingFile(record.id))
    return isOnItsWay ? [] : [emptyFolder(layout, place)]
  }
  const strangers = names.filter((name) => name !== record.fileName && !folders.has(`${place}/${name}`))
  const findings = strangers.map((name) => finding(layout, `${place}/${name}`, 'A file without a record.'))
  const size = (await lookAt(layout, `${place}/${record.fileName}`))?.size
  if (size === undefined || record.length === null || size === record.length) return findings
  const sentence = `A finished file of ${size} bytes that should have ${record.length}.`
  return [...findings, finding(layout, `${place}/${record.fileName}`, sentence)]
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
