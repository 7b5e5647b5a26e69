import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** A server in another language, in its own process. */
export interface OtherProgram {
  readonly url: string
  /** What it has written to stdout. */
  output(): string
  end(): Promise<void>
}

/**
 * Starts a server and waits until it prints its URL.
 *
 * @throws Error with its output if it exits instead.
 */
export async function startOther(
  [command = '', ...args]: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<OtherProgram> {
  const child = spawn(command, args, {
    env: { ...process.env, NODE_OPTIONS: '', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [output, errors] = ['', '']
  child.stderr.on('data', (text) => {
    errors += text
  })
  const url = await new Promise<string>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`${command} ended with ${code}: ${errors}`)))
    child.stdout.on('data', (text) => {
      output += text
      const found = /https?:\/\/\S+/.exec(output)
      if (found !== null) resolve(found[0])
    })
  })
  return {
    url,
    output: () => output,
    end: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exit = once(child, 'exit')
      child.kill('SIGKILL')
      await exit
    },
  }
}
