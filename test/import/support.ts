import { readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { importUploads } from '../../server/import/import.ts'

/** What `landfall import` printed, and its exit code. */
export interface Imported {
  readonly code: number
  readonly lines: readonly string[]
}

/** Runs `landfall import` in this process. */
export async function runImport(dataDir: string, ...args: readonly string[]): Promise<Imported> {
  const lines: string[] = []
  const code = await importUploads({ DATA_DIR: dataDir }, args, (line) => lines.push(line))
  return { code, lines }
}

/** Every file below a folder, with its content, permissions, and time. */
export async function contentOf(folder: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  for (const name of (await readdir(folder, { recursive: true })).sort()) {
    const place = path.join(folder, name)
    const { mode, mtimeMs } = await stat(place)
    const content = (await stat(place)).isFile() ? await readFile(place, 'base64') : ''
    found.set(name, `${mode} ${mtimeMs} ${content}`)
  }
  return found
}
