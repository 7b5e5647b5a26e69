import { setImmediate as immediate } from 'node:timers/promises'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Outcome } from '../../server/s3/s3-error.ts'
import { SdkPort } from '../../server/s3/sdk-port.ts'
import { withClockAhead } from '../support/clock.ts'
import { type S3Engine, startS3Engine } from '../support/s3-engine.ts'
import { until } from '../support/wire.ts'
import type { CallKind } from './calls.ts'
import { type Fault, type FaultProxy, startFaultProxy } from './fault-proxy.ts'

const MEBIBYTE = 2 ** 20

let engine: S3Engine
let proxy: FaultProxy
let port: SdkPort
/** Past the proxy. */
let direct: SdkPort

beforeAll(async () => {
  engine = await startS3Engine()
  proxy = await startFaultProxy(engine.location.endpoint)
  port = new SdkPort({ ...engine.location, endpoint: proxy.url })
  direct = new SdkPort(engine.location)
  await direct.put('source', Buffer.alloc(100, 's'))
  await direct.put('large', Buffer.alloc(4 * MEBIBYTE, 'l'))
})
afterAll(async () => {
  port.close()
  direct.close()
  await proxy.close()
  await engine.stop()
})

let calm = (): void => undefined
afterEach(() => calm())

function disturb(calls: readonly CallKind[], fault: Fault, times?: number): void {
  calm = proxy.disturb({ calls, fault, ...(times === undefined ? {} : { times }) })
}

/** One call of each kind, which succeeds. */
const CALLS: Readonly<Record<string, () => Promise<unknown>>> = {
  PutObject: () => port.put('a', Buffer.from('a')),
  GetObject: () => port.get('source'),
  HeadObject: () => port.head('source'),
  ListObjectsV2: () => port.list(''),
  DeleteObject: () => port.remove(['none']),
  DeleteObjects: () => port.remove(['none', 'none2']),
  CopyObject: () => port.copy('source', 'b'),
  CreateMultipartUpload: () => port.createMultipart('c'),
  UploadPartCopy: async () => {
    const uploadId = await direct.createMultipart('d')
    return port.copyPart({ key: 'd', uploadId, number: 1, from: 'source', range: { start: 0, end: 10 } })
  },
  CompleteMultipartUpload: async () => {
    const uploadId = await direct.createMultipart('d')
    const part = { key: 'd', uploadId, number: 1, from: 'source', range: { start: 0, end: 10 } }
    return port.complete('d', uploadId, [await direct.copyPart(part)])
  },
  AbortMultipartUpload: async () => port.abort('d', await direct.createMultipart('d')),
}

async function outcomeOf(call: () => Promise<unknown>): Promise<Outcome | undefined> {
  const error = await call().then(
    () => undefined,
    (failure: { outcome: Outcome }) => failure,
  )
  return error?.outcome
}

const ALL: readonly CallKind[] = [
  ...(['AbortMultipartUpload', 'CompleteMultipartUpload', 'CopyObject', 'CreateMultipartUpload'] as const),
  ...(['DeleteObject', 'DeleteObjects', 'GetObject', 'HeadObject', 'ListObjectsV2', 'PutObject'] as const),
  'UploadPartCopy',
]

const FAULTS: readonly [string, Fault, Outcome][] = [
  ['503 SlowDown', { kind: 'answer', status: 503, code: 'SlowDown' }, 'unknown'],
  ['500 after applying', { kind: 'answerAfter', status: 500, code: 'InternalError' }, 'unknown'],
  ['a bare 503', { kind: 'answer', status: 503 }, 'unknown'],
  ['a bare 400', { kind: 'answer', status: 400 }, 'unknown'],
  ['a bare 403', { kind: 'answer', status: 403 }, 'unknown'],
  ['408', { kind: 'answer', status: 408, code: 'RequestTimeout' }, 'unknown'],
  ['400 RequestTimeout', { kind: 'answer', status: 400, code: 'RequestTimeout' }, 'unknown'],
  ['499', { kind: 'answer', status: 499, code: 'ClientClosedRequest' }, 'unknown'],
  ['403 AccessDenied', { kind: 'answer', status: 403, code: 'AccessDenied' }, 'refused'],
  ['429', { kind: 'answer', status: 429, code: 'TooManyRequests' }, 'refused'],
  ['404 NoSuchBucket', { kind: 'answer', status: 404, code: 'NoSuchBucket' }, 'refused'],
  ['409', { kind: 'answer', status: 409, code: 'ConditionalRequestConflict' }, 'refused'],
  ['a reset before the call', { kind: 'resetBefore' }, 'unknown'],
  ['a reset after the call', { kind: 'resetAfter' }, 'unknown'],
  ['302', { kind: 'answer', status: 302, code: 'Found' }, 'unknown'],
]

describe('The port over the SDK', () => {
  it.each(FAULTS)('knows what %s says of a call', async (_, fault, outcome) => {
    disturb(ALL, fault)
    for (const [name, call] of Object.entries(CALLS)) {
      // It has no body, and so no code.
      if (name === 'HeadObject' && fault.kind === 'answer') continue
      expect([name, await outcomeOf(call)]).toEqual([name, outcome])
    }
  })

  it('does not take a bare 404 for an absent object', async () => {
    disturb(ALL, { kind: 'answer', status: 404 })
    for (const [name, call] of Object.entries(CALLS)) {
      if (name === 'HeadObject') continue
      expect([name, await outcomeOf(call)]).toEqual([name, 'unknown'])
    }
    const reading = port.read('source', { start: 0, end: 1 })
    await expect(reading[Symbol.asyncIterator]().next()).rejects.toMatchObject({ outcome: 'unknown' })
  })

  it('does not take the page of a proxy for an answer', async () => {
    disturb(ALL, { kind: 'answer', status: 200 })
    const unharmed = ['DeleteObject', 'DeleteObjects', 'AbortMultipartUpload']
    for (const [name, call] of Object.entries(CALLS))
      if (!unharmed.includes(name)) expect([name, await outcomeOf(call)]).toEqual([name, 'unknown'])
  })

  it('does not take an answer without a date', async () => {
    const withoutDate = (headers: object): object =>
      Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'date'))
    disturb(ALL, { kind: 'change', to: (reply) => ({ ...reply, headers: { ...withoutDate(reply.headers) } }) })
    for (const name of ['PutObject', 'GetObject', 'ListObjectsV2'])
      expect([name, await outcomeOf(CALLS[name] ?? fail)]).toEqual([name, 'unknown'])
    expect(await outcomeOf(() => port.get('none'))).toBe('unknown')
  })

  it('takes an error in a 200 for an error', async () => {
    disturb(ALL, { kind: 'answer', status: 200, code: 'InternalError' })
    for (const name of ['CopyObject', 'UploadPartCopy', 'CompleteMultipartUpload'])
      expect([name, await outcomeOf(CALLS[name] ?? fail)]).toEqual([name, 'unknown'])
  })

  it('reports keys that DeleteObjects could not delete', async () => {
    const body = '<DeleteResult><Error><Key>none</Key><Code>AccessDenied</Code></Error></DeleteResult>'
    disturb(['DeleteObjects'], { kind: 'change', to: ({ headers }) => ({ status: 200, headers, body }) })
    await expect(CALLS['DeleteObjects']?.()).rejects.toMatchObject({ outcome: 'unknown', code: 'AccessDenied' })
  })

  it('deletes objects one by one where there is no DeleteObjects', async () => {
    const own = new SdkPort({ ...engine.location, endpoint: proxy.url })
    disturb(['DeleteObjects'], { kind: 'answer', status: 501, code: 'NotImplemented' })
    const keys = Array.from({ length: 40 }, (_, i) => `delete/${i}`)
    for (const key of keys) await direct.put(key, Buffer.alloc(0))
    proxy.forget()
    await own.remove(keys.slice(0, 20))
    await own.remove(keys.slice(20))
    expect((await direct.list('delete/')).objects).toEqual([])
    expect([proxy.count('DeleteObjects'), proxy.count('DeleteObject')]).toEqual([1, 40])
    own.close()
  })

  it('makes one request per call', async () => {
    disturb(ALL, { kind: 'answer', status: 503, code: 'SlowDown' })
    for (const [name, call] of Object.entries(CALLS)) {
      proxy.forget()
      await outcomeOf(call)
      expect([name, ALL.map((kind) => proxy.count(kind)).reduce((sum, count) => sum + count)]).toEqual([name, 1])
    }
  })

  it('sends a checksum that the engine verifies, of small and large bodies', async () => {
    for (const size of [10, 4 * MEBIBYTE]) {
      disturb(['PutObject'], { kind: 'cutRequest', bytes: size / 2 })
      expect(await outcomeOf(() => port.put('cut', Buffer.alloc(size, 'x')))).toBe('unknown')
      calm()
      expect((await direct.head('cut')).found).toBeUndefined()
    }
  })

  it('sends large bodies one after the other by one connection', async () => {
    const own = new SdkPort({ ...engine.location, endpoint: proxy.url })
    await own.put('b', Buffer.alloc(8 * MEBIBYTE))
    proxy.forget()
    await own.put('b', Buffer.alloc(8 * MEBIBYTE))
    expect(proxy.opened).toBe(0)
    own.close()
  })

  it('names neither credentials nor signatures in errors', async () => {
    const credentials = { accessKeyId: engine.location.credentials.accessKeyId, secretAccessKey: 'wrong-secret' }
    const own = new SdkPort({ ...engine.location, credentials })
    const error: unknown = await own.put('a', Buffer.from('a')).catch((failure: unknown) => failure)
    expect(error).toMatchObject({ outcome: 'refused', code: 'SignatureDoesNotMatch' })
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/wrong-secret|AWS4-HMAC|Credential=/)
    own.close()
  })

  it('finds a missing bucket out, and does not call its objects absent', async () => {
    const own = new SdkPort({ ...engine.location, bucket: 'missing' })
    await expect(own.get('a')).rejects.toMatchObject({ outcome: 'refused', code: 'NoSuchBucket' })
    await expect(own.put('a', Buffer.from('a'))).rejects.toMatchObject({ outcome: 'refused', code: 'NoSuchBucket' })
    own.close()
  })

  it.each([-20, 20])('works with a clock that is %d minutes off after the first refusal', async (minutes) => {
    await withClockAhead(minutes * 60_000, async () => {
      const own = new SdkPort(engine.location)
      await expect(own.put('skewed', Buffer.from('a'))).rejects.toMatchObject({
        outcome: 'refused',
        code: 'RequestTimeTooSkewed',
      })
      const { date } = await own.put('skewed', Buffer.from('a'))
      expect(Math.abs(Date.now() - minutes * 60_000 - date)).toBeLessThan(60_000)
      own.close()
    })
  })
})

describe('A read over the SDK', () => {
  it('fails if the answer breaks off', async () => {
    disturb(['GetObject'], { kind: 'cutAnswer', bytes: 100_000 })
    const read = async (): Promise<void> => {
      for await (const _ of port.read('large', { start: 0, end: 4 * MEBIBYTE }));
    }
    expect(await outcomeOf(read)).toBe('unknown')
  })

  it('leaves no connection open when its reader stops', async () => {
    const own = new SdkPort({ ...engine.location, endpoint: proxy.url })
    const before = proxy.connections
    for (let i = 0; i < 5; i += 1) {
      for await (const bytes of own.read('large', { start: 0, end: 4 * MEBIBYTE })) {
        expect(bytes.length).toBeGreaterThan(0)
        break
      }
    }
    await until(async () => proxy.connections === before)
    own.close()
  })

  it('reuses its connection when it was read to the end', async () => {
    const own = new SdkPort({ ...engine.location, endpoint: proxy.url })
    const before = proxy.connections
    for (let i = 0; i < 5; i += 1) for await (const _ of own.read('source', { start: 0, end: 100 }));
    expect(proxy.connections).toBe(before + 1)
    own.close()
    await until(async () => proxy.connections === before)
  })

  it('does not keep other calls waiting, however many readers are slow', async () => {
    const readers = Array.from({ length: 300 }, () => direct.read('large', { start: 0, end: MEBIBYTE / 2 }))
    await Promise.all(readers.map((reader) => reader.next()))
    expect((await direct.get('source')).found?.body).toHaveLength(100)
    await Promise.all(readers.map((reader) => reader.return(undefined)))
  })
})

describe('A try over the SDK', () => {
  const SILENT: readonly [string, Fault][] = [
    ['no answer comes', { kind: 'silence' }],
    ['an answer stops', { kind: 'stallAnswer', bytes: 10 }],
  ]
  it.each(SILENT)('ends after its time if %s', async (_, fault) => {
    disturb(ALL, fault)
    proxy.forget()
    jest.useFakeTimers({ doNotFake: REAL })
    try {
      const read = async (): Promise<void> => {
        for await (const _ of port.read('large', { start: 0, end: 4 * MEBIBYTE }));
      }
      const calls = [...['GetObject', 'ListObjectsV2'].map((name) => outcomeOf(CALLS[name] ?? fail)), outcomeOf(read)]
      while (proxy.count('ListObjectsV2') < 1 || proxy.count('GetObject') < 2) await immediate()
      let ended = false
      const outcomes = Promise.all(calls).finally(() => {
        ended = true
      })
      while (!ended) {
        await jest.advanceTimersByTimeAsync(1_000)
        await immediate()
      }
      expect(await outcomes).toEqual(['unknown', 'unknown', 'unknown'])
    } finally {
      jest.useRealTimers()
    }
  })
})

/** Everything but `setTimeout`. */
const REAL = [
  ...(['Date', 'hrtime', 'nextTick', 'performance', 'queueMicrotask', 'setImmediate', 'clearImmediate'] as const),
  ...(['setInterval', 'clearInterval'] as const),
]

function fail(): never {
  throw new Error('There is no such call.')
}
