import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { temporaryFolder } from './folder.ts'
import { freePort } from './free-port.ts'

/** The only text that the database of a test knows; clamd calls it `Landfall.Test.UNOFFICIAL`. */
export const SIGNATURE = 'LANDFALL-TEST-SIGNATURE'

/** A real clamd with a database of one signature: it starts in a tenth of a second and downloads nothing. */
export interface Clamd {
  readonly socket: string
  readonly port: number
  stop(): Promise<void>
}

/** @param given its port, instead of a free one, and how many bytes it accepts per file. */
export async function startClamd(given: { port?: number; maxBytes?: number } = {}): Promise<Clamd> {
  const folder = await temporaryFolder()
  const socket = path.join(folder.path, 'clamd.sock')
  const port = given.port ?? (await freePort())
  const database = path.join(folder.path, 'db')
  await mkdir(database)
  await writeFile(path.join(database, 'test.ndb'), `Landfall.Test:0:*:${Buffer.from(SIGNATURE).toString('hex')}\n`)
  const lines = [
    'Foreground yes',
    `LocalSocket ${socket}`,
    `TCPSocket ${port}`,
    'TCPAddr 127.0.0.1',
    `DatabaseDirectory ${database}`,
    `TemporaryDirectory ${folder.path}`,
    ...(given.maxBytes === undefined ? [] : [`StreamMaxLength ${given.maxBytes}`]),
  ]
  await writeFile(path.join(folder.path, 'clamd.conf'), `${lines.join('\n')}\n`)
  const child = spawn('/usr/sbin/clamd', ['-c', path.join(folder.path, 'clamd.conf')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`clamd ended: ${output}`)))
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => {
        output += `${line}\n`
        if (line.includes('Self checking')) resolve()
      })
    }
  })
  return {
    socket,
    port,
    stop: async () => {
      const exit = once(child, 'exit')
      child.kill('SIGKILL')
      await exit
      await folder.dispose()
    },
  }
}
