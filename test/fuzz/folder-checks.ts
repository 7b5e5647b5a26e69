import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { isUploadId } from '../../server/core/record.ts'
import { safeName } from '../../server/core/safe-name.ts'
import { Layout, RECORD_ENDING } from '../../server/disk/layout.ts'

/** Directories whose entries are named after uploads, and those that must be empty without faults. */
const BY_ID = ['incoming', 'files', 'journals', 'gone']
const EMPTY = ['leaving', 'quarantine']

/**
 * Checks that everything in a data directory matches the layout, and that nothing is next to it.
 *
 * @throws Error that names misplaced files.
 */
export async function checkFolder(dataDir: string): Promise<void> {
  const layout = new Layout(dataDir)
  expectOnly(path.dirname(dataDir), await readdir(path.dirname(dataDir)), (name) => name === path.basename(dataDir))
  const top = ['format', 'secret', 'usage', 'owner.sock', ...layout.folders.map((folder) => path.basename(folder))]
  expectOnly(dataDir, await readdir(dataDir), (name) => top.includes(name) || name.startsWith('.owner-'))
  for (const folder of BY_ID) expectOnly(folder, await readdir(path.join(dataDir, folder)), isUploadId)
  for (const folder of EMPTY) expectOnly(folder, await readdir(path.join(dataDir, folder)), () => false)
  for (const group of await readdir(layout.records)) {
    const names = await readdir(path.join(layout.records, group))
    expectOnly(`records/${group}`, names, (name) => {
      const id = path.basename(name, RECORD_ENDING)
      return isUploadId(id) && layout.record(id) === path.join(layout.records, group, name)
    })
  }
  for (const id of await readdir(layout.files)) {
    const names = await readdir(layout.finishedFolder(id))
    if (names.length > 1) throw new Error(`files/${id} has ${names.length} entries.`)
    expectOnly(`files/${id}`, names, (name) => safeName(name) === name)
  }
}

function expectOnly(folder: string, names: readonly string[], isExpected: (name: string) => boolean): void {
  const other = names.find((name) => !isExpected(name))
  if (other !== undefined) throw new Error(`${folder} has ${JSON.stringify(other)}, which does not belong there.`)
}
