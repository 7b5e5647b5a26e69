/** The upload libraries that pages load, from their packages. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const TESTS = fileURLToPath(new URL('../..', import.meta.url))

/** A file of an installed package. @throws Error with the command that installs it. */
export function packageFile(name: string): string {
  for (const folder of [TESTS, path.dirname(TESTS)]) {
    const file = path.join(folder, 'node_modules', name)
    if (existsSync(file)) return readFileSync(file, 'utf8')
  }
  throw new Error(`There is no ${name}: run npm ci.`)
}

/** A module of `test/support/pages`, with its imports, as one script. */
export async function bundled(module: string): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [path.join(TESTS, 'support/pages/bundle.mjs'), module],
    { env: { PATH: process.env['PATH'] ?? '' }, maxBuffer: 16 * 1024 * 1024 },
  )
  return stdout
}
