/** What clients see before and after a move. */
import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { engineSettings } from '../support/engine-settings.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { startReceiver } from '../support/receiver.ts'
import { type S3Engine, startS3Engine } from '../support/s3-engine.ts'
import { startServiceOn, type TestService } from '../support/service.ts'
import { create, createUpload, head, idOf, locationOf, offsetOf, patch, TUS } from '../support/tus.ts'
import { cut, sendChunk } from '../support/webuploader.ts'
import { runMove } from './support.ts'

const MIB = 2 ** 20
const LARGE = randomBytes(20 * MIB)
const PAGE = cut(randomBytes(4_000), 1_000, { name: 'page.bin' })

let engine: S3Engine
let folder: TemporaryFolder
let dataDir: string
beforeAll(async () => {
  engine = await startS3Engine()
})
afterAll(() => engine.stop())
beforeEach(async () => {
  folder = await temporaryFolder()
  dataDir = path.join(folder.path, 'data')
})
afterEach(() => folder.dispose())

/** Paths of uploads in each state. */
interface Sample {
  readonly small: string
  readonly large: string
  readonly begun: string
  readonly beyond: string
  readonly untouched: string
  readonly deferred: string
  readonly parts: readonly string[]
  readonly final: string
  readonly openPart: string
  readonly deleted: string
}

async function makeSample(service: TestService): Promise<Sample> {
  const { url } = service
  const make = async (content: Buffer<ArrayBuffer>, length: number): Promise<string> => {
    const made = await createUpload(url, length, { filename: 'Übung 1.txt', note: 'kept' })
    if (content.length > 0) expect((await patch(made, 0, content)).status).toBe(204)
    return new URL(made).pathname
  }
  const part = async (content: string): Promise<string> => {
    const made = locationOf(
      await create(url, { 'Upload-Concat': 'partial', 'Upload-Length': `${content.length}` }),
      url,
    )
    await patch(made, 0, Buffer.from(content))
    return new URL(made).pathname
  }
  const deleted = await make(Buffer.from('he'), 5)
  await fetch(url + deleted, { method: 'DELETE', headers: TUS })
  const parts = [await part('hello '), await part('world')]
  const final = locationOf(await create(url, { 'Upload-Concat': `final;${parts.join(' ')}` }), url)
  const deferred = locationOf(await create(url, { 'Upload-Defer-Length': '1' }), url)
  await patch(deferred, 0, Buffer.from('abc'))
  await sendChunk(url, PAGE.fields(0), PAGE.bytes(0))
  await sendChunk(url, PAGE.fields(2), PAGE.bytes(2))
  return {
    small: await make(Buffer.from('hello'), 5),
    large: await make(LARGE, LARGE.length),
    begun: await make(Buffer.from('hel'), 5),
    beyond: await make(LARGE.subarray(0, 9 * MIB), LARGE.length),
    untouched: await make(Buffer.alloc(0), 5),
    deferred: new URL(deferred).pathname,
    parts,
    final: new URL(final).pathname,
    openPart: await part('open'),
    deleted,
  }
}

/** What clients see of a sample, without what depends on the host. */
async function seen(service: TestService, sample: Sample): Promise<readonly unknown[]> {
  return Promise.all(
    Object.values(sample)
      .flat()
      .map(async (place: string) => {
        const state = await head(service.url + place)
        const file = await fetch(service.url + place)
        const content = file.status === 200 ? Buffer.from(await file.arrayBuffer()).toString('base64') : undefined
        const names = ['Upload-Offset', 'Upload-Length', 'Upload-Defer-Length', 'Upload-Metadata', 'Upload-Concat']
        const headers = names.map((name) => state.headers.get(name))
        const download = ['ETag', 'Last-Modified', 'Content-Disposition'].map((name) => file.headers.get(name))
        return [place, state.status, headers, file.status, download, content]
      }),
  )
}

async function finishSample({ url }: TestService, sample: Sample): Promise<void> {
  expect((await patch(url + sample.begun, 3, Buffer.from('lo'))).status).toBe(204)
  expect((await patch(url + sample.untouched, 0, Buffer.from('hello'))).status).toBe(204)
  expect((await patch(url + sample.beyond, 9 * MIB, LARGE.subarray(9 * MIB))).status).toBe(204)
  for (const place of [sample.begun, sample.untouched]) {
    expect(await (await fetch(url + place)).text()).toBe('hello')
  }
  expect(Buffer.from(await (await fetch(url + sample.beyond)).arrayBuffer()).equals(LARGE)).toBe(true)
  await sendChunk(url, PAGE.fields(1), PAGE.bytes(1))
  const last = await sendChunk(url, PAGE.fields(3), PAGE.bytes(3))
  const { id, finished } = z.object({ id: z.string(), finished: z.boolean() }).parse(await last.json())
  expect(finished).toBe(true)
  expect(Buffer.from(await (await fetch(`${url}/files/${id}`)).arrayBuffer()).equals(PAGE.content)).toBe(true)
}

async function bucketSettings(prefix: string): Promise<Readonly<Record<string, string>>> {
  const secret = (await readFile(path.join(dataDir, 'secret'), 'utf8')).trim()
  const places = { S3_PREFIX: `${prefix}/.landfall/`, S3_KEY: `${prefix}/files/{id}/{name}` }
  return { ...engineSettings(engine.location), ...places, SECRET: secret, DATA_DIR: dataDir }
}

describe('landfall move', () => {
  it('brings finished and unfinished uploads and tombstones into a bucket, where clients resume, and back', async () => {
    let service = await startServiceOn(dataDir)
    const sample = await makeSample(service)
    const before = await seen(service, sample)
    await service.close()
    const settings = await bucketSettings('there-and-back')
    const sums = 'Moved: 3 finished, 8 unfinished, 1 tombstones. Already there: 0. Not moved: 0.'
    const there = await runMove(settings, 'to-s3', '--verify')
    expect(there.lines.slice(-2)).toEqual([sums, 'Start the service with STORE=s3.'])
    expect(there.code).toBe(0)

    service = await startServiceOn(dataDir, settings)
    expect(await seen(service, sample)).toEqual(before)
    await service.close()

    dataDir = path.join(folder.path, 'other')
    const back = await runMove({ ...settings, DATA_DIR: dataDir }, 'to-disk', '--verify')
    expect(back.lines.slice(-2)).toEqual([sums, 'Start the service with STORE=disk.'])
    service = await startServiceOn(dataDir, { SECRET: settings['SECRET'] ?? '' })
    expect(await seen(service, sample)).toEqual(before)
    await finishSample(service, sample)
    await service.close()

    dataDir = path.join(folder.path, 'data')
    service = await startServiceOn(dataDir, settings)
    await finishSample(service, sample)
    await service.close()
    // An upload that another process has opened just now waits until that has been silent for 10 s.
  }, 90_000)

  it('can run again, and leaves alone what clients have changed since', async () => {
    let service = await startServiceOn(dataDir)
    const sample = await makeSample(service)
    await service.close()
    const settings = await bucketSettings('again')
    await runMove(settings, 'to-s3')
    const again = await runMove(settings, 'to-s3', '--verify')
    expect(again.lines[0]).toBe('Moved: 0 finished, 0 unfinished, 0 tombstones. Already there: 12. Not moved: 0.')
    service = await startServiceOn(dataDir, settings)
    await finishSample(service, sample)
    await fetch(service.url + sample.small, { method: 'DELETE', headers: TUS })
    await service.close()
    expect((await runMove(settings, 'to-s3', '--verify')).lines[0]).toBe(again.lines[0])
    service = await startServiceOn(dataDir, settings)
    expect((await fetch(service.url + sample.small)).status).toBe(410)
    await service.close()
  })

  it('says so if an upload has changed at the source since it was moved', async () => {
    let service = await startServiceOn(dataDir)
    const url = await createUpload(service.url, 5)
    await patch(url, 0, Buffer.from('he'))
    const id = idOf(url)
    await service.close()
    const settings = await bucketSettings('changed')
    await runMove(settings, 'to-s3')
    service = await startServiceOn(dataDir)
    await patch(`${service.url}/files/${id}`, 2, Buffer.from('l'))
    await service.close()
    const again = await runMove(settings, 'to-s3', '--remove-source')
    expect([again.code, again.lines[0]]).toEqual([1, `${id}: At the target, some of its bytes are missing. Not moved.`])
    service = await startServiceOn(dataDir)
    expect(await offsetOf(`${service.url}/files/${id}`)).toBe(3)
    await service.close()
  })

  it('says with --dry-run what it would do, and changes nothing', async () => {
    const service = await startServiceOn(dataDir)
    await makeSample(service)
    await service.close()
    const settings = await bucketSettings('dry')
    const before = (await readdir(dataDir, { recursive: true })).sort()
    const lines = ['Would move: 3 finished, 8 unfinished, 1 tombstones. Already there: 0. Not moved: 0.']
    expect((await runMove(settings, 'to-s3', '--dry-run', '--remove-source')).lines).toEqual(lines)
    expect((await readdir(dataDir, { recursive: true })).sort()).toEqual(before)
    const other = { ...settings, DATA_DIR: path.join(folder.path, 'other') }
    const nothing = 'Would move: 0 finished, 0 unfinished, 0 tombstones. Already there: 0. Not moved: 0.'
    expect((await runMove(other, 'to-disk', '--dry-run')).lines).toEqual([nothing])
    await runMove(settings, 'to-s3')
    expect((await runMove(other, 'to-disk', '--dry-run')).lines).toEqual(lines)
    expect(await readdir(folder.path)).toEqual(['data'])
  })

  it('removes the source with --remove-source, in both directions', async () => {
    let service = await startServiceOn(dataDir)
    const sample = await makeSample(service)
    const before = await seen(service, sample)
    await service.close()
    const settings = await bucketSettings('removed')
    await runMove(settings, 'to-s3', '--remove-source')
    for (const place of ['records', 'incoming', 'files', 'journals', 'gone', 'leaving'])
      expect(await readdir(path.join(dataDir, place))).toEqual([])
    await runMove(settings, 'to-disk', '--remove-source')
    const empty = 'Would move: 0 finished, 0 unfinished, 0 tombstones. Already there: 0. Not moved: 0.'
    expect((await runMove(settings, 'to-disk', '--dry-run')).lines).toEqual([empty])
    service = await startServiceOn(dataDir)
    expect(await seen(service, sample)).toEqual(before)
    await service.close()
  })

  it('refuses another secret than that of the directory', async () => {
    await (await startServiceOn(dataDir)).close()
    const settings = { ...(await bucketSettings('secret')), SECRET: 'another secret of many characters' }
    await expect(runMove(settings, 'to-s3')).rejects.toThrow(/^SECRET differs from the first line of .*secret, from/)
    const { SECRET: _, ...without } = settings
    await expect(runMove(without, 'to-s3')).rejects.toThrow(/^STORE=s3 needs SECRET\.$/)
  })

  it('refuses while webhooks wait to be delivered', async () => {
    const receiver = await startReceiver()
    receiver.answer((response) => void response.writeHead(503).end())
    const service = await startServiceOn(dataDir, receiver.settings)
    await patch(await createUpload(service.url, 5), 0, Buffer.from('hello'))
    await receiver.count(1)
    await service.close()
    await receiver.close()
    const settings = await bucketSettings('webhooks')
    for (const more of [receiver.settings, {}]) {
      await expect(runMove({ ...settings, ...more }, 'to-s3')).rejects.toThrow(/^Undelivered events in .*outbox: 1\./)
    }
  })

  it('refuses a directory that a service uses', async () => {
    const service = await startServiceOn(dataDir)
    const settings = await bucketSettings('used')
    for (const flags of [[], ['--dry-run']]) {
      await expect(runMove(settings, 'to-s3', ...flags)).rejects.toThrow(/in use|another process/i)
    }
    await service.close()
  })

  it.each([[['sideways']], [['to-s3', 'to-disk']]])('refuses %j', async (args) => {
    await expect(runMove({}, ...args)).rejects.toThrow(/is no direction: choose to-s3 or to-disk\.$/)
  })
})
