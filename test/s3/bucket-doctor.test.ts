import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { doctor } from '../../server/doctor.ts'
import { type Clock, systemClock } from '../../server/s3/clock.ts'
import type { Environment } from '../../server/s3/environment.ts'
import { examineBucket } from '../../server/s3/examine.ts'
import { MemoryBudget } from '../../server/s3/memory-budget.ts'
import { S3Store } from '../../server/s3/s3-store.ts'
import { SdkPort } from '../../server/s3/sdk-port.ts'
import { engineSettings } from '../support/engine-settings.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { type S3Engine, startS3Engine } from '../support/s3-engine.ts'
import { startServiceOn } from '../support/service.ts'
import { put, recordOf } from '../support/store-contract.ts'
import { createUpload, idOf, patch } from '../support/tus.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { Bucket, memoryPort } from './memory-s3.ts'

const HOUR = 60 * 60 * 1000
const DAY = 24 * HOUR

describe('landfall doctor in a bucket', () => {
  let now: number
  let bucket: Bucket
  let environment: Environment
  let store: S3Store
  beforeEach(async () => {
    now = Date.now()
    bucket = new Bucket(() => now, 1)
    const clock: Clock = { ...systemClock, now: () => now }
    environment = {
      port: memoryPort(bucket),
      bucket: 'bucket',
      prefix: '.landfall/',
      keyOf: ({ id, fileName }) => `files/${id}/${fileName}`,
      node: randomUUID(),
      cells: { usual: 64, smallest: 16, largestNatural: 128, largest: 256, copied: 256 },
      clock,
      parallel: 2,
      flushAfter: 30_000,
      budget: new MemoryBudget(2 ** 26),
      keepsRejected: true,
    }
    store = new S3Store(environment)
    await store.createFinished(recordOf('finished', 5), [Buffer.from('hello')])
    const noted = await store.createFinished(recordOf('noted', 5), [Buffer.from('hello')])
    await noted.update((record) => ({ ...record, digests: { 'sha-256': 'AA==' } }))
    const begun = await store.create(recordOf('begun', 10))
    await put(begun, 0, 'hel', 'when-verified')
    await put(begun, 5, 'wo', 'when-verified')
    const removed = await store.create(recordOf('removed', 5))
    await removed.remove('deleted')
  })

  async function examine(repairs = false): Promise<string[]> {
    const found: string[] = []
    for await (const { place, sentence, repair } of examineBucket(environment)) {
      found.push(`${place}: ${sentence} ${repair?.sentence ?? '-'}`)
      if (repairs) await repair?.run()
    }
    return found
  }

  it('finds no problem in uploads of any state, however old', async () => {
    expect(await examine()).toEqual([])
    now += 10 * DAY
    expect(await examine()).toEqual([])
  })

  it('leaves missing files and bytes to the operator', async () => {
    bucket.remove(['files/finished/a.txt'])
    bucket.put('files/noted/a.txt', Buffer.from('hell'))
    const [piece = ''] = [...bucket.objects.keys()].filter((key) => key.startsWith('.landfall/live/begun/d.'))
    // A second term knows which pieces counted.
    await new S3Store(environment).open('begun')
    bucket.remove([piece])
    bucket.put('.landfall/done/broken', Buffer.from('{'))
    bucket.put('.landfall/live/damaged/r.00000001.000000', Buffer.from('{'))
    const before = new Map(bucket.objects)
    expect(await examine(true)).toEqual([
      expect.stringMatching(/^\.landfall\/live\/begun\/: An upload that cannot be opened: .*\(d\..* is missing\)\. -$/),
      '.landfall/live/damaged/: An upload that cannot be opened: its record, or bytes of it, are missing. -',
      '.landfall/done/broken: The end of an upload that cannot be read. -',
      'files/finished/a.txt: The file of a finished upload is missing. -',
      'files/noted/a.txt: A finished file of 4 bytes that should have 5. -',
    ])
    expect(bucket.objects).toEqual(before)
  })

  it('deletes with --repair what no upload needs, and nothing before two days that may still be under way', async () => {
    const token = '0123456789abcdef'
    const late = '.landfall/live/finished/d.00000001.0123456789abcdef.0000l.000000000000000-000000000000005'
    bucket.put(late, Buffer.from('hello'))
    bucket.put(`.landfall/live/unborn/d.00000002.${token}.0000l.000000000000000-000000000000005`, Buffer.from('hello'))
    bucket.put('.landfall/live/unborn/c.00000002', Buffer.from('{}'))
    bucket.put('.landfall/live/finished/c.00000002', Buffer.from('{}'))
    bucket.put('.landfall/notes/unknown', Buffer.from('{}'))
    bucket.put('.landfall/gone/2026-11-01/random/unknown', Buffer.alloc(0))
    bucket.put('.landfall/self-test/0123/object', Buffer.alloc(0))
    bucket.put('.landfall/self-test/passed', Buffer.alloc(0))
    const ended = '.landfall/live/finished/: Objects of an upload that has ended. delete it'
    expect(await examine(true)).toEqual([ended])
    expect(await examine(true)).toEqual([])
    now += 47 * HOUR
    expect(await examine(true)).toEqual([])
    now += 2 * HOUR
    const findings = [
      '.landfall/live/finished/: Claims of an upload that has ended. delete it',
      '.landfall/live/unborn/: Objects without a record. delete 2 objects',
      '.landfall/notes/unknown: Notes of an upload that is not finished. delete it',
      '.landfall/gone/2026-11-01/random/unknown: The mark of a tombstone that is not there. delete it',
      '.landfall/self-test/0123/object: What a self-test has left. delete it',
    ]
    expect(await examine()).toEqual(findings)
    expect(await examine(true)).toEqual(findings)
    expect(await examine()).toEqual([])
    expect((await store.open('finished')).kind).toBe('upload')
    expect((await new S3Store(environment).open('begun')).kind).toBe('upload')
    expect((await store.open('removed')).kind).toBe('gone')
    expect(bucket.objects.has('.landfall/self-test/passed')).toBe(true)
  })
})

describe('With STORE=s3', () => {
  let engine: S3Engine
  let proxy: FaultProxy
  let folder: TemporaryFolder
  beforeAll(async () => {
    engine = await startS3Engine()
    proxy = await startFaultProxy(engine.location.endpoint)
  })
  afterAll(async () => {
    await proxy.close()
    await engine.stop()
  })
  beforeEach(async () => {
    folder = await temporaryFolder()
  })
  afterEach(() => folder.dispose())

  const settings = (): Readonly<Record<string, string>> => ({
    ...engineSettings(engine.location),
    S3_ENDPOINT: proxy.url,
  })

  async function examine(changed: Readonly<Record<string, string>>, ...flags: string[]): Promise<[number, string[]]> {
    const lines: string[] = []
    const code = await doctor({ ...settings(), DATA_DIR: folder.path, ...changed }, flags, (line) => lines.push(line))
    return [code, lines]
  }

  it('landfall doctor tests the engine, and examines the bucket', async () => {
    const service = await startServiceOn(folder.path, settings())
    const url = await createUpload(service.url, 5, { filename: 'a.txt' })
    await patch(url, 0, Buffer.from('hello'))
    expect(await examine({})).toEqual([0, ['No problems found.']])
    await service.close()
    const port = new SdkPort(engine.location)
    const key = `files/${idOf(url)}/a.txt`
    await port.remove([key])
    port.close()
    expect(await examine({}, '--repair')).toEqual([
      1,
      [`${key}: The file of a finished upload is missing. Left unchanged.`, 'Found: 1. Repaired: 0. Left: 1.'],
    ])
    await expect(examine({ S3_BUCKET: 'missing' })).rejects.toThrow(/NoSuchBucket/)
    await expect(examine({}, '--owner', 'anna')).rejects.toThrow(/^--owner is for uploads in a data directory/)
  })

  it('a service does not start on an engine that cannot keep uploads, and then leaves its directory', async () => {
    const places = { S3_PREFIX: 'bad/.landfall/' }
    const undo = proxy.disturb({
      calls: ['PutObject'],
      key: /rivals/,
      fault: {
        kind: 'change',
        to: ({ headers: { date = '' } }) => ({ status: 200, headers: { date, etag: '"x"' }, body: '' }),
      },
    })
    const start = startServiceOn(folder.path, { ...settings(), ...places })
    await expect(start).rejects.toThrow(/^The bucket landfall cannot keep uploads\. Several writers created one object/)
    undo()
    await (await startServiceOn(folder.path, { ...settings(), ...places })).close()
    const missing = startServiceOn(folder.path, { ...settings(), S3_BUCKET: 'missing' })
    await expect(missing).rejects.toThrow(/^The bucket missing cannot keep uploads\. .*NoSuchBucket/)
  })

  it('a service that has passed the self-test within a day starts without it', async () => {
    const places = { S3_PREFIX: 'good/.landfall/' }
    const start = async (): Promise<number> => {
      proxy.forget()
      await (await startServiceOn(folder.path, { ...settings(), ...places })).close()
      return proxy.count('PutObject')
    }
    expect(await start()).toBeGreaterThan(100)
    expect(await start()).toBe(0)
    const lastModified = new Date(Date.now() - 25 * HOUR).toUTCString()
    const undo = proxy.disturb({
      calls: ['GetObject'],
      key: /passed/,
      fault: {
        kind: 'change',
        to: (reply) => ({ ...reply, headers: { ...reply.headers, 'last-modified': lastModified } }),
      },
    })
    expect(await start()).toBeGreaterThan(100)
    undo()
  })
})
