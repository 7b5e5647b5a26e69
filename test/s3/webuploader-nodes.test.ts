/** Pages whose chunks reach two nodes on one bucket. */
import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { type Accepted, expectAccepted, expectRefusal, land, landAll } from '../support/chunks.ts'
import { engineSettings } from '../support/engine-settings.ts'
import { type S3Engine, startS3Engine } from '../support/s3-engine.ts'
import { startService, type TestService } from '../support/service.ts'
import { TUS } from '../support/tus.ts'
import { type Cut, complete, cut, rawChunk, sendChunk } from '../support/webuploader.ts'
import { connect, until } from '../support/wire.ts'

const MINUTE = 60_000

let engine: S3Engine
let a: TestService
let b: TestService
let again: { readonly file: Cut; readonly second: Accepted }
let elsewhere: Cut
let twice: { readonly earlier: Cut; readonly later: Cut }

/** Begins everything at one node. Another node may take it over after ten seconds. */
beforeAll(async () => {
  engine = await startS3Engine()
  const settings = { ...engineSettings(engine.location), SECRET: 'a secret of thirty-two characters' }
  a = await startService(settings)
  b = await startService(settings)
  // From now on, each has looked for the uploads of the bucket.
  for (const { url } of [a, b]) await land(url, fileOf(`first of ${url}.bin`), 0)

  const file = fileOf('again.bin')
  const first = await land(a.url, file, 0)
  expect((await fetch(a.url + first.url, { method: 'DELETE', headers: TUS })).status).toBe(204)
  again = { file, second: await land(a.url, file, 0) }
  expect(again.second.id).not.toBe(first.id)

  elsewhere = fileOf('elsewhere.bin')
  await expectRefusal(await complete(b.url, queryOf(elsewhere)), 404, 'not_found')
  await land(a.url, elsewhere, 0)

  twice = {
    earlier: fileOf('twice.bin'),
    later: cut(randomBytes(3_000), 1_000, { name: 'twice.bin', id: 'WU_FILE_1' }),
  }
  await landAll(a.url, twice.earlier)
  await expectComplete(a, twice.earlier)
  // S3 tells seconds apart, and no less.
  await pause(1_100)
  await land(b.url, twice.later, 0)
}, MINUTE)
afterAll(async () => {
  await a?.close()
  await b?.close()
  await engine?.stop()
})

function fileOf(name: string): Cut {
  return cut(randomBytes(3_000), 1_000, { name })
}

function queryOf({ common }: Cut): Readonly<Record<string, string>> {
  return { task_id: String(common.task_id), filename: String(common.name) }
}

/** Sends a chunk until it is accepted, as a page does. */
async function landAtLast(node: TestService, file: Cut, chunk: number): Promise<Accepted> {
  for (;;) {
    const answer = await sendChunk(node.url, file.fields(chunk), file.bytes(chunk))
    if (answer.status === 200) return expectAccepted(answer)
    await answer.body?.cancel()
    await pause(100)
  }
}

async function expectComplete(node: TestService, file: Cut): Promise<void> {
  const answer = await complete(node.url, queryOf(file))
  expect({ status: answer.status, body: await answer.json() }).toMatchObject({ status: 200 })
}

async function expectMissing(node: TestService, file: Cut, missing: readonly number[]): Promise<void> {
  const answer = await complete(node.url, queryOf(file))
  expect({ status: answer.status, body: await answer.json() }).toMatchObject({ status: 409, body: { missing } })
}

it(
  'The second upload of a file continues on another node',
  async () => {
    const { file, second } = again
    expect((await land(b.url, file, 1)).id).toBe(second.id)
    const last = await land(b.url, file, 2)
    expect(last).toMatchObject({ id: second.id, finished: true })
    expect(Buffer.from(await (await fetch(b.url + last.url)).arrayBuffer()).equals(file.content)).toBe(true)
  },
  MINUTE,
)

/** Begins an upload at node `a`, and deletes it. */
async function beginInVain(file: Cut): Promise<void> {
  const { url } = await land(a.url, file, 0)
  expect((await fetch(a.url + url, { method: 'DELETE', headers: TUS })).status).toBe(204)
}

it(
  'The first chunks of a second or a third upload may reach two nodes at once',
  async () => {
    const files = Array.from({ length: 4 }, (_, i) => fileOf(`${i} at once.bin`))
    for (const file of files) await beginInVain(file)
    for (const file of files.slice(1)) await beginInVain(file)
    const sendTo = async (file: Cut): Promise<void> => {
      const [one, other] = await Promise.all([landAtLast(a, file, 0), landAtLast(b, file, 1)])
      expect(one.id).toBe(other.id)
      expect(await landAtLast(a, file, 2)).toMatchObject({ id: one.id, finished: true })
    }
    await Promise.all(files.map(sendTo))
  },
  MINUTE,
)

it(
  'A complete waits for a chunk that has only begun',
  async () => {
    const file = cut(randomBytes(100_000), 100_000, { name: 'begun.bin' })
    const { head, body } = rawChunk(file, 0)
    const wire = await connect(b.url)
    await wire.send(head, body.subarray(0, 50_000))
    let answer = complete(b.url, queryOf(file))
    // The upload begins soon. From then on a complete has no answer before its bytes are there, while others have.
    await until(async () => {
      const others = async (): Promise<undefined> => {
        for (let i = 0; i < 3; i++) await complete(b.url, queryOf(fileOf('unknown.bin')))
      }
      const early = await Promise.race([answer, others()])
      if (early?.status === 404) answer = complete(b.url, queryOf(file))
      return early === undefined
    })
    await wire.send(body.subarray(50_000))
    expect((await answer).status).toBe(200)
    await wire.cut()
  },
  MINUTE,
)

it(
  'A complete finds a file that another node has received since the last one of its name',
  async () => {
    await expectMissing(b, elsewhere, [1, 2])
    await land(b.url, elsewhere, 1)
    await land(b.url, elsewhere, 2)
    await expectComplete(a, elsewhere)
  },
  MINUTE,
)

it(
  'A complete does not mistake an earlier file for one that another node is receiving',
  () => expectMissing(a, twice.later, [1, 2]),
  MINUTE,
)
