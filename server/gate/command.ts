import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Gate, ReceivedFile, Verdict } from '../core/gate.ts'
import { childEnvironment } from '../processes/child-environment.ts'
import { killGroup } from '../processes/kill-group.ts'
import { firstLine } from './first-line.ts'
import { sendFile, writeAndWait } from './send-file.ts'

/**
 * A gate that runs a command for each file, with the file on its standard input, and facts in variables. It exits with 0
 * for a clean file, and with 1 for a rejected one; anything else is no verdict.
 */
export class CommandGate implements Gate {
  readonly #command: string
  readonly #args: readonly string[]

  /** @param command the program and its arguments. No shell sees them. */
  constructor([command, ...args]: readonly [string, ...string[]]) {
    this.#command = command
    this.#args = args
  }

  async inspect(file: ReceivedFile, signal: AbortSignal): Promise<Verdict> {
    signal.throwIfAborted()
    // With a process group of its own, a script can be ended together with what it runs.
    const child = spawn(this.#command, this.#args, { env: environmentOf(file), detached: true })
    const kill = (): void => killGroup(child.pid)
    signal.addEventListener('abort', kill, { once: true })
    try {
      const exit = once(child, 'close')
      const said = firstLine(child.stdout)
      const complained = firstLine(child.stderr)
      // A command that ends without reading all of it has its reasons.
      child.stdin.on('error', () => undefined)
      const sent = sendFile(file, (bytes) => writeAndWait(child.stdin, bytes)).finally(() => child.stdin.end())
      const [code, endedBy]: (number | string | null)[] = await exit
      signal.throwIfAborted()
      const outcome = await sent
      if (outcome.kind === 'unreadable') throw outcome.error
      if (code === 0) return 'clean'
      if (code === 1) return { rejected: (await said) || (await complained) || 'exit code 1' }
      throw new Error(`SCAN_CMD ended with ${code ?? endedBy}: ${await complained}`)
    } finally {
      signal.removeEventListener('abort', kill)
      killGroup(child.pid)
    }
  }
}

function environmentOf({ id, name, length, declaredType, owner, path }: ReceivedFile): Record<string, string> {
  return childEnvironment({
    LANDFALL_ID: id,
    LANDFALL_NAME: name,
    LANDFALL_SIZE: String(length),
    LANDFALL_TYPE: declaredType ?? '',
    LANDFALL_OWNER: owner ?? '',
    LANDFALL_PATH: path ?? '',
  })
}
