import type { Stats } from 'node:fs'
import { lstat, opendir, readFile, realpath } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { systemCode } from '../core/errors.ts'
import { isUploadId, nameOf, type UploadRecord } from '../core/record.ts'
import { safeName } from '../core/safe-name.ts'
import type { Found } from './found.ts'

const ENDING = '.info'

/** Maximum size of a description, in bytes. A longer file with such a name is an upload itself. */
const MAX_DESCRIPTION = 1024 * 1024

/** A description as tusd 1 and 2 write it. Version 1 has neither `InfoPath` nor, at first, `Storage`. */
const description = z.object({
  ID: z.string().min(1),
  Size: z.number().int().nonnegative(),
  SizeIsDeferred: z.boolean().default(false),
  MetaData: z.record(z.string(), z.string()).nullish(),
  IsPartial: z.boolean().default(false),
  IsFinal: z.boolean().default(false),
  PartialUploads: z.array(z.string()).nullish(),
  Storage: z.object({ Path: z.string().optional(), InfoPath: z.string().optional() }).nullish(),
})

type Description = z.infer<typeof description>

/** Uploads that tusd has stored in a folder, in no order. @param folder absolute. @throws the OS error. */
export async function* tusdUploads(folder: string): AsyncGenerator<Found> {
  for await (const file of descriptionsIn(folder)) {
    const name = path.relative(folder, file)
    const found = await readUpload(folder, file, name)
    yield typeof found === 'string' ? { kind: 'problem', name, sentence: found } : found
  }
}

async function* descriptionsIn(folder: string): AsyncGenerator<string> {
  for await (const entry of await opendir(folder)) {
    const file = path.join(folder, entry.name)
    if (entry.isDirectory()) yield* descriptionsIn(file)
    else if (entry.isFile() && entry.name.endsWith(ENDING)) yield file
  }
}

/** @returns a sentence if the upload cannot be imported. @throws the OS error. */
async function readUpload(folder: string, file: string, name: string): Promise<Found | string> {
  const stats = await lstat(file)
  if (stats.size > MAX_DESCRIPTION) return 'Too large for a description by tusd.'
  const described = description.safeParse(jsonIn(await readFile(file, 'utf8'))).data
  if (described === undefined) return 'Not a description by tusd 1 or 2.'
  const { ID: id, Size, SizeIsDeferred } = described
  if (!isUploadId(id)) {
    return `Its id ${JSON.stringify(id)} is not supported: an id has at most 200 letters, digits, dots, - and _.`
  }
  if (`${id}${ENDING}` !== name) return `It describes the upload ${id}, which belongs to another file.`
  const bytes = await fileOf(folder, file, described)
  if (bytes === undefined) return 'Its file is missing, or outside the folder.'
  if (!SizeIsDeferred && bytes.stats.size > Size) return `Its file has ${bytes.stats.size} bytes instead of ${Size}.`
  const record = recordOf(described, stats.mtime)
  return { kind: 'upload', name: id, record, files: [bytes.place], size: bytes.stats.size }
}

function recordOf(from: Description, createdAt: Date): UploadRecord {
  const { ID: id, Size, SizeIsDeferred, MetaData, IsPartial, IsFinal, PartialUploads } = from
  const metadata = MetaData ?? {}
  const parts = (PartialUploads ?? []).map((part) => `/files/${part}`)
  return {
    id,
    length: SizeIsDeferred ? null : Size,
    metadata,
    fileName: safeName(nameOf(metadata)),
    createdAt: createdAt.toISOString(),
    ...(IsPartial && { partial: true }),
    // tusd has copied the bytes of the parts: they are uploads of their own.
    ...(IsFinal && { tus: { concat: `final;${parts.join(' ')}` } }),
  }
}

/**
 * The file of an upload: next to its description, where the earliest versions added `.bin`, or where a hook has put it.
 * The folder may have been moved since: then only the way from the description to the file is right.
 */
async function fileOf(
  folder: string,
  file: string,
  { Storage }: Description,
): Promise<{ place: string; stats: Stats } | undefined> {
  const beside = file.slice(0, -ENDING.length)
  const { Path = '', InfoPath = '' } = Storage ?? {}
  const moved = path.resolve(path.dirname(file), path.relative(path.dirname(InfoPath), Path))
  const places = Path !== '' && InfoPath !== '' ? [moved, beside] : [beside, `${beside}.bin`]
  for (const place of places) {
    const stats = place.startsWith(`${folder}${path.sep}`) ? await lstatIfThere(place) : undefined
    if (stats?.isFile() && (await isWithin(folder, place))) return { place, stats }
  }
  return undefined
}

/** Whether no link on the way to a file leads out of the folder. @throws the OS error. */
async function isWithin(folder: string, file: string): Promise<boolean> {
  const [root, place] = await Promise.all([realpath(folder), realpath(file)])
  return place.startsWith(`${root}${path.sep}`)
}

async function lstatIfThere(place: string): Promise<Stats | undefined> {
  try {
    return await lstat(place)
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined
    throw error
  }
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
