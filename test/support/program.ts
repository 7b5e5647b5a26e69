import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { bucketSettings, isInBucket } from './bucket-settings.ts'

const MAIN = fileURLToPath(new URL('../../dist/program/main.js', import.meta.url))

/** The built program, in its own process. */
export interface Program {
  readonly url: string
  readonly process: ChildProcess
  /** What the program has written to stderr, at most the last 10,000 characters. */
  errors(): string
  /** Sends a signal and waits for the exit. @returns the exit code, or `null` if a signal ended it. */
  end(signal: NodeJS.Signals): Promise<number | null>
}

/**
 * Starts the built program (`npm run build` first) and waits until it listens.
 *
 * @param settings environment variables; `PORT` is 0 unless given.
 * @param main another script to run instead.
 * @param within a command, with arguments, that executes the arguments that follow.
 * @throws Error with its output if it exits instead.
 */
export async function startProgram(
  settings: Readonly<Record<string, string>>,
  main: string = MAIN,
  within: readonly string[] = [],
): Promise<Program> {
  const all = { PORT: '0', LOG_LEVEL: 'warn', ...bucketSettings(settings['DATA_DIR'] ?? ''), ...settings }
  // It loads the SDK and the store of buckets, which most tests do not need.
  if (isInBucket) await (await import('./passed-self-test.ts')).notePassedSelfTest(all)
  return startCommand([...within, process.execPath, main], { env: { PATH: process.env['PATH'] ?? '', ...all } })
}

/**
 * Starts a command and waits until it prints the URL at which it listens.
 *
 * @throws Error with its output if it exits instead.
 */
export async function startCommand(
  [command = process.execPath, ...args]: readonly string[],
  options: Pick<SpawnOptions, 'env' | 'cwd'>,
): Promise<Program> {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  let errors = ''
  child.stderr.on('data', (text) => {
    errors = `${errors}${text}`.slice(-10_000)
  })
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      const found = /(?:https?:\/\/|unix:)\S+/.exec(line)
      if (found !== null) resolve(found[0])
    })
    child.once('exit', (code) => reject(new Error(`The program ended with ${code}: ${errors}`)))
  })
  return {
    url,
    process: child,
    errors: () => errors,
    end: async (signal) => {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
      const exit = once(child, 'exit')
      child.kill(signal)
      await exit
      return child.exitCode
    },
  }
}
