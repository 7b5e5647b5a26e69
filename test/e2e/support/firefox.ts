import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { WebSocket } from 'undici'
import { z } from 'zod'
import { temporaryFolder } from '../../support/folder.ts'

/** A tab of Firefox. */
export interface FirefoxTab {
  goto(url: string): Promise<void>
  reload(): Promise<void>
  /** Chooses files in the input that an expression of the page returns. */
  choose(input: string, ...paths: readonly string[]): Promise<void>
  /** The value of an expression in the page, as text. */
  text(expression: string): Promise<string>
  /** Waits until an expression in the page is true. */
  until(condition: string): Promise<void>
}

export interface Firefox {
  readonly tab: FirefoxTab
  close(): Promise<void>
}

const ANSWER = z.object({
  id: z.number(),
  type: z.enum(['success', 'error']),
  result: z.unknown(),
  message: z.string().optional(),
})
const VALUE = z.object({
  type: z.literal('success'),
  result: z.object({ type: z.string(), sharedId: z.string().optional(), value: z.unknown().optional() }),
})

/** Starts the installed Firefox with a new profile, and connects to it through WebDriver BiDi. */
export async function launchFirefox(): Promise<Firefox> {
  const profile = await temporaryFolder()
  const program = process.env['FIREFOX'] ?? '/usr/bin/firefox-esr'
  const args = ['--headless', '--no-remote', '--profile', profile.path, '--remote-debugging-port', '0', 'about:blank']
  const firefox = spawn(program, args, {
    env: { ...process.env, HOME: profile.path },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = once(firefox, 'exit')
  const connection = await connect(await addressIn(firefox.stderr))
  await connection.send('session.new', { capabilities: {} })
  const tree = z.object({ contexts: z.array(z.object({ context: z.string() })) })
  const { contexts } = tree.parse(await connection.send('browsingContext.getTree', {}))
  return {
    tab: tabOf(connection, contexts[0]?.context ?? ''),
    close: async () => {
      await connection.send('browser.close', {}).catch(() => firefox.kill('SIGKILL'))
      connection.close()
      await ended
      await profile.dispose()
    },
  }
}

/** The address that Firefox prints. */
async function addressIn(lines: NodeJS.ReadableStream): Promise<string> {
  const reader = createInterface({ input: lines })
  for await (const line of reader) {
    const [, address] = /WebDriver BiDi listening on (ws:\S+)/.exec(line) ?? []
    if (address === undefined) continue
    // What follows must not fill the pipe.
    lines.resume()
    return `${address}/session`
  }
  throw new Error('Firefox has not started.')
}

interface Connection {
  send(method: string, params: unknown): Promise<unknown>
  close(): void
}

async function connect(address: string): Promise<Connection> {
  const socket = new WebSocket(address)
  const waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>()
  let sent = 0
  socket.addEventListener('message', ({ data }) => {
    const answer = ANSWER.safeParse(JSON.parse(String(data)))
    // Events have no id.
    if (!answer.success) return
    const { id, type, result, message } = answer.data
    if (type === 'success') waiting.get(id)?.resolve(result)
    else waiting.get(id)?.reject(new Error(message))
    waiting.delete(id)
  })
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve)
    socket.addEventListener('error', reject)
  })
  return {
    send: (method, params) =>
      new Promise((resolve, reject) => {
        sent += 1
        waiting.set(sent, { resolve, reject })
        socket.send(JSON.stringify({ id: sent, method, params }))
      }),
    close: () => socket.close(),
  }
}

function tabOf({ send }: Connection, context: string): FirefoxTab {
  const evaluate = async (expression: string): Promise<z.infer<typeof VALUE>['result']> => {
    const params = { expression, target: { context }, awaitPromise: true }
    return VALUE.parse(await send('script.evaluate', params)).result
  }
  const text = async (expression: string): Promise<string> => String((await evaluate(expression)).value)
  return {
    goto: async (url) => {
      await send('browsingContext.navigate', { context, url, wait: 'complete' })
    },
    reload: async () => {
      await send('browsingContext.reload', { context, wait: 'complete' })
    },
    choose: async (input, ...paths) => {
      const { sharedId } = await evaluate(input)
      await send('input.setFiles', { context, element: { sharedId }, files: paths.map((file) => path.resolve(file)) })
    },
    text,
    until: async (condition) => {
      while ((await text(`Boolean(${condition})`)) !== 'true') await setTimeout(50)
    },
  }
}
