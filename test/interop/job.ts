import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { type Client, folderOf } from './clients.ts'

/** A client at work. */
export interface RunningJob {
  /** What it printed, when it has ended well. @throws Error with what it said otherwise. */
  readonly output: Promise<string>
  /** Ends it in the middle and waits until it is gone. */
  end(signal: NodeJS.Signals): Promise<void>
}

/** Starts a client with a job. */
export function startJob(client: Client, job: unknown): RunningJob {
  const [program = '', ...args] = client.command
  const child = spawn(program, [...args, JSON.stringify(job)], {
    cwd: folderOf(client),
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], LC_ALL: 'C.UTF-8', NO_PROXY: '*', ...client.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = outputOf(child, client.name)
  // A job that is ended in the middle has no output, and nobody waits for it.
  output.catch(() => undefined)
  return {
    output,
    end: async (signal) => {
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
