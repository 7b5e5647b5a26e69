import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { checkFormat } from './data-directory.ts'
import { DirectorySync } from './directory-sync.ts'
import { ifThere } from './files.ts'
import { type Layout, RECORD_ENDING } from './layout.ts'
import { readRecordFile, replaceRecord } from './record-file.ts'

/**
 * Gives the uploads that have no owner to one, in a data directory that no process is using.
 *
 * @param changes whether to write the records, or only to count them.
 * @returns the number of these uploads.
 * @throws Error with a sentence for the operator when this version cannot read the directory or a record; the OS error.
 */
export async function assignOwner(layout: Layout, owner: string, changes: boolean): Promise<number> {
  await checkFormat(layout)
  const environment = { layout, sync: 'always', directorySync: new DirectorySync(), onStep: () => undefined } as const
  let count = 0
  for (const group of (await ifThere(() => readdir(layout.records))) ?? []) {
    for (const name of (await ifThere(() => readdir(layout.groupFolder(group)))) ?? []) {
      if (!name.endsWith(RECORD_ENDING)) continue
      const id = name.slice(0, -RECORD_ENDING.length)
      const record = await readRecordFile(path.join(layout.groupFolder(group), name), id)
      if (typeof record === 'string' || record.owner !== undefined) continue
      // The account only stands in for an owner.
      if (changes) await replaceRecord(environment, { ...record, owner, account: undefined })
      count += 1
    }
  }
  return count
}
