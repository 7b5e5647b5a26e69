import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, symlink } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { z } from 'zod'
import { temporaryFolder } from './folder.ts'
import { type Program, startCommand } from './program.ts'

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))

/** What examples call by another name than this repository, which has two versions of it. */
const PACKAGES: Readonly<Record<string, Readonly<Record<string, string>>>> = { 'express-4': { express: 'express4' } }

const packageFile = z.object({
  scripts: z.object({ start: z.string(), build: z.string().optional() }),
  dependencies: z.record(z.string(), z.string()).default({}),
  devDependencies: z.record(z.string(), z.string()).default({}),
})

/** An example, copied and running as its own program. */
export interface Example {
  readonly url: string
  readonly dataDir: string
  readonly program: Program
  /** Kills the program, and removes the copy. */
  dispose(): Promise<void>
}

/**
 * Copies an example, installs its dependencies from this repository (`npm run build` first), builds and starts it as its
 * scripts do, and waits until it listens.
 *
 * @throws Error with its output if it ends instead.
 */
export async function startExample(name: string, settings: Readonly<Record<string, string>> = {}): Promise<Example> {
  const folder = await temporaryFolder()
  try {
    await cp(path.join(REPOSITORY, 'examples', name), folder.path, { recursive: true })
    const { scripts, ...declared } = packageFile.parse(
      JSON.parse(await readFile(path.join(folder.path, 'package.json'), 'utf8')),
    )
    for (const dependency of Object.keys({ ...declared.dependencies, ...declared.devDependencies })) {
      await install(folder.path, dependency, PACKAGES[name]?.[dependency] ?? dependency)
    }
    const dataDir = path.join(folder.path, 'data')
    const env = {
      PATH: `${path.join(REPOSITORY, 'node_modules/.bin')}:${process.env['PATH']}`,
      PORT: '0',
      DATA_DIR: dataDir,
      ...settings,
    }
    if (scripts.build !== undefined) await run(scripts.build, { cwd: folder.path, env })
    const program = await startCommand(['sh', '-c', `exec ${scripts.start}`], { cwd: folder.path, env })
    return {
      url: program.url,
      dataDir,
      program,
      dispose: async () => {
        await program.end('SIGKILL')
        await folder.dispose()
      },
    }
  } catch (error) {
    await folder.dispose()
    throw error
  }
}

async function install(folder: string, name: string, from: string): Promise<void> {
  const place = path.join(folder, 'node_modules', name)
  await mkdir(path.dirname(place), { recursive: true })
  await symlink(from === 'landfall' ? REPOSITORY : path.join(REPOSITORY, 'node_modules', from), place)
}

async function run(script: string, options: { cwd: string; env: NodeJS.ProcessEnv }): Promise<void> {
  await promisify(execFile)('sh', ['-c', script], options)
}
