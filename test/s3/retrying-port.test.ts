import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type Pauses, RetryingPort } from '../../server/s3/retrying-port.ts'
import { SdkPort } from '../../server/s3/sdk-port.ts'
import { withClockAhead } from '../support/clock.ts'
import { type S3Engine, startS3Engine } from '../support/s3-engine.ts'
import { until } from '../support/wire.ts'
import type { CallKind } from './calls.ts'
import { type Fault, type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { SkippedTime } from './skipped-time.ts'

const SLOW_DOWN: Fault = { kind: 'answer', status: 503, code: 'SlowDown' }
const DENIED: Fault = { kind: 'answer', status: 403, code: 'AccessDenied' }
const NO_KEY: Fault = { kind: 'answer', status: 404, code: 'NoSuchKey' }
const NO_UPLOAD: Fault = { kind: 'answer', status: 404, code: 'NoSuchUpload' }

let engine: S3Engine
let proxy: FaultProxy
let sdk: SdkPort
let direct: SdkPort
let time: SkippedTime
let port: RetryingPort
let calm: (() => void)[] = []
let keys = 0
let key: string

beforeAll(async () => {
  engine = await startS3Engine()
  proxy = await startFaultProxy(engine.location.endpoint)
  sdk = new SdkPort({ ...engine.location, endpoint: proxy.url })
  direct = new SdkPort(engine.location)
})
afterAll(async () => {
  sdk.close()
  direct.close()
  await proxy.close()
  await engine.stop()
})
beforeEach(() => {
  time = new SkippedTime()
  port = new RetryingPort(sdk, time)
  keys += 1
  key = `k${keys}`
  proxy.forget()
})
afterEach(() => {
  for (const undo of calm) undo()
  calm = []
})

/** Lets the next calls fail, each in its way, and those after the last like it if it is meant `always`. */
function disturb(kind: CallKind, faults: readonly Fault[], always = false): void {
  const rules = faults.map((fault, i) => ({ fault, times: always && i === faults.length - 1 ? 1e9 : 1 }))
  calm = rules.map(({ fault, times }) => proxy.disturb({ calls: [kind], fault, times }))
}

async function outcome(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => 'done',
    (error: { outcome: string }) => error.outcome,
  )
}

describe('A call that is sent again', () => {
  it.each<[string, Fault]>([
    ['503', SLOW_DOWN],
    ['500 after applying', { kind: 'answerAfter', status: 500, code: 'InternalError' }],
    ['a reset before', { kind: 'resetBefore' }],
    ['a reset after', { kind: 'resetAfter' }],
    ['a cut body', { kind: 'cutRequest', bytes: 1 }],
    ['a bare 404', { kind: 'answer', status: 404 }],
    ['429', { kind: 'answer', status: 429, code: 'TooManyRequests' }],
    ['409', { kind: 'answer', status: 409, code: 'ConditionalRequestConflict' }],
  ])('succeeds in the end after %s', async (_, fault) => {
    disturb('PutObject', [fault, fault, fault])
    await port.put(key, Buffer.from('body'))
    expect((await direct.get(key)).found?.body.toString()).toBe('body')
    expect(proxy.count('PutObject')).toBe(4)
  })

  it('waits longer from try to try', async () => {
    disturb('PutObject', [SLOW_DOWN], true)
    await outcome(port.put(key, Buffer.from('a')))
    expect(time.slept.slice(0, 7)).toEqual([100, 200, 400, 800, 1_600, 3_000, 3_000])
  })

  it('waits at a time that is left to chance', async () => {
    time.chance = 0
    disturb('PutObject', [SLOW_DOWN, SLOW_DOWN])
    await port.put(key, Buffer.from('a'))
    expect(time.slept).toEqual([50, 100])
  })

  it('begins no try later than 20 s after the first', async () => {
    disturb('GetObject', [SLOW_DOWN], true)
    expect(await outcome(port.get(key))).toBe('unknown')
    expect(time.now()).toBeLessThanOrEqual(20_000)
    expect(time.now()).toBeGreaterThan(15_000)
    expect(proxy.count('GetObject')).toBe(time.slept.length + 1)
  })

  it.each(['AccessDenied', 'NoSuchBucket', 'EntityTooLarge'])('is not one that %s refuses', async (code) => {
    disturb('PutObject', [{ kind: 'answer', status: 400, code }])
    expect(await outcome(port.put(key, Buffer.from('a')))).toBe('refused')
    expect(proxy.count('PutObject')).toBe(1)
  })

  it('is not one that the engine does not know', async () => {
    disturb('CopyObject', [{ kind: 'answer', status: 501, code: 'NotImplemented' }])
    expect(await outcome(port.copy(key, 'b'))).toBe('unknown')
    expect(proxy.count('CopyObject')).toBe(1)
  })

  it('ends when the port is closed', async () => {
    const asleep: Pauses = {
      now: () => 0,
      sleep: (_, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      random: () => 0,
    }
    const own = new RetryingPort(new SdkPort({ ...engine.location, endpoint: proxy.url }), asleep)
    disturb('PutObject', [SLOW_DOWN], true)
    const put = outcome(own.put(key, Buffer.from('a')))
    await until(async () => proxy.count('PutObject') === 1)
    own.close()
    expect(await put).toBe('unknown')
    expect(proxy.count('PutObject')).toBe(1)
  })

  it.each([-20, 20])('works with a clock that is %d minutes off', async (minutes) => {
    await withClockAhead(minutes * 60_000, async () => {
      const own = new RetryingPort(new SdkPort(engine.location), time)
      await own.put(key, Buffer.from('a'), { ifAbsent: true })
      expect(time.slept).toEqual([100])
      own.close()
    })
  })
})

describe('A write of which a try may have been applied', () => {
  const WRITES: Readonly<Partial<Record<CallKind, () => Promise<unknown>>>> = {
    PutObject: () => port.put(key, Buffer.from('a')),
    CopyObject: () => port.copy('source', key),
    DeleteObject: () => port.remove([key]),
    CreateMultipartUpload: () => port.createMultipart(key),
    CompleteMultipartUpload: () => port.complete(key, 'x', ['"y"']),
    AbortMultipartUpload: () => port.abort(key, 'x'),
  }
  const KINDS = Object.keys(WRITES) as CallKind[]

  it.each(KINDS)('stays unknown although the last one is refused: %s', async (kind) => {
    disturb(kind, [SLOW_DOWN, DENIED])
    await expect(WRITES[kind]?.()).rejects.toMatchObject({ outcome: 'unknown', code: 'AccessDenied' })
    expect(proxy.count(kind)).toBe(2)
  })

  it.each(KINDS)('is refused if every one was: %s', async (kind) => {
    disturb(kind, [{ kind: 'answer', status: 429, code: 'TooManyRequests' }, DENIED])
    await expect(WRITES[kind]?.()).rejects.toMatchObject({ outcome: 'refused', code: 'AccessDenied' })
  })

  it('stays unknown although the source of the copy is absent now', async () => {
    disturb('CopyObject', [SLOW_DOWN, NO_KEY])
    expect(await outcome(port.copy('source', key))).toBe('unknown')
  })

  it('exists if it is there, be it of an earlier try', async () => {
    disturb('PutObject', [{ kind: 'resetAfter' }])
    expect(await outcome(port.put(key, Buffer.from('mine'), { ifAbsent: true }))).toBe('exists')
    expect((await direct.get(key)).found?.body.toString()).toBe('mine')
  })

  it('may be a multipart upload that is complete, and absent', async () => {
    disturb('CompleteMultipartUpload', [SLOW_DOWN, NO_UPLOAD])
    expect(await outcome(port.complete(key, 'x', ['"y"']))).toBe('absent')
  })

  it('is no copy of a part, which does not count without its ETag', async () => {
    disturb('UploadPartCopy', [SLOW_DOWN, NO_UPLOAD])
    const part = { key, uploadId: 'x', number: 1, from: 'source', range: { start: 0, end: 1 } }
    expect(await outcome(port.copyPart(part))).toBe('absent')
  })
})

describe('A read that breaks', () => {
  const SIZE = 2 ** 20
  const BYTES = Buffer.from(Array.from({ length: SIZE }, (_, i) => (i * i) % 251))

  async function read(start: number, end: number): Promise<Buffer> {
    const chunks: Buffer[] = []
    for await (const chunk of port.read('large', { start, end })) chunks.push(chunk)
    return Buffer.concat(chunks)
  }

  beforeAll(async () => {
    await direct.put('large', BYTES)
  })

  it('resumes where it broke', async () => {
    disturb('GetObject', [
      { kind: 'cutAnswer', bytes: 100_000 },
      SLOW_DOWN,
      { kind: 'cutAnswer', bytes: 1 },
      { kind: 'resetBefore' },
      { kind: 'cutAnswer', bytes: 300_000 },
    ])
    expect((await read(10, SIZE - 10)).equals(BYTES.subarray(10, SIZE - 10))).toBe(true)
    expect(proxy.count('GetObject')).toBe(6)
  })

  it('goes on as long as bytes come', async () => {
    // Pauses of 15 s.
    time.chance = 299
    disturb(
      'GetObject',
      Array.from({ length: 10 }, (): Fault => ({ kind: 'cutAnswer', bytes: 80_000 })),
    )
    expect((await read(0, SIZE)).equals(BYTES)).toBe(true)
    expect(time.now()).toBeGreaterThan(100_000)
  })

  it('fails if none come for 20 s', async () => {
    disturb('GetObject', [{ kind: 'cutAnswer', bytes: 80_000 }, SLOW_DOWN], true)
    expect(await outcome(read(0, SIZE))).toBe('unknown')
    expect(time.now()).toBeGreaterThan(15_000)
  })

  it('says that the object is absent now', async () => {
    disturb('GetObject', [{ kind: 'cutAnswer', bytes: 80_000 }, NO_KEY])
    expect(await outcome(read(0, SIZE))).toBe('absent')
  })

  it('is not sent again when its reader has stopped', async () => {
    for await (const _ of port.read('large', { start: 0, end: SIZE })) break
    expect(proxy.count('GetObject')).toBe(1)
    expect(time.slept).toEqual([])
  })
})
