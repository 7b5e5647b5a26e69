import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createUpload, head, idOf, patch } from '../support/tus.ts'
import { type Deployment, engine, engineOk, IMAGE, newDeployment, untilReady } from './deployment.ts'
import { downloaded, MIB, sampleBytes, uploadByTusClient } from './uploads.ts'

const bytes = sampleBytes(20 * MIB + 5)
const NODES = ['node-a', 'node-b', 'node-c', 'node-d']

/** The service in the compose file whose upload this is. */
const nodeOf = (url: string): string => `node-${idOf(url).charAt(0)}`

/** Podman frees the address of a killed container a moment later. @throws Error after half a minute. */
async function startAgain(container: string): Promise<void> {
  const deadline = Date.now() + 30_000
  for (;;) {
    const { code, errors } = await engine('start', container)
    if (code === 0) return
    if (Date.now() > deadline) throw new Error(errors)
  }
}

describe('docker-compose.shards.yml', () => {
  let deployment: Deployment
  const compose = (...args: readonly string[]): Promise<string> =>
    deployment.compose('-f', 'docker-compose.shards.yml', ...args)

  beforeAll(async () => {
    deployment = await newDeployment()
    if ((await engine('image', 'inspect', IMAGE)).code !== 0) await deployment.compose('build')
    await compose('up', '-d')
    await untilReady(deployment.url)
  })
  afterAll(() => deployment.dispose())

  test('has four nodes with a volume each, and names the node in each upload', async () => {
    const { url } = await uploadByTusClient(deployment.url, bytes)
    expect(NODES).toContain(nodeOf(url))
    expect((await downloaded(url)).equals(bytes)).toBe(true)
    const stored = NODES.map(async (node) => {
      const container = await deployment.container(node)
      return Number(await engineOk('exec', container, 'sh', '-c', 'ls /data/files | wc -l'))
    })
    expect((await Promise.all(stored)).sort()).toEqual([0, 0, 0, 1])
  })

  test('loses no more than the uploads of a node that is killed, until it is back', async () => {
    const away = await createUpload(deployment.url, bytes.length)
    expect((await patch(away, 0, bytes.subarray(0, 8 * MIB))).status).toBe(204)
    const killed = await deployment.container(nodeOf(away))
    await engineOk('kill', '--signal', 'KILL', killed)

    // tus-js-client waits after 423; after another error of HEAD, it begins again.
    expect((await head(away)).status).toBe(423)
    const refused = await patch(away, 8 * MIB, bytes.subarray(8 * MIB))
    expect([refused.status, refused.headers.get('Retry-After')]).toEqual([503, '5'])
    const { url, urls } = await uploadByTusClient(deployment.url, bytes)
    expect([urls, nodeOf(url) === nodeOf(away)]).toEqual([1, false])
    expect((await downloaded(url)).equals(bytes)).toBe(true)

    // Started again in the other order, each node still has its address.
    const second = await deployment.container(nodeOf(url))
    await engineOk('kill', '--signal', 'KILL', second)
    await startAgain(second)
    await startAgain(killed)
    let answer = await head(away)
    while (answer.status === 423) answer = await head(away)
    expect([answer.status, answer.headers.get('Upload-Offset')]).toEqual([200, String(8 * MIB)])
    expect((await patch(away, 8 * MIB, bytes.subarray(8 * MIB))).status).toBe(204)
    expect((await downloaded(away)).equals(bytes)).toBe(true)
    expect((await downloaded(url)).equals(bytes)).toBe(true)
  })
})
