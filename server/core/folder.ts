import type { UploadRecord } from './record.ts'
import { safeName } from './safe-name.ts'

/** Maximum segments of a folder: so many directories may be new for one file. */
const MAX_SEGMENTS = 16

/** Maximum bytes of a folder. Linux takes paths of 4,096, with the data directory and the name of the file. */
const MAX_BYTES = 1_024

type Facts = Pick<UploadRecord, 'id' | 'createdAt' | 'owner'>

/** The fields of a template. Dates are in UTC, like `createdAt`. */
const FIELDS: Readonly<Record<string, (record: Facts) => string>> = {
  yyyy: ({ createdAt }) => createdAt.slice(0, 4),
  mm: ({ createdAt }) => createdAt.slice(5, 7),
  dd: ({ createdAt }) => createdAt.slice(8, 10),
  owner: ({ owner }) => owner ?? 'anonymous',
  id: ({ id }) => id,
}

const FIELD = /\{(.*?)\}/g

/**
 * The folder of a new upload by a template like `{yyyy}/{mm}/{owner}`: a relative path without the directory of the
 * upload itself, in which its file will be alone.
 *
 * @param template one that `templateProblem` accepts, or empty.
 * @returns `undefined` for no folder.
 */
export function folderByTemplate(template: string, record: Facts): string | undefined {
  if (template === '') return undefined
  const folder = template.replace(FIELD, (_, field: string) => FIELDS[field]?.(record) ?? '')
  return withoutId(safeFolder(folder), record.id)
}

/** What is wrong with a template: the end of a sentence that begins with its name. */
export function templateProblem(template: string): string | undefined {
  const unknown = [...template.matchAll(FIELD)].find(([, field = '']) => !Object.hasOwn(FIELDS, field))
  const known = Object.keys(FIELDS).map((field) => `{${field}}`)
  if (unknown !== undefined) return `must have no other fields than ${known.join(', ')}; ${unknown[0]} is none`
  const isGood = isFolder(template.replace(FIELD, 'x'.repeat(32))) && !/[{}]/.test(template.replace(FIELD, ''))
  return isGood
    ? undefined
    : `must be a relative path like {yyyy}/{mm}: at most ${MAX_SEGMENTS} segments, none of them empty, hidden, or unsafe as a name`
}

/**
 * The place that an application chooses for a file.
 *
 * @param path a relative path: the folder, and the name of the file.
 * @returns `undefined` if it is not one, or leads out of the folder of finished files.
 */
export function placeAt(path: string, id: string): Pick<UploadRecord, 'folder' | 'fileName'> | undefined {
  const segments = path.split('/')
  const name = segments.pop() ?? ''
  // A file may be hidden: it is alone in its directory.
  if (/^\.*$|[\\\0]/.test(name)) return undefined
  const fileName = safeName(name)
  if (segments.length === 0) return { folder: undefined, fileName }
  const folder = safeFolder(segments.join('/'))
  return folder === undefined ? undefined : { folder: withoutId(folder, id), fileName }
}

/** The folder that an application chooses; empty for none. @returns `undefined` like `placeAt`. */
export function folderAt(path: string, id: string): Pick<UploadRecord, 'folder'> | undefined {
  if (path === '') return { folder: undefined }
  const folder = safeFolder(path)
  return folder === undefined ? undefined : { folder: withoutId(folder, id) }
}

/** Whether a relative path can be the folder of a file, as it is. */
export function isFolder(path: string): boolean {
  return safeFolder(path) === path
}

/** The path with segments that are safe as names of directories; `undefined` if it is not below the files. */
function safeFolder(path: string): string | undefined {
  const segments = path.split('/')
  if (segments.length > MAX_SEGMENTS || !segments.every(isPlain)) return undefined
  const folder = segments.map(safeName).join('/')
  return Buffer.byteLength(folder) <= MAX_BYTES && folder.split('/').every(isPlain) ? folder : undefined
}

/** Neither empty, nor `.` or `..`, nor hidden, nor several segments for another system. */
function isPlain(segment: string): boolean {
  return !/^$|^\.|[\\\0]/.test(segment)
}

/** The directory of an upload has its id as name anyway. */
function withoutId(folder: string | undefined, id: string): string | undefined {
  if (folder === undefined || folder === id) return undefined
  return folder.endsWith(`/${id}`) ? folder.slice(0, -id.length - 1) : folder
}
