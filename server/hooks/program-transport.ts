import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access } from 'node:fs/promises'
import path from 'node:path'
import type { Readable } from 'node:stream'
import type { Logger } from 'pino'
import { childEnvironment } from '../processes/child-environment.ts'
import { killGroup } from '../processes/kill-group.ts'
import type { HookCall } from './hook-call.ts'
import { type HookResponse, MAX_RESPONSE, NOTHING, parseHookResponse } from './hook-response.ts'
import type { Transport } from './transport.ts'
import { within } from './within.ts'

/**
 * Runs `$0` with a pipe as its standard input. Node gives a child a socket, which scripts cannot open by its name: with
 * `cat /dev/stdin`, as in the examples of tusd, they would fail.
 */
const WITH_PIPE = 'cat | "$0"'

/** Maximum bytes of the log of one call. */
const MAX_LOGGED = 4 * 1024

/** Runs the program of a directory that has the name of the hook. A hook without a program has nothing to say. */
export class ProgramTransport implements Transport {
  readonly concurrency = 8
  readonly #directory: string
  readonly #timeout: number
  readonly #log: Logger

  /** @param timeout maximum duration of a program, in milliseconds. */
  constructor(directory: string, timeout: number, log: Logger) {
    this.#directory = path.resolve(directory)
    this.#timeout = timeout
    this.#log = log
  }

  async invoke(call: HookCall, signal: AbortSignal): Promise<HookResponse> {
    const program = path.join(this.#directory, call.hook)
    // A missing interpreter is an error: its exit code would be the same.
    if (!(await exists(program))) return NOTHING
    const said = await within(this.#timeout, `The program ${call.hook} took too long.`, signal, (signal) =>
      this.#run(program, call, signal),
    )
    return said === '' ? NOTHING : parseHookResponse(said)
  }

  close(): void {
    // Each program ends with its call.
  }

  /** @returns what the program has written to its standard output. */
  async #run(program: string, call: HookCall, signal: AbortSignal): Promise<string> {
    const { hook, id, size, offset, body } = call
    const env = childEnvironment({ TUS_ID: id, TUS_SIZE: String(size), TUS_OFFSET: String(offset) })
    // With a process group of its own, a script can be ended together with what it runs.
    const child = spawn('/bin/sh', ['-c', WITH_PIPE, program], { cwd: this.#directory, env, detached: true })
    const kill = (): void => killGroup(child.pid)
    signal.addEventListener('abort', kill, { once: true })
    try {
      const ended = endOf(child)
      const said = beginningOf(child.stdout, MAX_RESPONSE, kill)
      const logged = beginningOf(child.stderr, MAX_LOGGED)
      // A program that ends without reading all of it has its reasons.
      child.stdin.on('error', () => undefined)
      child.stdin.end(body)
      const end = await ended
      const words = (await logged).text.trimEnd()
      if (words !== '') this.#log.info({ hook, id, stderr: words }, 'A hook program wrote to standard error.')
      signal.throwIfAborted()
      const { text, isWhole } = await said
      if (!isWhole) throw new Error(`The program ${hook} wrote more than ${MAX_RESPONSE} bytes.`)
      if (end !== 0) throw new Error(`The program ${hook} ended with ${end}.`)
      return text
    } finally {
      signal.removeEventListener('abort', kill)
    }
  }
}

/** @returns the exit code, or the signal, when also nothing writes any more. @throws Error when it cannot be started. */
async function endOf(child: ChildProcess): Promise<unknown> {
  const [code, endedBy]: unknown[] = await once(child, 'close')
  return code ?? endedBy
}

/**
 * The beginning of a stream, which is read to its end. Never throws.
 *
 * @param onMore called when there is more.
 */
async function beginningOf(
  stream: Readable,
  max: number,
  onMore: () => void = () => undefined,
): Promise<{ readonly text: string; readonly isWhole: boolean }> {
  const pieces: Buffer[] = []
  let length = 0
  try {
    for await (const piece of stream) {
      if (length <= max) pieces.push(piece)
      length += piece.length
      if (length > max) onMore()
    }
  } catch {
    // What has arrived is enough.
  }
  return { text: Buffer.concat(pieces).subarray(0, max).toString('utf8'), isWhole: length <= max }
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}
