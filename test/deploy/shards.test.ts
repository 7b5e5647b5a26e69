import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Agent, fetch, type RequestInit, type Response } from 'undici'
import { bytesOf } from '../support/bytes.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { freePort } from '../support/free-port.ts'
import { runNginx } from '../support/nginx.ts'
import { type Landfall, startLandfall } from '../support/restartable-program.ts'
import { startService } from '../support/service.ts'
import { createUpload, head, idOf, PATCH_HEADERS, TUS } from '../support/tus.ts'
import { CLOSING, cut, MULTIPART, multipartBody } from '../support/webuploader.ts'
import { until } from '../support/wire.ts'

const CONFIGURATION = fileURLToPath(new URL('../../deploy/nginx/shards.conf', import.meta.url))
const NODES = ['a', 'b', 'c', 'd']
const SECRET = 's'.repeat(32)

let folder: TemporaryFolder
let nodes: readonly Landfall[]
let base: string
let stopNginx: () => Promise<void>
beforeAll(async () => {
  folder = await temporaryFolder()
  nodes = await Promise.all(
    NODES.map((NODE) => startLandfall({ NODE, SECRET, TRUST_PROXY: 'true', DIALECTS: 'filepond' })),
  )
  const listening = await freePort()
  base = `http://127.0.0.1:${listening}`
  stopNginx = await runNginx(folder.path, await configured(listening), listening)
})
afterAll(async () => {
  await stopNginx?.()
  await Promise.all((nodes ?? []).map((node) => node.dispose()))
  await folder?.dispose()
})

/** The configuration of the deployment, with the nodes of this test. */
async function configured(port: number): Promise<string> {
  const deployed = (await readFile(CONFIGURATION, 'utf8'))
    .replaceAll('/tmp/', `${folder.path}/`)
    .replace('/dev/stdout', `${folder.path}/access.log`)
    .replace('/dev/stderr', `${folder.path}/error.log`)
    .replace('listen 8080', `listen 127.0.0.1:${port}`)
  return NODES.reduce((text, name, i) => text.replaceAll(`node-${name}:1080`, hostOf(nodes[i])), deployed)
}

const hostOf = (node: Landfall | undefined): string => new URL(node?.url ?? '').host

/** A client with an address of its own, which chooses its node. */
class Client {
  readonly #agent: Agent

  constructor(number: number) {
    this.#agent = new Agent({ localAddress: `127.0.0.${number}` })
  }

  send(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(new URL(path, base), { ...init, dispatcher: this.#agent })
  }

  async create(length: number): Promise<string> {
    const created = await this.send('/files', { method: 'POST', headers: { ...TUS, 'Upload-Length': String(length) } })
    expect(created.status).toBe(201)
    return created.headers.get('Location') ?? ''
  }

  head(url: string): Promise<Response> {
    return this.send(url, { method: 'HEAD', headers: TUS })
  }

  patch(url: string, offset: number, body: Uint8Array): Promise<Response> {
    return this.send(url, { method: 'PATCH', headers: { ...PATCH_HEADERS, 'Upload-Offset': String(offset) }, body })
  }

  async content(url: string): Promise<Buffer> {
    return Buffer.from(await (await this.send(url)).arrayBuffer())
  }

  /** Sends a file in pieces, and asks for the offset after each answer that is not a success, as clients of tus do. */
  async upload(content: Buffer, piece: number): Promise<string> {
    let url: string | undefined
    for (let offset = 0; url === undefined || offset < content.length; ) {
      if (url === undefined) {
        const headers = { ...TUS, 'Upload-Length': String(content.length) }
        const created = await this.send('/files', { method: 'POST', headers }).catch(() => undefined)
        if (created?.status === 201) url = created.headers.get('Location') ?? ''
        else expect([undefined, 503]).toContain(created?.status)
        continue
      }
      const body = content.subarray(offset, offset + piece)
      const sent = await this.patch(url, offset, body).catch(() => undefined)
      if (sent?.status === 204) offset += body.length
      else offset = await this.#offset(url, offset)
    }
    return url
  }

  async #offset(url: string, known: number): Promise<number> {
    let found: Response | undefined
    await until(async () => {
      found = await this.head(url).catch(() => undefined)
      expect([undefined, 200, 423]).toContain(found?.status)
      return found?.status === 200
    })
    const offset = Number(found?.headers.get('Upload-Offset'))
    expect(offset).toBeGreaterThanOrEqual(known)
    return offset
  }

  /** Sends a file as a WebUploader page does, each chunk until it is accepted. @returns the URL of the file. */
  async page(name: string, content: Buffer<ArrayBuffer>, chunkSize: number): Promise<string> {
    const file = cut(content, chunkSize, { task_id: name, name })
    let url = ''
    for (let chunk = 0; chunk < file.count; chunk++) {
      const body = multipartBody(file.fields(chunk), file.bytes(chunk))
      await until(async () => {
        const headers = { 'Content-Type': MULTIPART }
        const sent = await this.send('/upload/accept', { method: 'POST', headers, body }).catch(() => undefined)
        expect([undefined, 200, 503]).toContain(sent?.status)
        if (sent?.status !== 200) return false
        url = String(Object(await sent.json())['url'])
        return true
      })
    }
    return url
  }
}

const clients = Array.from({ length: 8 }, (_, i) => new Client(10 + i))

const nodeOf = (url: string): string => /\/files\/([a-z]+)-[^/]*$/.exec(url)?.[1] ?? 'none'

async function idle(client: Client, url: string): Promise<void> {
  await until(async () => (await client.head(url)).status === 200)
}

describe('Nodes with folders of their own', () => {
  it('have the uploads whose ids begin with their letters, and spread them over their folders', async () => {
    const urls = await Promise.all(clients.map((client) => client.create(5)))
    expect(new Set(urls.map(nodeOf)).size).toBeGreaterThan(1)
    for (const [i, url] of urls.entries()) {
      const id = url.slice(url.lastIndexOf('/') + 1)
      expect(id).toMatch(/^[abcd]-[0-9a-f]{30}$/)
      const node = nodes[NODES.findIndex((name) => id.startsWith(name))]
      expect(await readdir(`${node?.dataDir}/records/${id.slice(0, 4)}`)).toContain(`${id}.json`)
      // Any client finds it.
      expect((await clients.at(i - 1)?.patch(url, 0, Buffer.from('hello')))?.status).toBe(204)
    }
  })

  it('are away alone: others go on, and what is created meanwhile is on another node', async () => {
    const urls = await Promise.all(clients.map((client) => client.create(5)))
    const [gone, away] = [nodeOf(urls[0] ?? ''), urls[0] ?? '']
    const index = NODES.indexOf(gone)
    const [first] = clients
    if (first === undefined) throw new Error('There are no clients.')
    await nodes[index]?.kill()
    expect((await first.head(away)).status).toBe(423)
    const refused = await first.patch(away, 0, Buffer.from('hello'))
    expect([refused.status, refused.headers.get('Retry-After')]).toEqual([503, '5'])
    const page = await first.send('/upload/complete?task_id=t')
    expect(page.status).toBe(503)
    for (const url of urls.filter((each) => nodeOf(each) !== gone)) {
      expect((await first.patch(url, 0, Buffer.from('hello'))).status).toBe(204)
    }
    expect(nodeOf(await first.create(5))).not.toBe(gone)
    await nodes[index]?.startAgain()
    await idle(first, away)
    expect((await first.patch(away, 0, Buffer.from('hello'))).status).toBe(204)
  })

  it('continue an item of FilePond for a client whose address has changed', async () => {
    const content = Buffer.from('hello')
    for (const [i, client] of clients.entries()) {
      const length = { 'Upload-Length': String(content.length), 'Content-Type': MULTIPART }
      const begun = await client.send('/upload/filepond', { method: 'POST', headers: length, body: CLOSING })
      const id = await begun.text()
      const other = clients.at(i - 1) ?? client
      for (const [at, sender] of [client, other].entries()) {
        const body = content.subarray(at * 3, at * 3 + 3)
        const headers = { ...length, ...PATCH_HEADERS, 'Upload-Offset': String(at * 3), 'Upload-Name': 'a.txt' }
        const sent = await sender.send(`/upload/filepond?patch=${id}`, { method: 'PATCH', headers, body })
        expect([sent.status, await sent.text()]).toEqual([expect.any(Number), ''])
        expect(sent.ok).toBe(true)
      }
      expect((await other.content(`/files/${id}`)).toString()).toBe('hello')
    }
  })

  it('join the parts of a final upload where they are, whoever asks', async () => {
    const [one, other] = clients
    if (one === undefined || other === undefined) throw new Error('There are no clients.')
    const parts = await Promise.all(
      ['hel', 'lo'].map(async (text) => {
        const headers = { ...TUS, 'Upload-Length': String(text.length), 'Upload-Concat': 'partial' }
        const part = (await one.send('/files', { method: 'POST', headers })).headers.get('Location') ?? ''
        await one.patch(part, 0, Buffer.from(text))
        return part
      }),
    )
    const headers = { ...TUS, 'Upload-Concat': `final;${parts.map((part) => new URL(part, base).pathname).join(' ')}` }
    for (const client of clients) {
      const final = (await client.send('/files', { method: 'POST', headers })).headers.get('Location') ?? ''
      expect(nodeOf(final)).toBe(nodeOf(parts[0] ?? ''))
      expect((await other.content(final)).toString()).toBe('hello')
    }
  })

  it('lose nothing while they are killed in turn', async () => {
    const contents = clients.map((_, i) => bytesOf(600_000, i + 1))
    let isOver = false
    const killing = (async () => {
      while (!isOver) {
        for (const node of nodes) {
          await node.kill()
          await node.startAgain()
        }
      }
    })()
    const uploads = clients.map((client, i) => client.upload(contents[i] ?? Buffer.alloc(0), 20_000))
    const pages = clients.map((client, i) => client.page(`第${i}个.bin`, contents[i] ?? Buffer.alloc(0), 50_000))
    const urls = await Promise.all([...uploads, ...pages]).finally(() => {
      isOver = true
    })
    await killing
    expect(new Set(urls.map(nodeOf)).size).toBeGreaterThan(1)
    for (const [i, url] of urls.entries()) {
      const client = clients[i % clients.length]
      await until(async () => (await client?.head(url))?.status === 200)
      expect((await client?.content(url))?.equals(contents[i % contents.length] ?? Buffer.alloc(0))).toBe(true)
    }
  })
})

describe('A node that gets its letter later', () => {
  it('keeps the uploads of before', async () => {
    const before = await startService()
    const url = await createUpload(before.url, 5, { filename: 'a.txt' })
    expect(idOf(url)).toMatch(/^[0-9a-f]{32}$/)
    const after = await before.restart({ NODE: 'b' })
    try {
      expect((await head(`${after.url}/files/${idOf(url)}`)).status).toBe(200)
      expect(idOf(await createUpload(after.url, 5))).toMatch(/^b-[0-9a-f]{30}$/)
    } finally {
      await after.close()
    }
  })
})
