import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
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
const CHUNKS = Array.from({ length: 17 }, (_, chunk) => chunk)

const WHOLE = 'wu_sent_as_a_whole'
const KILLED = 'wu_killed_in_the_middle'

describe('docker-compose.yml', () => {
  let deployment: Deployment
  let finished: string

  beforeAll(async () => {
    deployment = await newDeployment({ DRAIN: '2' })
    await deployment.compose('up', '-d')
    await untilReady(deployment.url)
  })
  afterAll(() => deployment.dispose())

  test('is built and started by one command, and serves both pages', async () => {
    for (const page of ['/', '/legacy']) {
      const answer = await fetch(deployment.url + page)
      expect([page, answer.status, answer.headers.get('Content-Type')]).toEqual([page, 200, 'text/html; charset=utf-8'])
    }
  })

  test('has a process that is not root and can only write to the volume', async () => {
    const container = await deployment.container('landfall')
    expect(await engineOk('exec', container, 'id', '-u')).toBe('1000')
    const refused = await engine('exec', container, 'touch', '/app/new')
    expect([refused.code, refused.errors]).toEqual([1, expect.stringContaining('Read-only file system')])
    expect(await engineOk('exec', container, 'sh', '-c', 'touch /data/new && rm /data/new && echo written')).toBe(
      'written',
    )
  })

  test('is published on the loopback address only', async () => {
    const container = await deployment.container('landfall')
    const bindings = await engineOk('inspect', '--format', '{{json .HostConfig.PortBindings}}', container)
    expect(JSON.parse(bindings)).toEqual({
      '1080/tcp': [{ HostIp: '127.0.0.1', HostPort: new URL(deployment.url).port }],
    })
  })

  test('has no capabilities, gains none, and has limits of memory and processes', async () => {
    const container = await deployment.container('landfall')
    expect(await capabilitiesOf(container)).toEqual({ CapPrm: 0n, CapEff: 0n, CapBnd: 0n, NoNewPrivs: 1n })
    expect(await limitsOf(container)).toEqual({ memory: 1024 ** 3, pids: 256 })
  })

  test('passes the health check that the image declares', async () => {
    const container = await deployment.container('landfall')
    expect(await engineOk('inspect', '--format', '{{json .Config.Healthcheck.Test}}', container)).toBe(
      '["CMD","node","dist/program/healthcheck.js"]',
    )
    expect(await engine('exec', container, 'node', 'dist/program/healthcheck.js')).toMatchObject({ code: 0 })
    const elsewhere = ['exec', '-e', 'PORT=1', container, 'node', 'dist/program/healthcheck.js']
    expect(await engine(...elsewhere)).toMatchObject({ code: 1 })
  })

  test('stores a file by tus and one by WebUploader, and returns both unchanged', async () => {
    finished = (await uploadByTusClient(deployment.url, bytes)).url
    expect((await downloaded(finished)).equals(bytes)).toBe(true)

    const url = await sendChunks(deployment.url, bytes, WHOLE, CHUNKS)
    const { status, body } = await completed(deployment.url, WHOLE)
    expect([status, JSON.parse(body)]).toEqual([200, expect.objectContaining({ ok: true, size: bytes.length })])
    expect((await downloaded(url)).equals(bytes)).toBe(true)
  })

  test('keeps all that was acknowledged after SIGKILL during uploads by both protocols', async () => {
    const hanging = await createUpload(deployment.url, bytes.length)
    const request = await patchThatHangs(hanging, bytes.subarray(0, 6 * MIB), bytes.length)
    await sendChunks(deployment.url, bytes, KILLED, [0, 5, 16])
    let restarted: Promise<void> = Promise.resolve()
    const upload = await uploadByTusClient(deployment.url, bytes, async () => {
      await engineOk('kill', '--signal', 'KILL', await deployment.container('landfall'))
      restarted = deployment.compose('up', '-d').then(() => untilReady(deployment.url))
    })
    await restarted
    request.abandon()

    expect(upload.urls).toBe(1)
    expect(upload.failures).toBeGreaterThan(0)
    expect((await downloaded(upload.url)).equals(bytes)).toBe(true)

    const offset = await offsetOf(hanging)
    expect(offset).toBeGreaterThanOrEqual(6 * MIB)
    expect((await patch(hanging, offset, bytes.subarray(offset))).status).toBe(204)
    expect((await downloaded(hanging)).equals(bytes)).toBe(true)

    const incomplete = await completed(deployment.url, KILLED)
    expect([incomplete.status, JSON.parse(incomplete.body)]).toEqual([
      409,
      expect.objectContaining({ missing: CHUNKS.filter((chunk) => ![0, 5, 16].includes(chunk)) }),
    ])
    const url = await sendChunks(deployment.url, bytes, KILLED, CHUNKS)
    expect((await completed(deployment.url, KILLED)).status).toBe(200)
    expect((await downloaded(url)).equals(bytes)).toBe(true)
  })

  test('ends with 0 at SIGTERM during an upload, and keeps the bytes', async () => {
    const hanging = await createUpload(deployment.url, bytes.length)
    const request = await patchThatHangs(hanging, bytes.subarray(0, 6 * MIB), bytes.length)
    const container = await deployment.container('landfall')
    await deployment.compose('stop')
    expect(await engineOk('inspect', '--format', '{{.State.ExitCode}}', container)).toBe('0')
    request.abandon()

    await deployment.compose('up', '-d')
    await untilReady(deployment.url)
    expect(await offsetOf(hanging)).toBe(6 * MIB)
    expect((await patch(hanging, 6 * MIB, bytes.subarray(6 * MIB))).status).toBe(204)
    expect((await downloaded(hanging)).equals(bytes)).toBe(true)
  })

  test('keeps finished files and unfinished uploads across an upgrade to a rebuilt image', async () => {
    const unfinished = await createUpload(deployment.url, bytes.length)
    expect((await patch(unfinished, 0, bytes.subarray(0, MIB))).status).toBe(204)
    const before = await deployment.container('landfall')
    const file = path.join(deployment.folder, 'package.json')
    await writeFile(file, (await readFile(file, 'utf8')).replace(/"version": "[^"]+"/, '"version": "99.0.0"'))

    // docker replaces the container because of the new image; podman-compose needs a command.
    await deployment.compose('up', '-d', '--build', '--force-recreate')
    await untilReady(deployment.url)
    const after = await deployment.container('landfall')
    expect(after).not.toBe(before)
    expect(JSON.parse(await engineOk('exec', after, 'cat', '/app/package.json'))).toMatchObject({ version: '99.0.0' })
    expect((await downloaded(finished)).equals(bytes)).toBe(true)
    expect(await offsetOf(unfinished)).toBe(MIB)
    expect((await patch(unfinished, MIB, bytes.subarray(MIB))).status).toBe(204)
    expect((await downloaded(unfinished)).equals(bytes)).toBe(true)
  })
})
