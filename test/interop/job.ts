import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { type Client, folderOf } from './clients.ts'

/** A client that runs. */
export interface RunningJob {
  /** Its output, once it has exited with 0. @throws Error with its messages otherwise. */
  readonly output: Promise<string>
  /** Stops it and waits for its exit. */
  stop(signal: NodeJS.Signals): Promise<void>
}

/** Starts a client with a job. */
export function startJob(client: Client, job: unknown): RunningJob {
  const [program = '', ...args] = client.command
  const child = spawn(program, [...args, JSON.stringify(job)], {
    cwd: folderOf(client),
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], LC_ALL: 'C.UTF-8', NO_PROXY: '*', ...client.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A client that waits forever fails with its output, before the test's own time limit.
    timeout: 50_000,
    killSignal: 'SIGKILL',
  })
  const output = outputOf(child, client.name)
  // A stopped job fails, and no test awaits that.
  output.catch(() => undefined)
  return {
    output,
    stop: async (signal) => {
      const exit = once(child, 'exit')
      child.kill(signal)
      await exit
    },
  }
}

async function outputOf(child: ChildProcess, name: string): Promise<string> {
  const { stdout, stderr } = child
  if (stdout === null || stderr === null) throw new Error('The client has no output.')
  const [output, errors, [code]] = await Promise.all([text(stdout), text(stderr), once(child, 'close')])
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${output}${errors}`)
  return output
}
