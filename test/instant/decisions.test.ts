/** What decides about instant uploads, and learns of them: scanners, applications, events. */
import { chmod, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import http from 'node:http'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { createLandfall, type Landfall, type LandfallOptions, Refusal } from '../../server/landfall.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { closeServer, listenLocally } from '../support/http-server.ts'
import { contentOf, instantly, send } from '../support/instant.ts'
import { idOf } from '../support/tus.ts'

const CONTENT = contentOf(50_000, 'decided')

let folder: TemporaryFolder
let landfall: Landfall
let server: http.Server
let base: string
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(async () => {
  await closeServer(server)
  await landfall.close()
  await folder.dispose()
})

const data = (...names: readonly string[]): string => path.join(folder.path, 'data', ...names)

async function open(options: Partial<LandfallOptions> = {}): Promise<void> {
  landfall = await createLandfall({ dataDir: data(), logLevel: 'silent', drain: 1, instant: 'all', ...options })
  server = http.createServer(landfall.handler)
  base = await listenLocally(server)
}

/** The only file of an upload. */
async function fileOf(url: string): Promise<string> {
  const [name = ''] = await readdir(data('files', idOf(url)))
  return data('files', idOf(url), name)
}

async function urlIn(response: Response): Promise<string> {
  const text = await response.text()
  expect([response.status, text]).toEqual([201, text])
  return JSON.parse(text).url
}

describe('A scanner', () => {
  beforeEach(async () => {
    const script = `#!/bin/sh\ncat > /dev/null\nif [ -e ${folder.path}/evil ]; then exit 1; fi\n`
    await writeFile(path.join(folder.path, 'scan'), script)
    await chmod(path.join(folder.path, 'scan'), 0o755)
    await open({ scanCmd: path.join(folder.path, 'scan') })
  })

  it('has to pass an instant upload, too', async () => {
    await send(base, CONTENT)
    const url = await urlIn(await instantly(base, CONTENT))
    const records = await readdir(data('records'), { recursive: true })
    const record = records.find((name) => name.endsWith(`${idOf(url)}.json`)) ?? ''
    expect(await readFile(data('records', record), 'utf8')).toContain('"scan":"clean"')
  })

  it('rejects an instant upload without harm to the file that it came from', async () => {
    const sent = await send(base, CONTENT)
    const before = await stat(await fileOf(sent))
    await writeFile(path.join(folder.path, 'evil'), '')
    const rejected = await instantly(base, CONTENT)
    expect([rejected.status, rejected.headers.get('Upload-Error')]).toEqual([422, 'rejected'])
    const after = await stat(await fileOf(sent))
    expect([after.size, after.mode, after.mtimeMs]).toEqual([before.size, before.mode, before.mtimeMs])
    expect(Buffer.from(await (await fetch(sent)).arrayBuffer()).equals(CONTENT)).toBe(true)
    await rm(path.join(folder.path, 'evil'))
    await urlIn(await instantly(base, CONTENT))
  })
})

describe('An application', () => {
  it('is asked about an instant upload as about every other, and its answer reaches the client', async () => {
    const asked: string[] = []
    await open({
      beforeCreate: async ({ metadata }) => {
        asked.push(`create ${metadata['filename']}`)
      },
      beforeFinish: async ({ metadata }) => {
        asked.push(`finish ${metadata['filename']}`)
        return { result: { copied: true } }
      },
    })
    const events: string[] = []
    for (const type of ['created', 'finished'] as const) {
      landfall.events.on(type, ({ upload }) => events.push(`${type} ${upload.metadata['filename']} ${upload.offset}`))
    }
    await send(base, CONTENT, {}, 'first')
    asked.length = 0
    events.length = 0
    const response = await instantly(base, CONTENT, { metadata: { filename: 'second' } })
    expect(response.headers.get('Upload-Result')).toContain('copied')
    await urlIn(response)
    expect(asked).toEqual(['create second', 'finish second'])
    expect(events).toEqual(['created second 50000', 'finished second 50000'])
  })

  it('may refuse the creation, and may reject the file', async () => {
    let refusal: 'create' | 'finish' | undefined
    await open({
      beforeCreate: async () => {
        if (refusal === 'create') throw new Refusal('Not now.')
      },
      beforeFinish: async () => {
        if (refusal === 'finish') throw new Refusal('Not this one.')
      },
    })
    const sent = await send(base, CONTENT)
    refusal = 'create'
    const refused = await instantly(base, CONTENT)
    expect(refused.status).toBeGreaterThanOrEqual(400)
    refusal = 'finish'
    const rejected = await instantly(base, CONTENT)
    expect(rejected.headers.get('Upload-Error')).toBe('rejected')
    refusal = undefined
    expect(Buffer.from(await (await fetch(sent)).arrayBuffer()).equals(CONTENT)).toBe(true)
    expect(await readdir(data('files'))).toEqual([idOf(sent)])
    await urlIn(await instantly(base, CONTENT))
  })

  it('without an answer leaves no upload: the client sends its file', async () => {
    let isAway = false
    await open({
      beforeFinish: async () => {
        if (isAway) throw new Error('The application is away.')
      },
    })
    await send(base, CONTENT)
    isAway = true
    expect((await instantly(base, CONTENT)).status).toBe(503)
    expect([await readdir(data('incoming')), (await readdir(data('files'))).length]).toEqual([[], 1])
  })
})

describe('A file that somebody has taken away', () => {
  it('is a miss: the client sends its own', async () => {
    await open()
    const sent = await send(base, CONTENT)
    await rm(await fileOf(sent))
    expect((await instantly(base, CONTENT)).status).toBe(404)
    expect(await readdir(data('incoming'))).toEqual([])
  })
})
