/** The receivers of tusd's examples, started as they are. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, copyFile, readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, it } from '@jest/globals'
import { temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { create, createUpload, head, idOf, patch, TUS } from '../support/tus.ts'
import { until } from '../support/wire.ts'
import { required } from './tusd.ts'

const HELLO = Buffer.from('Hello, world!')
const EVENTS = 'pre-create,post-create,post-receive,pre-finish,post-finish,pre-terminate,post-terminate'

/** Runs a script whose server has a fixed port at a free one, which it writes first. */
const AT_FREE_PORT = `
import http.server, runpy, sys
class Server(http.server.HTTPServer):
    def __init__(self, address, handler):
        super().__init__((address[0], 0), handler)
        print(self.server_address[1], flush=True)
http.server.HTTPServer = Server
runpy.run_path(sys.argv[1], run_name='__main__')
`

const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanUp of cleanups.splice(0).reverse()) await cleanUp()
})

async function startLandfall(settings: Readonly<Record<string, string>>): Promise<Program> {
  const data = await temporaryFolder()
  cleanups.push(data.dispose)
  const program = await startProgram({ DATA_DIR: data.path, LOG_LEVEL: 'info', HOOKS_EVENTS: EVENTS, ...settings })
  cleanups.push(() => program.end('SIGTERM'))
  return program
}

describe('The programs of examples/hooks/file', () => {
  it('receive every hook of an upload', async () => {
    const programs = await temporaryFolder()
    cleanups.push(programs.dispose)
    const folder = path.join(required('TUSD_EXAMPLES'), 'hooks/file')
    // Modules of Go come without the permission to execute.
    for (const name of await readdir(folder)) {
      await copyFile(path.join(folder, name), path.join(programs.path, name))
      await chmod(path.join(programs.path, name), 0o755)
    }
    const { url, process: landfall } = await startLandfall({ HOOKS_DIR: programs.path })
    let log = ''
    landfall.stderr?.on('data', (text) => {
      log += String(text)
    })
    const upload = await createUpload(url, 13, { filename: 'a.txt' })
    const id = idOf(upload)
    expect((await patch(upload, 0, HELLO)).status).toBe(204)
    expect((await fetch(upload, { method: 'DELETE', headers: TUS })).status).toBe(204)
    for (const said of [
      `Upload created with ID ${id} and size 13`,
      `Upload ${id} is at 100% (13/13)`,
      '\\"Type\\": \\"pre-finish\\"',
      `Upload ${id} (13 bytes) finished`,
      `Upload ${id} terminated`,
    ]) {
      await until(async () => log.includes(said))
    }
  })
})

describe('The server of examples/hooks/http', () => {
  it('refuses uploads without a name, changes others, and finds the finished file', async () => {
    const server = await startServer(path.join(required('TUSD_EXAMPLES'), 'hooks/http/server.py'))
    const { url } = await startLandfall({ HOOKS_URL: `http://localhost:${server.port}` })

    const refused = await create(url, { 'Upload-Length': '13' })
    expect([refused.status, await refused.text()]).toEqual([400, 'no filename provided'])

    const upload = await createUpload(url, 13, { filename: 'a.txt', dropped: 'yes' })
    expect(idOf(upload)).toMatch(/^prefix-[0-9a-f-]{36}$/)
    const metadata = (await head(upload)).headers.get('Upload-Metadata') ?? ''
    expect(metadata.split(',').map((pair) => pair.split(' ')[0])).toEqual(['filename', 'creation_time'])

    expect((await patch(upload, 0, HELLO)).status).toBe(204)
    await until(async () => /is finished[^\n]*\n\{[^\n]*'Path': '/.test(server.output()))
    const found = /is finished[^\n]*\n\{[^\n]*'Path': '([^']+)'/.exec(server.output())?.[1] ?? ''
    expect(await readFile(found)).toEqual(HELLO)
  })
})

interface Server {
  readonly port: number
  /** What it has written so far, apart from its port. */
  output(): string
}

async function startServer(script: string): Promise<Server> {
  const child: ChildProcess = spawn('python3', ['-u', '-c', AT_FREE_PORT, script], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  cleanups.push(async () => {
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  })
  if (child.stdout === null) throw new Error('The server has no output.')
  let output = ''
  const lines = createInterface(child.stdout)
  const [port] = await once(lines, 'line')
  lines.on('line', (line) => {
    output += `${line}\n`
  })
  return { port: Number(port), output: () => output }
}
