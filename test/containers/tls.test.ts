import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createUpload, patch } from '../support/tus.ts'
import { capabilitiesOf, type Deployment, engine, engineOk, limitsOf, newDeployment, untilReady } from './deployment.ts'
import {
  completed,
  downloaded,
  MIB,
  offsetOf,
  patchThatHangs,
  sampleBytes,
  sendChunks,
  uploadByTusClient,
} from './uploads.ts'

const bytes = sampleBytes(16 * MIB + 5)
const TASK = 'wu_through_a_proxy'

describe('docker-compose.tls.yml, with nginx and TLS,', () => {
  let deployment: Deployment
  const compose = (...args: readonly string[]) => deployment.compose('-f', 'docker-compose.tls.yml', ...args)

  beforeAll(async () => {
    deployment = await newDeployment({ DRAIN: '2' })
    await compose('up', '-d')
    await untilReady(deployment.secureUrl)
  })
  afterAll(() => deployment.dispose())

  test('hides the service itself, and redirects plain HTTP to TLS', async () => {
    await expect(fetch(deployment.url)).rejects.toThrow()
    const answer = await fetch(deployment.plainUrl, { redirect: 'manual' })
    expect([answer.status, answer.headers.get('Location')]).toEqual([308, 'https://localhost/'])
  })

  test('gives nginx the four capabilities that it needs, limits, and a read-only file system', async () => {
    const container = await deployment.container('nginx')
    // CHOWN, SETGID, SETUID, NET_BIND_SERVICE
    const needed = (1n << 0n) | (1n << 6n) | (1n << 7n) | (1n << 10n)
    expect(await capabilitiesOf(container)).toEqual({ CapPrm: needed, CapEff: needed, CapBnd: needed, NoNewPrivs: 1n })
    expect(await limitsOf(container)).toEqual({ memory: 512 * MIB, pids: 128 })
    const refused = await engine('exec', container, 'touch', '/etc/new')
    expect([refused.code, refused.errors]).toEqual([1, expect.stringContaining('Read-only file system')])
  })

  test('logs neither whole ids nor queries, and refuses other hosts', async () => {
    const url = await createUpload(deployment.secureUrl, 5)
    await fetch(`${url}?task_id=secret`)
    const { port } = new URL(deployment.plainUrl)
    expect((await fetch(`http://127.0.0.1:${port}`, { redirect: 'manual' })).status).toBe(421)
    const { out, errors } = await engine('logs', await deployment.container('nginx'))
    expect(out + errors).toContain(`"GET ${new URL(url).pathname.slice(0, '/files/'.length + 6)}... HTTP/1.1" 404 `)
    expect(out + errors).not.toMatch(new RegExp(`secret|${new URL(url).pathname}`))
  })

  test('passes bytes on during the request, and keeps them when it breaks off', async () => {
    const url = await createUpload(deployment.secureUrl, bytes.length)
    expect(new URL(url).origin).toBe(deployment.secureUrl)
    const request = await patchThatHangs(url, bytes.subarray(0, 6 * MIB), bytes.length)
    request.abandon()
    const offset = await offsetOf(url)
    expect(offset).toBeGreaterThanOrEqual(6 * MIB)
    expect((await patch(url, offset, bytes.subarray(offset))).status).toBe(204)
    expect((await downloaded(url)).equals(bytes)).toBe(true)
  })

  test('passes on chunks of WebUploader, and restricts the visitor’s cookie to TLS', async () => {
    const chunks = Array.from({ length: 17 }, (_, chunk) => chunk)
    const url = await sendChunks(deployment.secureUrl, bytes, TASK, chunks)
    expect((await completed(deployment.secureUrl, TASK)).status).toBe(200)
    expect((await downloaded(url)).equals(bytes)).toBe(true)

    const checked = await fetch(`${deployment.secureUrl}/check`, { method: 'POST', body: 'POST TEST' })
    expect(checked.headers.get('Set-Cookie')).toMatch(/; secure/i)
  })

  test('enables a client to resume its upload after a restart of the service', async () => {
    let restarted: Promise<void> = Promise.resolve()
    const upload = await uploadByTusClient(deployment.secureUrl, bytes, async () => {
      const container = await deployment.container('landfall')
      await engineOk('kill', '--signal', 'KILL', container)
      // Now only nginx responds: HEAD must not make the client restart the file.
      const answer = await fetch(`${deployment.secureUrl}/files/any`, { method: 'HEAD' })
      expect([answer.status, answer.headers.get('Retry-After')]).toEqual([423, '5'])
      restarted = compose('up', '-d').then(() => untilReady(deployment.secureUrl))
    })
    await restarted
    expect(upload.urls).toBe(1)
    expect(upload.failures).toBeGreaterThan(0)
    expect((await downloaded(upload.url)).equals(bytes)).toBe(true)
  })
})
