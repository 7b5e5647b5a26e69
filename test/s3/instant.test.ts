/** Uploads in a bucket that have the bytes of finished ones. */
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { MemoryClaims } from '../../server/core/memory-claims.ts'
import type { Store } from '../../server/core/store.ts'
import { Uploads } from '../../server/core/uploads.ts'
import { cellSizes } from '../../server/s3/cells.ts'
import { systemClock } from '../../server/s3/clock.ts'
import { MemoryBudget } from '../../server/s3/memory-budget.ts'
import { S3Store } from '../../server/s3/s3-store.ts'
import { engineSettings } from '../support/engine-settings.ts'
import { contentOf, instantly, send } from '../support/instant.ts'
import { type S3Engine, startS3Engine } from '../support/s3-engine.ts'
import { startService, type TestService } from '../support/service.ts'
import { recordOf } from '../support/store-contract.ts'
import { bearer, JWT_SECRET, tokenFor } from '../support/tokens.ts'
import { TUS } from '../support/tus.ts'
import { Bucket, memoryPort } from './memory-s3.ts'

const [SOURCE, COPY] = ['a'.repeat(32), 'b'.repeat(32)] as const

describe('A copy in a bucket', () => {
  let bucket: Bucket
  let now: number
  beforeEach(() => {
    now = Date.now()
    bucket = new Bucket(() => now, 1)
  })

  function open(node: string): Store {
    return new S3Store({
      port: memoryPort(bucket),
      bucket: 'bucket',
      prefix: '.landfall/',
      keyOf: ({ id, fileName }) => `files/${id}/${fileName}`,
      node,
      cells: { ...cellSizes(8 * 1024 * 1024), copied: 4 },
      clock: { ...systemClock, now: () => now },
      parallel: 2,
      flushAfter: 30_000,
      budget: new MemoryBudget(64 * 1024 * 1024),
      keepsRejected: true,
    })
  }

  async function source(store: Store): Promise<void> {
    await store.createFinished(recordOf(SOURCE, 11), [Buffer.from('hello world')])
  }

  it('that is larger than one part is composed of parts of the other object', async () => {
    const store = open('one')
    await source(store)
    const uploads = new Uploads(store, new MemoryClaims(), Number.POSITIVE_INFINITY)
    await uploads.createFrom(recordOf(COPY, 11), SOURCE, async (upload) => {
      await upload.finish()
      expect(await text(upload.read({ start: 0, end: 11 }))).toBe('hello world')
    })
    expect(bucket.objects.get(`files/${COPY}/a.txt`)?.body.toString()).toBe('hello world')
    expect(bucket.objects.get(`files/${COPY}/a.txt`)?.options.metadata?.['landfall-id']).toBe(COPY)
    expect(bucket.multiparts.size).toBe(0)
  })

  it('is finished by another node if its own has died', async () => {
    const dead = open('one')
    await source(dead)
    const found = await dead.open(SOURCE)
    if (found.kind !== 'upload') throw new Error(found.kind)
    await dead.createFrom(recordOf(COPY, 11), found.upload)
    now += 120_000
    const store = open('two')
    const due: string[] = []
    for await (const id of store.due(new AbortController().signal)) due.push(id)
    expect(due).toEqual([COPY])
    const uploads = new Uploads(store, new MemoryClaims(), Number.POSITIVE_INFINITY)
    await uploads.use(COPY, (upload) => upload.finish())
    expect(bucket.objects.get(`files/${COPY}/a.txt`)?.body.toString()).toBe('hello world')
  })

  it('fails if the other file is removed before it is finished', async () => {
    const store = open('one')
    await source(store)
    const uploads = new Uploads(store, new MemoryClaims(), Number.POSITIVE_INFINITY)
    await uploads.createFrom(recordOf(COPY, 11), SOURCE, async (upload) => {
      await uploads.use(SOURCE, (other) => other.remove('deleted'))
      await expect(upload.finish()).rejects.toMatchObject({ code: 'part_gone' })
      expect(upload.state).toBe('failed')
    })
    expect(bucket.objects.has(`files/${COPY}/a.txt`)).toBe(false)
    expect(bucket.multiparts.size).toBe(0)
  })
})

describe('With STORE=s3, an instant upload', () => {
  const content = contentOf(5_000_000, 'in a bucket')
  let engine: S3Engine
  let service: TestService
  let alice: Readonly<Record<string, string>>
  beforeAll(async () => {
    engine = await startS3Engine()
    const settings = { ...engineSettings(engine.location), AUTH: 'jwt', JWT_SECRET, INSTANT: 'owner' }
    service = await startService(settings)
    alice = bearer(await tokenFor('alice'))
  })
  afterAll(async () => {
    await service.close()
    await engine.stop()
  })

  async function copied(): Promise<string> {
    const response = await instantly(service.url, content, { headers: alice, metadata: { filename: 'copy.bin' } })
    const answer = await response.text()
    expect([response.status, answer]).toEqual([201, answer])
    return JSON.parse(answer).url
  }

  it('has an object of its own, which stays when the first is deleted', async () => {
    const sent = await send(service.url, content, alice)
    const url = await copied()
    await fetch(sent, { method: 'DELETE', headers: { ...TUS, ...alice } })
    expect((await fetch(sent, { headers: alice })).status).toBe(410)
    for (const copy of [url, await copied()]) {
      const response = await fetch(copy, { headers: alice })
      expect(response.headers.get('Content-Disposition')).toContain('copy.bin')
      expect(Buffer.from(await response.arrayBuffer()).equals(content)).toBe(true)
    }
  })
})
