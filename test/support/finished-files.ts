import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { ifThere } from '../../server/disk/files.ts'
import type { Layout } from '../../server/disk/layout.ts'
import { readRecordFile } from '../../server/disk/record-file.ts'

/** The folder in the record of an upload; `undefined` also without a record. */
export async function folderOf(layout: Layout, id: string): Promise<string | undefined> {
  const record = await readRecordFile(layout.record(id), id)
  return typeof record === 'string' ? undefined : record.folder
}

/** The directory of the finished file of an upload, by its record. */
export async function finishedFolderOf(layout: Layout, id: string): Promise<string> {
  return layout.finishedFolder(id, await folderOf(layout, id))
}

/** The directories below that of finished files in which there is no other one: those of uploads, and empty ones. */
export async function innermostFolders(folder: string): Promise<string[]> {
  const entries = (await ifThere(() => readdir(folder, { withFileTypes: true }))) ?? []
  const inside = entries.filter((entry) => entry.isDirectory()).map(({ name }) => path.join(folder, name))
  const found = await Promise.all(
    inside.map(async (each) => {
      const below = await innermostFolders(each)
      return below.length > 0 ? below : [each]
    }),
  )
  return found.flat()
}
