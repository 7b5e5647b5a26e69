import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { open, readdir, readFile } from 'node:fs/promises'
import http from 'node:http'
import https from 'node:https'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { DefaultHttpStack, Upload } from 'tus-js-client'
import { parse } from 'yaml'
import { MIB } from '../support/bytes.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { PROXIES, startProxy, type TestedProxy } from '../support/proxies.ts'
import { type Landfall, startLandfall } from '../support/restartable-program.ts'
import { idOf, PATCH_HEADERS, TUS } from '../support/tus.ts'
import { until } from '../support/wire.ts'

/** Bytes of the file: `npm run test:proxies` sends 1 GiB. */
const SIZE = Number(process.env['PROXY_BYTES'] ?? 64 * MIB)
/** What a proxy may write to its files meanwhile: a configuration, and logs. */
const MAX_WRITTEN = 2 * MIB
/** What a proxy may hold in memory of a body that is on its way. */
const MAX_HELD = MIB

jest.setTimeout(SIZE > 64 * MIB ? 600_000 : 60_000)

let folder: TemporaryFolder
let file: string
let digest: string
beforeAll(async () => {
  folder = await temporaryFolder()
  file = path.join(folder.path, 'file')
  const hash = createHash('sha256')
  const handle = await open(file, 'w')
  for (let written = 0; written < SIZE; written += MIB) {
    const piece = randomBytes(MIB)
    hash.update(piece)
    await handle.write(piece)
  }
  await handle.close()
  digest = hash.digest('hex')
})
afterAll(() => folder.dispose())

type Headers = Readonly<Record<string, string | number>>

interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly sha256: string
}

/** nginx serves only its own names, and a client by address sends none. */
const trusting = ({ certificate }: TestedProxy): https.RequestOptions => ({ ca: certificate, servername: 'localhost' })

function begin(proxy: TestedProxy, method: string, url: string, headers: Headers): http.ClientRequest {
  const options = { method, headers: { ...TUS, ...headers }, agent: false } as const
  return url.startsWith('https:') ? https.request(url, { ...options, ...trusting(proxy) }) : http.request(url, options)
}

async function answerOf(request: http.ClientRequest): Promise<Answer> {
  const [response]: http.IncomingMessage[] = await once(request, 'response')
  const hash = createHash('sha256')
  for await (const bytes of response ?? []) hash.update(bytes)
  return { status: response?.statusCode ?? 0, headers: response?.headers ?? {}, sha256: hash.digest('hex') }
}

function send(proxy: TestedProxy, method: string, url: string, headers: Headers = {}): Promise<Answer> {
  const request = begin(proxy, method, url, headers)
  const answer = answerOf(request)
  request.end()
  return answer
}

/** Uploads the file, kills the service on the way, and starts it again. @returns the URL, and how the upload went on. */
async function uploadWithKill(proxy: TestedProxy, service: Landfall) {
  const outage: { statuses: number[]; resumedAt: number } = { statuses: [], resumedAt: -1 }
  let killed: Promise<void> | undefined
  const kill = async (url: string): Promise<void> => {
    await service.kill()
    for (const method of ['HEAD', 'GET', 'HEAD']) outage.statuses.push((await send(proxy, method, url)).status)
    await service.startAgain()
  }
  const url = await new Promise<string>((resolve, reject) => {
    const upload: Upload = new Upload(createReadStream(file), {
      endpoint: `${proxy.url}/files`,
      metadata: { filename: 'a.bin' },
      retryDelays: Array.from({ length: 300 }, () => 100),
      httpStack: new DefaultHttpStack(proxy.url.startsWith('https:') ? trusting(proxy) : {}),
      onProgress: (sent) => {
        if (sent > SIZE / 4) killed ??= kill(upload.url ?? '')
      },
      onAfterResponse: (request, response) => {
        if (request.getMethod() === 'HEAD' && response.getStatus() === 200) {
          outage.resumedAt = Number(response.getHeader('Upload-Offset'))
        }
      },
      onSuccess: () => resolve(upload.url ?? ''),
      onError: reject,
    })
    upload.start()
  })
  await killed
  return { url, ...outage }
}

describe.each(PROXIES)('%s, as shipped,', (name) => {
  let service: Landfall
  let proxy: TestedProxy
  beforeAll(async () => {
    service = await startLandfall({ SYNC: 'never', TRUST_PROXY: 'true' })
    proxy = await startProxy(name, service.url)
  })
  afterAll(async () => {
    await service.dispose()
    await proxy.close()
  })

  it('lets tus-js-client resume when the service was killed: HEAD answers 423 meanwhile', async () => {
    const { url, statuses, resumedAt } = await uploadWithKill(proxy, service)
    expect(statuses).toEqual([423, expect.any(Number), 423])
    expect([502, 503, 504]).toContain(statuses[1])
    expect(resumedAt).toBeGreaterThan(0)
    expect(resumedAt).toBeLessThan(SIZE)
    expect(await send(proxy, 'GET', url)).toMatchObject({ status: 200, sha256: digest })
    expect(await proxy.written()).toBeLessThan(MAX_WRITTEN)
    const logged = idOf(url).slice(0, 6)
    if (name !== 'traefik') await until(async () => (await proxy.log()).includes(`/files/${logged}`))
    expect(await proxy.log()).not.toContain(idOf(url).slice(0, 7))
  })

  it('passes bytes on before the request has ended', async () => {
    const length = 8 * MIB
    const created = await send(proxy, 'POST', `${proxy.url}/files`, { 'Upload-Length': length })
    const { pathname } = new URL(created.headers.location ?? '', proxy.url)
    const headers = { ...PATCH_HEADERS, 'Upload-Offset': 0, 'Content-Length': length }
    const patch = begin(proxy, 'PATCH', proxy.url + pathname, headers)
    patch.write(randomBytes(length / 2))
    await until(async () => {
      const { headers: seen } = await fetch(service.url + pathname, { method: 'HEAD', headers: TUS })
      return Number(seen.get('Upload-Offset')) >= length / 2 - MAX_HELD
    })
    const answer = answerOf(patch)
    patch.end(randomBytes(length / 2))
    expect((await answer).status).toBe(204)
  })

  it('passes on nothing that a client claims about itself', async () => {
    const forged = {
      Forwarded: 'host=evil.example;proto=https',
      'X-Forwarded-Host': 'evil.example',
      'X-Forwarded-Prefix': '/evil',
      'X-Forwarded-For': '203.0.113.7',
    }
    const created = await send(proxy, 'POST', `${proxy.url}/files`, { 'Upload-Length': 5, ...forged })
    expect(created.status).toBe(201)
    expect(created.headers.location).toMatch(/^(https?:\/\/127\.0\.0\.1:\d+)?\/files\/[^/]+$/)
  })
})

describe('The files for Traefik', () => {
  const folder = fileURLToPath(new URL('../../deploy/traefik', import.meta.url))

  it('name only what they define', async () => {
    const { http: routes, tls } = parse(await readFile(`${folder}/landfall.yml`, 'utf8'))
    const entries = Object.keys(parse(await readFile(`${folder}/traefik.yml`, 'utf8')).entryPoints)
    for (const router of Object.values<Record<string, never>>(routes.routers)) {
      expect(Object.keys(routes.services)).toContain(router['service'])
      expect(Object.keys(routes.middlewares)).toEqual(expect.arrayContaining(router['middlewares'] ?? []))
      expect(entries).toEqual(expect.arrayContaining(router['entryPoints'] ?? []))
      expect(Object.keys(tls.options)).toContain(router['tls']?.['options'])
    }
    const { landfall } = routes.services
    expect(Object.keys(routes.serversTransports)).toContain(landfall.loadBalancer.serversTransport)
  })
})

describe('deploy/', () => {
  it('has a test of every proxy', async () => {
    const folder = fileURLToPath(new URL('../../deploy', import.meta.url))
    const others = ['backup', 'grafana', 'helm', 'kubernetes', 'logrotate', 'prometheus', 'systemd']
    const found = (await readdir(folder)).filter((entry) => !others.includes(entry))
    // npm run test:proxies also starts Traefik.
    expect(found.sort()).toEqual([...new Set([...PROXIES, 'traefik'])].sort())
  })
})
