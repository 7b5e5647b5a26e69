import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * Finds a program: by an environment variable, on PATH, or at one of `places`.
 *
 * @returns its path, or undefined if it is not installed.
 * @throws Error when the variable does not name an executable program.
 */
export async function findProgram(
  variable: string,
  name: string,
  places: readonly string[] = [],
): Promise<string | undefined> {
  const named = process.env[variable]
  if (named !== undefined && named !== '') {
    const program = path.resolve(named)
    if (await canRun(program)) return program
    throw new Error(`${variable} must be the path of an executable program.`)
  }
  const folders = (process.env['PATH'] ?? '').split(path.delimiter).filter((folder) => folder !== '')
  for (const candidate of [...folders.map((folder) => path.join(folder, name)), ...places]) {
    if (await canRun(candidate)) return candidate
  }
  return undefined
}

/** The standard output and error of a program; undefined when it fails. */
export async function outputOf(program: string, args: readonly string[], folder?: string): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await run(program, args, { cwd: folder })
    return `${stdout}${stderr}`.trim()
  } catch {
    return undefined
  }
}

async function canRun(program: string): Promise<boolean> {
  try {
    await access(program, constants.X_OK)
    return true
  } catch {
    return false
  }
}
