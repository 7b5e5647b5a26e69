import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import type { Done } from '../../server/s3/documents.ts'
import { readDone } from '../../server/s3/ends.ts'
import { doneKey, nodeFolder } from '../../server/s3/keys.ts'
import { listAll } from '../../server/s3/list-all.ts'
import { RetryingPort } from '../../server/s3/retrying-port.ts'
import type { S3Port } from '../../server/s3/s3-port.ts'
import { SdkPort } from '../../server/s3/sdk-port.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { Random } from '../support/random.ts'
import { accept, answerWith, type Receiver, startReceiver } from '../support/receiver.ts'
import { type S3Engine, startS3Engine } from '../support/s3-engine.ts'
import { create, idOf, locationOf, PATCH_HEADERS, patch, TUS } from '../support/tus.ts'
import { until } from '../support/wire.ts'
import { EventNodes } from './event-nodes.ts'

const KILLS = 6
const CLIENTS = 4
const seed = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 2 ** 32))

let engine: S3Engine
let port: S3Port
let receiver: Receiver
/** `<type> <id of the upload>`, in the order in which events were first accepted. */
let accepted: Set<string>
beforeEach(async () => {
  engine = await startS3Engine()
  port = new RetryingPort(new SdkPort(engine.location))
  receiver = await startReceiver()
  accepted = new Set()
})
afterEach(async () => {
  await receiver.close()
  port.close()
  await engine.stop()
})

/** @param failing how many attempts of all fail, from 0 to 1. */
function receive(random: Random, failing: number): void {
  receiver.answer((response, { type, upload }) => {
    if (random.chance(failing)) return answerWith(500)(response)
    accepted.add(`${type} ${upload}`)
    accept(response)
  })
}

/** Runs the program on an empty data directory while `work` runs, and kills it then. */
async function withProgram(work: (program: Program) => Promise<void>): Promise<void> {
  const folder = await temporaryFolder()
  const { endpoint, bucket, credentials } = engine.location
  const program = await startProgram({
    ...receiver.settings,
    DATA_DIR: folder.path,
    STORE: 's3',
    S3_ENDPOINT: endpoint,
    S3_BUCKET: bucket,
    S3_ACCESS_KEY_ID: credentials.accessKeyId,
    S3_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    SECRET: 'a secret of thirty-two characters',
  })
  try {
    await work(program)
  } finally {
    await program.end('SIGKILL')
    await folder.dispose()
  }
}

/** Uploads and deletes files until the program does not answer. @param files receives the ids of those that it has. */
async function load({ url }: Program, random: Random, files: Set<string>): Promise<void> {
  try {
    for (;;) {
      const inOne = random.chance(0.5)
      const type = { 'Content-Type': PATCH_HEADERS['Content-Type'] }
      const response = await create(url, { 'Upload-Length': '5', ...(inOne && type) }, inOne ? 'hello' : undefined)
      const location = locationOf(response, url)
      if (!inOne) await patch(location, 0, Buffer.from('hello'))
      files.add(idOf(location))
      if (random.chance(0.3)) await fetch(location, { method: 'DELETE', headers: TUS })
    }
  } catch {
    // It was killed.
  }
}

/** The ends of all uploads in the bucket, by id. */
async function ends(): Promise<Map<string, Done>> {
  const environment = new EventNodes().environment(port)
  const folder = doneKey(environment.prefix, '')
  const found = new Map<string, Done>()
  for await (const { key } of listAll(port, folder)) {
    const id = key.slice(folder.length)
    const done = await readDone(environment, id)
    if (done !== undefined) found.set(id, done)
  }
  return found
}

it(`Every file in a bucket has its events, and no event is without its file, whatever was killed (seed ${seed})`, async () => {
  const random = new Random(seed)
  const files = new Set<string>()
  receive(random, 0.5)
  for (let kill = 0; kill < KILLS; kill += 1) {
    await withProgram(async (program) => {
      const clients = Array.from({ length: CLIENTS }, () => load(program, random, files))
      await pause(random.whole(300, 1500))
      await program.end('SIGKILL')
      await Promise.all(clients)
    })
  }
  receive(random, 0)
  // As if all had been silent for a minute.
  const signs: string[] = []
  for await (const { key } of listAll(port, nodeFolder('.landfall/'))) signs.push(key)
  await port.remove(signs)
  await withProgram(async () => {
    const found = await ends()
    const wanted = [...found].flatMap(([id, done]) => [
      ...(done.kind === 'finished' || done.finishedAt !== undefined ? [`upload.finished ${id}`] : []),
      ...(done.kind === 'gone' ? [`upload.deleted ${id}`] : []),
    ])
    await until(async () => wanted.every((event) => accepted.has(event)))
    expect([...accepted].sort()).toEqual([...wanted].sort())
    const order = [...accepted]
    const inOrder = (id: string): boolean =>
      order.indexOf(`upload.finished ${id}`) < order.indexOf(`upload.deleted ${id}`)
    expect([...found].filter(([id, { kind }]) => kind === 'gone' && !inOrder(id))).toEqual([])
    for (const id of files) expect(found.has(id)).toBe(true)
    expect(files.size).toBeGreaterThan(KILLS)
  })
}, 180_000)
