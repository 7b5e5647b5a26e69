/** Pages whose chunks reach two nodes on one bucket. */
import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { type Accepted, expectRefusal, land, landAll } from '../support/chunks.ts'
import { engineSettings } from '../support/engine-settings.ts'
import { type S3Engine, startS3Engine } from '../support/s3-engine.ts'
import { startService, type TestService } from '../support/service.ts'
import { TUS } from '../support/tus.ts'
import { type Cut, complete, cut } from '../support/webuploader.ts'

const MINUTE = 60_000

let engine: S3Engine
let a: TestService
let b: TestService
let again: { readonly file: Cut; readonly second: Accepted }
let elsewhere: Cut
let twice: { readonly earlier: Cut; readonly later: Cut }

/** What happens at one node: another may go on with it after ten seconds. */
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

async function expectComplete(node: TestService, file: Cut): Promise<void> {
  const answer = await complete(node.url, queryOf(file))
  expect({ status: answer.status, body: await answer.json() }).toMatchObject({ status: 200 })
}

async function expectMissing(node: TestService, file: Cut, missing: readonly number[]): Promise<void> {
  const answer = await complete(node.url, queryOf(file))
  expect({ status: answer.status, body: await answer.json() }).toMatchObject({ status: 409, body: { missing } })
}

it(
  'The second upload of a file goes on at another node',
  async () => {
    const { file, second } = again
    expect((await land(b.url, file, 1)).id).toBe(second.id)
    const last = await land(b.url, file, 2)
    expect(last).toMatchObject({ id: second.id, finished: true })
    expect(Buffer.from(await (await fetch(b.url + last.url)).arrayBuffer()).equals(file.content)).toBe(true)
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
