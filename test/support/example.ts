import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { z } from 'zod'
import { temporaryFolder } from './folder.ts'
import { type Program, startCommand } from './program.ts'

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))
const REQUEST_TIMEOUTS = new URL('request-timeouts.mjs', import.meta.url).href

/** What examples call by another name than this repository, which has two versions of it. */
const PACKAGES: Readonly<Record<string, Readonly<Record<string, string>>>> = { 'express-4': { express: 'express4' } }

const packageFile = z.object({
  scripts: z.record(z.string(), z.string()).default({}),
  dependencies: z.record(z.string(), z.string()).default({}),
  devDependencies: z.record(z.string(), z.string()).default({}),
})

/** An example, copied and running as its own program. */
export interface Example {
  readonly url: string
  readonly folder: string
  readonly dataDir: string
  readonly program: Program
  /** Kills the program, and removes the copy. */
  dispose(): Promise<void>
}

/** A copy of an example, with its dependencies. */
export interface ExampleCopy {
  readonly folder: string
  readonly scripts: Readonly<Record<string, string>>
  /** Environment variables with which its scripts find their programs. */
  readonly env: Readonly<Record<string, string>>
  dispose(): Promise<void>
}

/** Copies an example, and installs its dependencies from this repository (`npm run build` first). */
export async function copyExample(name: string): Promise<ExampleCopy> {
  const folder = await temporaryFolder()
  try {
    await cp(path.join(REPOSITORY, 'examples', name), folder.path, { recursive: true })
    const { scripts, dependencies, devDependencies } = await packageIn(folder.path)
    for (const dependency of Object.keys({ ...dependencies, ...devDependencies })) {
      if (dependency === 'landfall') await installLandfall(folder.path)
      else await link(folder.path, dependency, PACKAGES[name]?.[dependency])
    }
    if (dependencies['next'] !== undefined) await allowLinks(folder.path)
    const env = { PATH: `${path.join(REPOSITORY, 'node_modules/.bin')}:${process.env['PATH']}` }
    return { folder: folder.path, scripts, env, dispose: () => folder.dispose() }
  } catch (error) {
    await folder.dispose()
    throw error
  }
}

/**
 * Copies an example, builds and starts it as its scripts do, and waits until it listens.
 *
 * @param given a script instead of `start`, which also builds the example, and further environment variables.
 * @throws Error with its output if it ends instead.
 */
export async function startExample(
  name: string,
  given: { readonly script?: string; readonly variables?: Readonly<Record<string, string>> } = {},
): Promise<Example> {
  const { script = 'start', variables } = given
  const copy = await copyExample(name)
  try {
    const dataDir = path.join(copy.folder, 'data')
    const env = { ...copy.env, PORT: '0', DATA_DIR: dataDir, NEXT_TELEMETRY_DISABLED: '1', ...variables }
    const cwd = copy.folder
    const { build, [script]: command } = copy.scripts
    if (command === undefined) throw new Error(`The example ${name} has no script ${script}.`)
    if (script === 'start' && build !== undefined) await promisify(execFile)('sh', ['-c', build], { cwd, env })
    const program = await startCommand(['sh', '-c', `exec ${command}`], {
      cwd,
      env: { NODE_OPTIONS: `--import=${REQUEST_TIMEOUTS}`, ...env },
    })
    return {
      url: program.url,
      folder: copy.folder,
      dataDir,
      program,
      dispose: async () => {
        await program.end('SIGKILL')
        await copy.dispose()
      },
    }
  } catch (error) {
    await copy.dispose()
    throw error
  }
}

async function packageIn(folder: string): Promise<z.infer<typeof packageFile>> {
  return packageFile.parse(JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8')))
}

/** As npm does: a folder of its own, and its dependencies next to it. */
async function installLandfall(folder: string): Promise<void> {
  const place = path.join(folder, 'node_modules/landfall')
  for (const part of ['package.json', 'dist/server', 'dist/legacy-adapter']) {
    await cp(path.join(REPOSITORY, part), path.join(place, part), { recursive: true })
  }
  for (const dependency of Object.keys((await packageIn(REPOSITORY)).dependencies)) await link(folder, dependency)
}

async function link(folder: string, name: string, from = name): Promise<void> {
  const place = path.join(folder, 'node_modules', name)
  await mkdir(path.dirname(place), { recursive: true })
  await rm(place, { force: true })
  await symlink(path.join(REPOSITORY, 'node_modules', from), place)
}

/** Turbopack follows no link beyond the root of a project. */
async function allowLinks(folder: string): Promise<void> {
  await rename(path.join(folder, 'next.config.js'), path.join(folder, 'example.config.js'))
  const config = "import config from './example.config.js'\nexport default { ...config, turbopack: { root: '/' } }\n"
  await writeFile(path.join(folder, 'next.config.js'), config)
}
