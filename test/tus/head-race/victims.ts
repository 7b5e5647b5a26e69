/** Clients that die inside a PATCH of a large file of zeros. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { PATCH_HEADERS } from '../../support/tus.ts'
import { connect, requestHead } from '../../support/wire.ts'

/** A client that sends at full speed. */
export interface Victim {
  /** Resolves as soon as it is killed, before it is dead. */
  kill(): Promise<void>
  /** Resolves when the client is dead. */
  readonly gone: Promise<unknown>
}

/** Starts a client that sends `size` bytes from 0 on. */
export type StartVictim = (url: string, size: number) => Promise<Victim>

const PIECE = Buffer.alloc(1024 * 1024)

/** Sends from this process on its own connection, which then ends with FIN or with RST. */
function onSocket(end: 'cut' | 'reset'): StartVictim {
  return async (url, size) => {
    const wire = await connect(url)
    const head = requestHead('PATCH', new URL(url).pathname, {
      ...PATCH_HEADERS,
      'Upload-Offset': 0,
      'Content-Length': size,
    })
    let dying = false
    const sending = (async () => {
      await wire.send(head)
      while (!dying) await Promise.race([wire.send(PIECE), wire.closed])
    })()
    return {
      kill: () => {
        dying = true
        return wire[end]()
      },
      gone: Promise.all([sending, wire.closed]),
    }
  }
}

const nodeClient: StartVictim = async (url, size) => {
  const headers = { ...PATCH_HEADERS, 'Upload-Offset': 0, 'Content-Length': size }
  const request = http.request(url, { method: 'PATCH', headers })
  request.on('error', () => undefined)
  const write = (): void => {
    while (!request.destroyed && request.write(PIECE));
  }
  request.on('drain', write)
  write()
  const gone = new Promise((resolve) => request.once('close', resolve))
  await once(request, 'socket')
  return {
    kill: async () => {
      request.destroy()
    },
    gone,
  }
}

/** @param file of at least `size` bytes. */
function curl(file: string): StartVictim {
  return async (url, size) => {
    const headers = { ...PATCH_HEADERS, 'Upload-Offset': 0, 'Content-Length': size, Expect: '' }
    const fields = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
    const child = spawn('curl', ['-s', '-X', 'PATCH', '-T', file, ...fields, url], { stdio: 'ignore' })
    const gone = once(child, 'exit')
    await once(child, 'spawn')
    return {
      kill: async () => {
        child.kill('SIGKILL')
      },
      gone,
    }
  }
}

/** All of them by name. @param file of at least as many bytes as they send. */
export function victims(file: string): Readonly<Record<string, StartVictim>> {
  return {
    'a socket that ends': onSocket('cut'),
    'a socket that resets': onSocket('reset'),
    "Node's client": nodeClient,
    'curl that is killed': curl(file),
  }
}
