import { readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { importCommand } from '../../server/import-command.ts'

/** What `landfall import` printed, and its exit code. */
export interface Imported {
  readonly code: number
  readonly lines: readonly string[]
}

/** Runs `landfall import` in this process. */
export function runImport(dataDir: string, ...args: readonly string[]): Promise<Imported> {
  return runImportWith({}, dataDir, ...args)
}

/** The same with settings. */
export async function runImportWith(
  settings: Readonly<Record<string, string>>,
  dataDir: string,
  ...args: readonly string[]
): Promise<Imported> {
  const lines: string[] = []
  const code = await importCommand({ DATA_DIR: dataDir, ...settings }, args, (line) => lines.push(line))
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
