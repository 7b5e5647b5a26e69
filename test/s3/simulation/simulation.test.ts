import { expect, it } from '@jest/globals'
import { union } from '../../../server/core/ranges.ts'
import { accept, type ListedPiece } from '../../../server/s3/accept.ts'
import { parseDone, parseManifest } from '../../../server/s3/documents.ts'
import { manifestName, parseName } from '../../../server/s3/names.ts'
import { Random } from '../../support/random.ts'
import { recordOf } from '../../support/store-contract.ts'
import type { Bucket } from '../memory-s3.ts'
import { Client, Told } from './client.ts'
import { World } from './world.ts'

const RUNS = Number(process.env['SIMULATIONS'] ?? 400)
const FIRST_SEED = Number(process.env['SEED'] ?? 1)
const ID = '0123456789abcdef'.repeat(2)

it(`loses nothing acknowledged in ${RUNS} schedules of requests, faults, and nodes`, async () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
    const problem = await simulate(seed)
    if (problem !== undefined) throw new Error(`SEED=${seed} SIMULATIONS=1: ${problem}`)
  }
  expect(RUNS).toBeGreaterThan(0)
}, 600_000)

/** @returns what went wrong. */
async function simulate(seed: number): Promise<string | undefined> {
  const random = new Random(seed)
  const world = new World(random, random.whole(1, 3))
  const length = random.whole(0, 60)
  const chunk = random.chance(0.4) ? random.whole(1, 20) : undefined
  const record = { ...recordOf(ID, length), ...(chunk === undefined ? {} : { webUploader: { chunkSize: chunk } }) }
  const told = new Told()
  const clients = Array.from({ length: chunk === undefined ? 1 : 3 }, () => new Client(world, record, told, chunk))
  let seen = ''
  const wrong = (): string | undefined => {
    const state = `${world.bucket.version} ${told.offset} ${told.bytes.size} ${told.isFinished} ${told.wrongs.length}`
    if (state === seen) return undefined
    seen = state
    const [first] = told.wrongs
    return first ?? inconsistency(world.bucket, told, length)
  }
  const explain = (what: string): string => `${what}\n${world.log.slice(-60).join(', ')}`
  try {
    for (let step = 0; step < 150; step++) {
      for (const client of clients) if (random.chance(0.5)) client.act()
      world.step()
      await quiet()
      const problem = wrong()
      if (problem !== undefined) return explain(problem)
    }
    world.heal()
    for (let step = 0; step < 3000 && !told.isFinished; step++) {
      for (const client of clients) client.act()
      world.step()
      await quiet()
      const problem = wrong()
      if (problem !== undefined) return explain(problem)
    }
    return told.isFinished ? undefined : explain('The upload does not come to its end.')
  } catch (error) {
    return explain(error instanceof Error ? (error.stack ?? error.message) : String(error))
  } finally {
    await world.end()
  }
}

/** Until nothing runs but what waits for S3. */
async function quiet(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

/** Compares what was told with what a new process would find. */
function inconsistency(bucket: Bucket, told: Told, length: number): string | undefined {
  const done = bucket.get(`.landfall/done/${ID}`)
  const end = done === undefined ? undefined : parseDone(done.body)
  if (told.isFinished && end?.kind !== 'finished') return 'A finished file is not there.'
  if (end?.kind === 'finished') {
    const file = bucket.get(end.key)?.body
    if (file?.length !== length) return `The file has ${file?.length} bytes, not ${length}.`
    return lost(told, (position) => file[position])
  }
  const bytes = countedBytes(bucket)
  const missing = lost(told, (position) => bytes.get(position))
  if (missing !== undefined) return missing
  for (let position = 0; position < told.offset; position++) {
    if (!bytes.has(position)) return `Byte ${position} is not there, but offset ${told.offset} was told.`
  }
  return undefined
}

function lost(told: Told, byteAt: (position: number) => number | undefined): string | undefined {
  for (const [position, byte] of told.bytes) {
    const found = byteAt(position)
    if (found !== byte) return `Byte ${position} is ${found}, but ${byte} was acknowledged.`
  }
  return undefined
}

function countedBytes(bucket: Bucket): Map<number, number> {
  const folder = `.landfall/live/${ID}/`
  const listed: ListedPiece[] = []
  let term = 1
  for (const { key, size } of bucket.list(folder).objects) {
    const name = parseName(key.slice(folder.length))
    if (name?.kind === 'piece') listed.push({ piece: name.piece, size })
    if (name?.kind === 'manifest') term = Math.max(term, name.term)
  }
  const manifest = bucket.get(`${folder}${manifestName(term)}`)
  const names = new Set(manifest === undefined ? [] : parseManifest(manifest.body).pieces)
  const { pieces, received } = accept(listed, term, names)
  expect(union(pieces)).toEqual(received)
  const bytes = new Map<number, number>()
  for (const piece of pieces) {
    for (const [i, byte] of (bucket.get(`${folder}${piece.name}`)?.body ?? []).entries())
      bytes.set(piece.start + i, byte)
  }
  return bytes
}
