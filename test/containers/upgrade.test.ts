import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createUpload, patch } from '../support/tus.ts'
import { type Deployment, engineOk, newDeployment, untilReady } from './deployment.ts'
import { completed, downloaded, MIB, offsetOf, sampleBytes, sendChunks, uploadByTusClient } from './uploads.ts'

/** The first version, with its own compose file and image. */
const FIRST = 'dffe5da'

const bytes = sampleBytes(8 * MIB + 5)
const CHUNKS = Array.from({ length: 9 }, (_, chunk) => chunk)
const TASK = 'wu_over_an_upgrade'

/** An upload of which the first half was sent. */
async function halfSent(base: string): Promise<string> {
  const url = await createUpload(base, bytes.length)
  expect((await patch(url, 0, bytes.subarray(0, 4 * MIB))).status).toBe(204)
  return url
}

async function resumes(url: string): Promise<void> {
  expect(await offsetOf(url)).toBe(4 * MIB)
  expect((await patch(url, 4 * MIB, bytes.subarray(4 * MIB))).status).toBe(204)
  expect((await downloaded(url)).equals(bytes)).toBe(true)
}

describe('An upgrade of the deployment of the first version', () => {
  let deployment: Deployment
  let first: (...args: readonly string[]) => Promise<string>
  let finished: string
  let resumed: string
  let untouched: string
  let page: string

  beforeAll(async () => {
    deployment = await newDeployment()
    first = await deployment.earlier(FIRST)
    await first('up', '-d', '--build')
    await untilReady(deployment.url)
    finished = (await uploadByTusClient(deployment.url, bytes)).url
    resumed = await halfSent(deployment.url)
    untouched = await halfSent(deployment.url)
    page = await sendChunks(deployment.url, bytes, TASK, [0, 4, 8])
    // docker replaces the container because of the new image; podman-compose needs a command.
    await deployment.compose('up', '-d', '--build', '--force-recreate')
    await untilReady(deployment.url)
  })
  afterAll(() => deployment.dispose())

  test('is one command, and runs the new program on the same volume', async () => {
    const container = await deployment.container('landfall')
    expect(await engineOk('exec', container, 'node', 'dist/program/main.js', '--version')).toMatch(/^Landfall /)
    expect(await engineOk('exec', container, 'cat', '/data/format')).toBe('1')
  })

  test('keeps finished files, and resumes uploads of tus and of pages', async () => {
    expect((await downloaded(finished)).equals(bytes)).toBe(true)
    await resumes(resumed)
    expect((await completed(deployment.url, TASK)).status).toBe(409)
    expect(await sendChunks(deployment.url, bytes, TASK, CHUNKS)).toBe(page)
    expect((await completed(deployment.url, TASK)).status).toBe(200)
    expect((await downloaded(page)).equals(bytes)).toBe(true)
  })

  test('leaves permissions that the doctor repairs', async () => {
    const doctor = (...flags: readonly string[]): Promise<string> =>
      deployment.compose('run', '--rm', 'landfall', 'node', 'dist/program/main.js', 'doctor', ...flags)
    await deployment.compose('stop')
    await doctor('--repair')
    expect(await doctor()).toContain('No problems found.')
    await deployment.compose('up', '-d')
    await untilReady(deployment.url)
  })

  test('can be taken back: the first version reads and resumes what both have', async () => {
    const begun = await halfSent(deployment.url)
    const created = (await uploadByTusClient(deployment.url, bytes)).url
    await deployment.compose('down')
    await first('up', '-d', '--force-recreate')
    await untilReady(deployment.url)
    for (const url of [finished, resumed, page, created]) expect((await downloaded(url)).equals(bytes)).toBe(true)
    for (const url of [untouched, begun]) await resumes(url)
  })
})
