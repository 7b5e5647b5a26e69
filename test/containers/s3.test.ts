import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { createUpload, head, patch } from '../support/tus.ts'
import { type Deployment, engineOk, newDeployment, untilReady } from './deployment.ts'
import { downloaded, MIB, sampleBytes, uploadByTusClient } from './uploads.ts'

const bytes = sampleBytes(20 * MIB + 5)

describe('docker-compose.s3.yml', () => {
  let deployment: Deployment
  const compose = (profile: string, ...args: readonly string[]): Promise<string> =>
    deployment.compose('-f', 'docker-compose.s3.yml', '--profile', profile, ...args)

  beforeAll(async () => {
    deployment = await newDeployment()
    await deployment.compose('build')
  })
  afterEach(async () => {
    await compose('s3', 'down', '-v')
    await compose('cluster', 'down', '-v')
  })
  afterAll(() => deployment.dispose())

  test('keeps files in a bucket: another container reads what one has received', async () => {
    await compose('s3', 'up', '-d')
    await untilReady(deployment.url)
    const { url } = await uploadByTusClient(deployment.url, bytes)
    await engineOk('rm', '-f', '-v', await deployment.container('landfall'))
    await compose('s3', 'up', '-d')
    await untilReady(deployment.url)
    expect((await downloaded(url)).equals(bytes)).toBe(true)
  })

  test('has three nodes behind nginx: uploads resume when two of them are killed', async () => {
    await compose('cluster', 'up', '-d')
    await untilReady(deployment.url)
    const url = await createUpload(deployment.url, bytes.length)
    expect((await patch(url, 0, bytes.subarray(0, 8 * MIB))).status).toBe(204)
    for (const node of ['node-a', 'node-b']) await engineOk('kill', await deployment.container(node))
    // nginx finds a node that lives, which takes the upload over.
    let answer = await head(url)
    while (answer.status === 423) answer = await head(url)
    expect([answer.status, answer.headers.get('Upload-Offset')]).toEqual([200, String(8 * MIB)])
    expect((await patch(url, 8 * MIB, bytes.subarray(8 * MIB))).status).toBe(204)
    expect((await downloaded(url)).equals(bytes)).toBe(true)
  })
})
