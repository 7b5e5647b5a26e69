/** The upload libraries that pages load, from their packages. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
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

/** Packages that only `npm run test:dialects` needs. They are fetched at their first use, with npm. */
const FETCHED: Readonly<Record<string, string>> = {
  angular: '1.8.3',
  'huge-uploader': '1.2.0',
  'ng-file-upload': '12.2.13',
  'vue-simple-uploader': '1.0.3',
}

/** A file of a package, which is fetched if it is none of this repository. @throws Error like `packageFile`, and of npm. */
export async function libraryFile(name: string): Promise<string> {
  const [packageName = '', ...rest] = name.split('/')
  const version = FETCHED[packageName]
  if (version === undefined) return packageFile(name)
  return readFileSync(path.join(await fetched(packageName, version), ...rest), 'utf8')
}

/** The folder of a package. Other runs on this host share it. */
async function fetched(name: string, version: string): Promise<string> {
  const all = path.join(tmpdir(), 'landfall-test-packages')
  const folder = path.join(all, `${name}-${version}`)
  if (existsSync(folder)) return path.join(folder, 'package')
  await mkdir(all, { recursive: true })
  const making = await mkdtemp(path.join(all, 'new-'))
  const run = promisify(execFile)
  try {
    await run('npm', ['pack', '--silent', `${name}@${version}`, '--pack-destination', making])
    const [archive = ''] = await readdir(making)
    await run('tar', ['-xzf', archive], { cwd: making })
    await rename(making, folder).catch(() => undefined)
  } finally {
    await rm(making, { recursive: true, force: true })
  }
  return path.join(folder, 'package')
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
