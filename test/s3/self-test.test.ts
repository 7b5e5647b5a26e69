import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { RetryingPort } from '../../server/s3/retrying-port.ts'
import { SdkPort } from '../../server/s3/sdk-port.ts'
import { SdkProbe } from '../../server/s3/sdk-probe.ts'
import { checkSettings, type Finding, selfTest } from '../../server/s3/self-test.ts'
import { type EngineLocation, type S3Engine, startS3Engine } from '../support/s3-engine.ts'
import type { CallKind } from './calls.ts'
import { type FaultProxy, type Reply, startFaultProxy } from './fault-proxy.ts'
import { SkippedTime } from './skipped-time.ts'

let engine: S3Engine
let proxy: FaultProxy
let calm: (() => void)[] = []

beforeAll(async () => {
  engine = await startS3Engine()
  proxy = await startFaultProxy(engine.location.endpoint)
})
afterEach(() => {
  for (const undo of calm) undo()
  calm = []
})
afterAll(async () => {
  await proxy.close()
  await engine.stop()
})

/** Tests the bucket through the proxy. */
async function test(location: Partial<EngineLocation> = {}): Promise<readonly Finding[]> {
  const tested = { ...engine.location, endpoint: proxy.url, ...location }
  const port = new RetryingPort(new SdkPort(tested), new SkippedTime())
  const probe = new SdkProbe(tested)
  try {
    return await selfTest(port, probe, '.landfall/', 'files/')
  } finally {
    port.close()
    probe.close()
  }
}

/** Makes a bad engine: its answers to some calls are others. */
function spoil(calls: readonly CallKind[], key: RegExp, to: (reply: Reply) => Reply): void {
  calm.push(proxy.disturb({ calls, key, fault: { kind: 'change', to } }))
}

/** Turns the answers of a status into a success. */
function accept(status: number): (reply: Reply) => Reply {
  return (reply) =>
    reply.status === status ? { status: 200, headers: { ...dateOf(reply), etag: '"x"' }, body: '' } : reply
}

function withBody(body: string): (reply: Reply) => Reply {
  return (reply) => ({ status: 200, headers: dateOf(reply), body })
}

function dateOf({ headers }: Reply): { date: string } {
  return { date: headers.date ?? '' }
}

const VERSIONED = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>'

function lifecycle(...rules: readonly string[]): string {
  const all = rules.map((rule) => `<Rule><Status>Enabled</Status>${rule}</Rule>`)
  return `<LifecycleConfiguration>${all.join('')}</LifecycleConfiguration>`
}

const CLEARS = '<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>'
const EXPIRES = '<Expiration><Days>30</Days></Expiration>'

/** Close to the clock of the engine: the SDK corrects its own by it. */
const NOW = new Date().toUTCString()

const LARGE = `<Filter><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan></Filter>${CLEARS}`

describe('The self-test', () => {
  it('finds nothing wrong with a good engine, and leaves nothing there', async () => {
    expect((await test()).filter(({ isFatal }) => isFatal)).toEqual([])
    const port = new SdkPort(engine.location)
    expect((await port.list('')).objects).toEqual([])
    port.close()
  })

  it.each<[string, RegExp, readonly CallKind[], RegExp, (reply: Reply) => Reply]>([
    ['ignores conditions', /Several writers/, ['PutObject'], /rivals-3/, accept(412)],
    ['lists late', /strongly consistent/, ['ListObjectsV2'], /^/, withBody('<R><IsTruncated>false</IsTruncated></R>')],
    ['answers 404 without a code', /404/, ['GetObject'], /^/, (reply) => ({ ...reply, ...bare(reply) })],
    ['has a clock that stands', /does not advance/, ['GetObject', 'ListObjectsV2'], /^/, stopped],
    ['ignores checksums', /wrong checksum/, ['PutObject'], /wrong/, accept(400)],
    ['publishes what was cut', /broke off/, ['HeadObject'], /cut/, published],
    ['composes other bytes', /other bytes/, ['GetObject'], /composed/, (reply) => ({ ...reply, body: junk(reply) })],
    ['fails to compose', /not be completed.*InvalidPart/, ['CompleteMultipartUpload'], /^/, invalidPart],
    ['lacks copies of parts', /not be completed.*NotImplemented/, ['UploadPartCopy'], /^/, notImplemented],
  ])('warns of an engine that %s', async (_, sentence, calls, key, to) => {
    spoil(calls, key, to)
    const findings = await test()
    expect(findings).toEqual([{ isFatal: true, sentence: expect.stringMatching(sentence) }])
  })

  it('repeats calls that S3 has no time for', async () => {
    const fault = { kind: 'answer', status: 503, code: 'SlowDown' } as const
    calm.push(proxy.disturb({ calls: ['PutObject'], key: /wrong/, times: 2, fault }))
    expect((await test()).filter(({ isFatal }) => isFatal)).toEqual([])
  })

  it('warns of a bucket that keeps what is deleted', async () => {
    const fault = { kind: 'answer', status: 204 } as const
    calm.push(proxy.disturb({ calls: ['DeleteObject'], fault }))
    expect(await test()).toEqual([{ isFatal: true, sentence: expect.stringMatching(/still there/) }])
  })

  it('says so if the bucket does not exist, or the credentials are wrong', async () => {
    const wrong = { ...engine.location.credentials, secretAccessKey: 'wrong-secret' }
    const findings = [...(await test({ bucket: 'missing' })), ...(await test({ credentials: wrong }))]
    expect(findings).toEqual([
      { isFatal: true, sentence: expect.stringMatching(/NoSuchBucket/) },
      { isFatal: true, sentence: expect.stringMatching(/SignatureDoesNotMatch/) },
    ])
  })

  it('warns if the settings of the bucket cannot be read', async () => {
    const fault = { kind: 'answer', status: 403, code: 'AccessDenied' } as const
    calm.push(proxy.disturb({ calls: ['GetBucketVersioning', 'GetBucketLifecycleConfiguration'], fault }))
    expect(await test()).toEqual([{ isFatal: false, sentence: expect.stringMatching(/could not be read/) }])
  })

  it.each<[string, string, string, readonly Finding[]]>([
    ['no versions', '<VersioningConfiguration/>', lifecycle(), []],
    ['versions that expire', VERSIONED, lifecycle(CLEARS), []],
    ['versions that expire by prefix', VERSIONED, lifecycle(below('.landfall/', CLEARS), below('files/', CLEARS)), []],
    ['versions of files that stay', VERSIONED, lifecycle(below('.landfall/', CLEARS)), [staying('"files/"')]],
    ['versions that stay', VERSIONED, lifecycle(), [staying('".landfall/" and "files/"')]],
    ['versions that expire if they are large', VERSIONED, lifecycle(LARGE), [staying('".landfall/" and "files/"')]],
    ['objects that expire', '<VersioningConfiguration/>', lifecycle(EXPIRES), [expiring()]],
    ['uploads that expire', '<VersioningConfiguration/>', lifecycle(below('.land', EXPIRES)), [expiring()]],
    ['files that expire', '<VersioningConfiguration/>', lifecycle(below('files/', EXPIRES)), []],
  ])('knows what to say of a bucket with %s', async (_, versioning, rules, findings) => {
    spoil(['GetBucketVersioning'], /^/, withBody(versioning))
    spoil(['GetBucketLifecycleConfiguration'], /^/, withBody(rules))
    const probe = new SdkProbe({ ...engine.location, endpoint: proxy.url })
    expect(await checkSettings(probe, '.landfall/', 'files/')).toEqual(findings)
    probe.close()
  })
})

function below(prefix: string, rest: string): string {
  return `<Filter><Prefix>${prefix}</Prefix></Filter>${rest}`
}

function staying(places: string): Finding {
  const sentence = `The bucket keeps versions: a lifecycle rule must expire noncurrent ones below ${places}.`
  return { isFatal: true, sentence }
}

function expiring(): Finding {
  return { isFatal: false, sentence: 'A lifecycle rule expires objects below ".landfall/": uploads would be lost.' }
}

function bare(reply: Reply): Partial<Reply> {
  return reply.status === 404 ? { headers: dateOf(reply), body: 'Not found' } : {}
}

function stopped(reply: Reply): Reply {
  return { ...reply, headers: { ...reply.headers, date: NOW } }
}

function published(reply: Reply): Reply {
  const headers = { ...dateOf(reply), 'content-length': '5', 'last-modified': reply.headers.date }
  return { status: 200, headers }
}

/** As many bytes as the answer has. */
function junk({ headers }: Reply): string {
  return 'x'.repeat(Number(headers['content-length']))
}

function invalidPart(reply: Reply): Reply {
  return { status: 400, headers: dateOf(reply), body: '<Error><Code>InvalidPart</Code></Error>' }
}

function notImplemented(reply: Reply): Reply {
  return { status: 501, headers: dateOf(reply), body: '<Error><Code>NotImplemented</Code></Error>' }
}
