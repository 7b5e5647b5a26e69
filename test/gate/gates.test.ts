/** Which answers of a scanner are a verdict, with real scanners. */
import { chmod, readFile, writeFile } from 'node:fs/promises'
import http, { type RequestListener } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import pino from 'pino'
import type { Gate, ReceivedFile } from '../../server/core/gate.ts'
import { ClamdGate } from '../../server/gate/clamd.ts'
import { CommandGate } from '../../server/gate/command.ts'
import { Gates } from '../../server/gate/gates.ts'
import { HttpGate } from '../../server/gate/http.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { until } from '../support/wire.ts'

const never = new AbortController().signal

/** A file of these texts, each in a buffer of its own. */
function fileOf(...texts: readonly string[]): ReceivedFile {
  const buffers = texts.map((text) => Buffer.from(text))
  return {
    id: 'a'.repeat(32),
    name: 'naïve "file".txt',
    length: buffers.reduce((sum, { length }) => sum + length, 0),
    declaredType: 'text/plain',
    owner: 'b'.repeat(32),
    path: '/data/incoming/x',
    read: async function* () {
      for (const buffer of buffers) yield buffer
    },
  }
}

/** A file whose disk fails after the first bytes. */
function unreadable(): ReceivedFile {
  return {
    ...fileOf('Hello, ', 'world!'),
    read: async function* () {
      yield Buffer.from('Hello, ')
      throw new Error('EIO')
    },
  }
}

/** A file whose one buffer is overwritten as soon as the next one is requested. */
function reusing(pieces: number, size: number): ReceivedFile {
  const buffer = Buffer.alloc(size)
  return {
    ...fileOf(),
    length: pieces * size,
    read: async function* () {
      for (let piece = 0; piece < pieces; piece += 1) {
        buffer.fill(97 + piece)
        yield buffer
        buffer.fill(33)
      }
    },
  }
}

const expected = (pieces: number, size: number): string =>
  [...Array(pieces).keys()].map((piece) => String.fromCharCode(97 + piece).repeat(size)).join('')

let folder: TemporaryFolder

beforeEach(async () => {
  folder = await temporaryFolder()
})

afterEach(() => folder.dispose())

describe('A command', () => {
  const script = async (text: string): Promise<CommandGate> => {
    const file = path.join(folder.path, 'scan')
    await writeFile(file, `#!/bin/sh\n${text}\n`)
    await chmod(file, 0o755)
    return new CommandGate([file, 'an argument with $HOME', ';exit 0'])
  }

  it('receives the file, the facts, and its arguments, but no secret and no shell', async () => {
    process.env['JWT_SECRET'] = 'a secret of the service'
    const out = path.join(folder.path, 'out')
    const gate = await script(`{ cat; echo; echo "$1|$2"; env; } > ${out}`)
    expect(await gate.inspect(fileOf('Hello, ', 'world!'), never)).toBe('clean')
    delete process.env['JWT_SECRET']
    const [text, args, ...variables] = (await readFile(out, 'utf8')).split('\n')
    expect([text, args]).toEqual(['Hello, world!', 'an argument with $HOME|;exit 0'])
    expect(variables).toEqual(
      expect.arrayContaining([
        `LANDFALL_ID=${'a'.repeat(32)}`,
        'LANDFALL_NAME=naïve "file".txt',
        'LANDFALL_SIZE=13',
        'LANDFALL_TYPE=text/plain',
        `LANDFALL_OWNER=${'b'.repeat(32)}`,
        'LANDFALL_PATH=/data/incoming/x',
      ]),
    )
    expect(variables.join()).not.toContain('SECRET')
  })

  it('rejects with exit code 1, and its first line is the reason', async () => {
    const gate = await script('cat > /dev/null; echo Bad.Thing; echo more; exit 1')
    expect(await gate.inspect(fileOf('x'), never)).toEqual({ rejected: 'Bad.Thing' })
  })

  it('may decide without reading the file', async () => {
    const large = fileOf(...Array(100).fill('x'.repeat(100_000)))
    expect(await (await script('exit 1')).inspect(large, never)).toEqual({ rejected: 'exit code 1' })
    expect(await (await script('exit 0')).inspect(large, never)).toBe('clean')
  })

  it.each(['exit 2', 'exit 127', 'kill -9 $$'])('gives no verdict by "%s"', async (text) => {
    const gate = await script(text)
    await expect(gate.inspect(fileOf('x'), never)).rejects.toThrow('SCAN_CMD ended with')
  })

  it('gives no verdict if it does not exist', async () => {
    await expect(new CommandGate([path.join(folder.path, 'absent')]).inspect(fileOf('x'), never)).rejects.toThrow(
      'ENOENT',
    )
  })

  it('gives no verdict on a file that cannot be read to its end', async () => {
    await expect((await script('cat > /dev/null')).inspect(unreadable(), never)).rejects.toThrow('EIO')
  })

  it('receives the bytes as they were, although their buffer is reused', async () => {
    const out = path.join(folder.path, 'out')
    expect(await (await script(`cat > ${out}`)).inspect(reusing(20, 300_000), never)).toBe('clean')
    expect((await readFile(out, 'utf8')) === expected(20, 300_000)).toBe(true)
  })

  it('is killed with all that it has started', async () => {
    const pids = path.join(folder.path, 'pids')
    const gate = await script(`sleep 1000 & echo $$ $! > ${pids}.new; mv ${pids}.new ${pids}; wait`)
    const stop = new AbortController()
    const scan = gate.inspect(fileOf('x'), stop.signal)
    scan.catch(() => undefined)
    await until(async () =>
      readFile(pids, 'utf8').then(
        () => true,
        () => false,
      ),
    )
    stop.abort(new Error('stopped'))
    await expect(scan).rejects.toThrow('stopped')
    for (const pid of (await readFile(pids, 'utf8')).trim().split(' ').map(Number)) {
      await until(async () => !(await isRunning(pid)))
    }
  })
})

/** Not a zombie: without an init process, the last child of a killed shell stays one. */
async function isRunning(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return status !== '' && !/\) [ZX] /.test(status)
}

describe('A URL', () => {
  let server: http.Server

  const gateOf = async (listener: RequestListener): Promise<HttpGate> => {
    server = http.createServer(listener)
    return new HttpGate(new URL(await listen(server, '/scan?key=1')))
  }
  const afterBody =
    (respond: (response: http.ServerResponse, body: string) => void): RequestListener =>
    async (request, response) => {
      let body = ''
      try {
        for await (const bytes of request) body += bytes
        respond(response, body)
      } catch {
        // The service gave up.
      }
    }

  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })

  it.each([200, 204])('calls a file clean by %d, after it has received it all', async (status) => {
    const bodies: string[] = []
    const gate = await gateOf(
      afterBody((response, body) => {
        bodies.push(body)
        response.writeHead(status).end()
      }),
    )
    expect(await gate.inspect(reusing(20, 300_000), never)).toBe('clean')
    expect(bodies[0] === expected(20, 300_000)).toBe(true)
  })

  it('rejects by 422, also before it has received it all', async () => {
    const gate = await gateOf((_, response) => response.writeHead(422).end('Bad.Thing\n'))
    const large = fileOf(...Array(100).fill('x'.repeat(1_000_000)))
    expect(await gate.inspect(large, never)).toEqual({ rejected: 'Bad.Thing' })
  })

  it.each([201, 202, 301, 302, 303, 307, 400, 401, 403, 404, 413, 500, 503])(
    'gives no verdict by %d',
    async (status) => {
      const gate = await gateOf(
        afterBody((response) => response.writeHead(status, { Location: 'http://127.0.0.1:1/' }).end()),
      )
      await expect(gate.inspect(fileOf('x'), never)).rejects.toThrow(`SCAN_URL answered with status ${status}.`)
    },
  )

  it('gives no verdict by a 200 before it has received the whole file', async () => {
    const gate = await gateOf((_, response) => response.writeHead(200).end())
    const large = fileOf(...Array(100).fill('x'.repeat(1_000_000)))
    await expect(gate.inspect(large, never)).rejects.toThrow('SCAN_URL answered before it had the whole file.')
  })

  it('gives no verdict on a file that cannot be read to its end', async () => {
    const gate = await gateOf(afterBody((response) => response.writeHead(200).end()))
    await expect(gate.inspect(unreadable(), never)).rejects.toThrow()
  })

  it('gives no verdict if it closes the connection', async () => {
    const gate = await gateOf((request) => request.socket.destroy())
    await expect(gate.inspect(fileOf('x'), never)).rejects.toThrow()
  })
})

describe('A socket of clamd', () => {
  let server: Server
  const sockets = new Set<Socket>()

  const gateOf = async (greet: (socket: Socket) => void): Promise<ClamdGate> => {
    server = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined)
      greet(socket)
    })
    const { hostname, port } = new URL(await listen(server, '/'))
    return new ClamdGate({ host: hostname, port: Number(port) })
  }

  afterEach(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })

  it.each(['', 'stream: OK', 'UNKNOWN COMMAND\0', "stream: Can't open file ERROR\0", 'stream: OK. ERROR\0'])(
    'gives no verdict by %j',
    async (response) => {
      const gate = await gateOf((socket) => socket.end(response))
      await expect(gate.inspect(fileOf('x'), never)).rejects.toThrow('SCAN_CLAMD')
    },
  )

  it('gives no verdict on a file that cannot be read to its end', async () => {
    const gate = await gateOf((socket) =>
      socket.on('data', (bytes) => bytes.includes('Hello') && socket.end('stream: OK\0')),
    )
    await expect(gate.inspect(unreadable(), never)).rejects.toThrow()
  })

  it('gives no verdict by an OK before it has received the whole file', async () => {
    const gate = await gateOf((socket) => socket.end('stream: OK\0'))
    const large = fileOf(...Array(100).fill('x'.repeat(1_000_000)))
    await expect(gate.inspect(large, never)).rejects.toThrow('SCAN_CLAMD')
  })
})

describe('Several gates', () => {
  const answering = (verdict: 'clean' | { rejected: string }, asked: string[], name: string): Gate => ({
    inspect: async () => {
      asked.push(name)
      return verdict
    },
  })
  const limits = { timeout: 60_000, concurrency: 2 }

  it('must all pass a file', async () => {
    const asked: string[] = []
    const bad = { rejected: 'Bad.Thing' }
    const log = pino({ level: 'silent' })
    const passing = new Gates([answering('clean', asked, 'a'), answering('clean', asked, 'b')], limits, log)
    expect(await passing.inspect(fileOf('x'), never)).toBe('clean')
    const failing = new Gates([answering('clean', asked, 'a'), answering(bad, asked, 'b')], limits, log)
    expect(await failing.inspect(fileOf('x'), never)).toEqual(bad)
    expect(asked).toEqual(['a', 'b', 'a', 'b'])
  })

  it('inspect no more files at once than they may, in order', async () => {
    const running: (() => void)[] = []
    const gate: Gate = { inspect: () => new Promise((resolve) => running.push(() => resolve('clean'))) }
    const gates = new Gates([gate], limits, pino({ level: 'silent' }))
    const scans = [1, 2, 3].map(() => gates.inspect(fileOf('x'), never))
    await until(async () => running.length === 2)
    running[0]?.()
    await scans[0]
    await until(async () => running.length === 3)
    running[1]?.()
    running[2]?.()
    expect(await Promise.all(scans)).toEqual(['clean', 'clean', 'clean'])
  })

  it('log a rejection with its reason in one line, and an outage once', async () => {
    const lines: string[] = []
    const log = pino({}, { write: (line) => lines.push(line) })
    const rejecting = new Gates([answering({ rejected: 'Bad.Thing' }, [], 'a')], limits, log)
    await rejecting.inspect(fileOf('x'), never)
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({ level: 40, upload: 'a'.repeat(32), reason: 'Bad.Thing' }),
    ])
    const away = new Gates([{ inspect: () => Promise.reject(new Error('away')) }], limits, log)
    for (let i = 0; i < 3; i += 1) await expect(away.inspect(fileOf('x'), never)).rejects.toThrow('away')
    expect(lines).toHaveLength(2)
    expect(JSON.parse(lines[1] ?? '')).toMatchObject({ level: 50, reason: 'away' })
  })
})

/** @returns the URL of a path on a server that listens on a free port. */
async function listen(server: Server, pathname: string): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return new URL(pathname, `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`).href
}
