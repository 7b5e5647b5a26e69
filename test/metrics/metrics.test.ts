import os from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Registry } from 'prom-client'
import { createLandfall } from '../../server/landfall.ts'
import { bytesOf } from '../support/bytes.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type MeasuredService, parseSeries, startMeasured, valueIn } from '../support/metrics.ts'
import { beginPatch, create, createUpload, head, idOf, locationOf, PATCH_HEADERS, patch, TUS } from '../support/tus.ts'
import { cut, sendChunk } from '../support/webuploader.ts'
import { codedPiece, connect, requestHead, until } from '../support/wire.ts'

let service: MeasuredService
beforeAll(async () => {
  service = await startMeasured({ MAX_UPLOADS: '1', NODE_NAME: 'node-7' })
})
afterAll(() => service.close())

/** Runs `work`. @returns by how much a value has grown afterwards, as soon as it has grown by `least`. */
async function growth(
  name: string,
  labels: Readonly<Record<string, string>>,
  work: () => Promise<unknown>,
  least = 1,
): Promise<number> {
  const before = await service.value(name, labels)
  await work()
  let after = before
  await until(async () => {
    after = await service.value(name, labels)
    return after - before >= least
  })
  return after - before
}

/** An upload of 10 bytes, in two requests. @returns its URL. */
async function uploadInTwo(): Promise<string> {
  const url = await createUpload(service.url, 10)
  await patch(url, 0, bytesOf(4))
  await patch(url, 4, bytesOf(10).subarray(4))
  return url
}

describe('Metrics', () => {
  it('count requests by protocol, method, and status, and as tusd does', async () => {
    const url = await createUpload(service.url, 5)
    const labels = { protocol: 'tus', method: 'HEAD', status: '200' }
    expect(await growth('landfall_requests_total', labels, () => head(url))).toBe(1)
    expect(await growth('tusd_requests_total', { method: 'HEAD' }, () => head(url))).toBe(1)
  })

  it('count errors by their code', async () => {
    const unknown = `${service.url}/files/unknown`
    expect(await growth('landfall_errors_total', { code: 'not_found' }, () => head(unknown))).toBe(1)
    expect(await growth('tusd_errors_total', { code: 'not_found', status: '404' }, () => head(unknown))).toBe(1)
  })

  it('count requests that are not valid HTTP like others, with labels of fixed sets', async () => {
    const send = async (...bytes: string[]): Promise<void> => {
      const wire = await connect(service.url)
      await wire.send(...bytes)
      await wire.closed
    }
    const refused = { status: '400', protocol: 'none' }
    const badLine = (): Promise<void> => send('nonsense\r\n\r\n')
    expect(await growth('landfall_requests_total', { ...refused, method: 'other' }, badLine)).toBe(1)
    expect(await growth('landfall_errors_total', { code: 'bad_request' }, badLine)).toBe(1)
    const unknown = (): Promise<void> => send('INVENT /files HTTP/1.1\r\nHost: x\r\nbad\r\n\r\n')
    expect(await growth('landfall_requests_total', { ...refused, method: 'other' }, unknown)).toBe(1)
    const tus = (): Promise<void> => send('HEAD /files/0 HTTP/1.1\r\nTus-Resumable: 1.0.0\r\nbad\r\n\r\n')
    expect(await growth('landfall_requests_total', { status: '400', protocol: 'tus', method: 'HEAD' }, tus)).toBe(1)
    const tooLong = (): Promise<void> => send(`GET /check HTTP/1.1\r\nHost: x\r\nCookie: ${'x'.repeat(300_000)}`)
    expect(await growth('tusd_errors_total', { status: '431', code: 'header_too_large' }, tooLong)).toBe(1)
    const proxied = (): Promise<void> => send('CONNECT up.example:443 HTTP/1.1\r\nHost: up.example\r\n\r\n')
    expect(await growth('landfall_requests_total', { status: '405', method: 'other' }, proxied)).toBe(1)
  })

  it('count a request whose body is malformed once', async () => {
    const url = await createUpload(service.url, 10)
    const labels = { protocol: 'tus', method: 'PATCH', status: '400' }
    const all = await growth('landfall_requests_total', { method: 'PATCH' }, async () => {
      const grown = await growth('landfall_requests_total', labels, async () => {
        const wire = await connect(service.url)
        const headers = { ...PATCH_HEADERS, 'Upload-Offset': 0, 'Transfer-Encoding': 'chunked' }
        await wire.send(requestHead('PATCH', new URL(url).pathname, headers), codedPiece(Buffer.from('abc')), 'zz\r\n')
        expect((await wire.answer()).status).toBe(400)
        await wire.closed
      })
      expect(grown).toBe(1)
    })
    expect(all).toBe(1)
  })

  it('measure how long a HEAD takes, and a creation without bytes', async () => {
    const url = await createUpload(service.url, 5)
    const count = 'landfall_request_duration_seconds_count'
    expect(await growth(count, { protocol: 'tus', operation: 'head' }, () => head(url))).toBe(1)
    expect(await growth(count, { operation: 'create' }, () => createUpload(service.url, 5))).toBe(1)
  })

  it('count the bytes of a PATCH while it is running, and each of them once', async () => {
    const url = await createUpload(service.url, 100_000)
    const before = await service.value('landfall_received_bytes_total', { protocol: 'tus' })
    const arrived = async (): Promise<number> =>
      (await service.value('landfall_received_bytes_total', { protocol: 'tus' })) - before
    const wire = await connect(service.url)
    await beginPatch(wire, url, 0, 100_000, bytesOf(40_000))
    await until(async () => (await arrived()) === 40_000)
    expect(await service.value('landfall_uploads_receiving')).toBe(1)
    await wire.send(bytesOf(100_000).subarray(40_000))
    expect((await wire.answer()).status).toBe(204)
    expect(await arrived()).toBe(100_000)
    await wire.cut()
    await until(async () => (await service.value('landfall_uploads_receiving')) === 0)
    expect(await arrived()).toBe(100_000)
  })

  it('count the bytes of a request that was aborted, and show one that waits because of MAX_UPLOADS', async () => {
    const url = await createUpload(service.url, 100_000)
    const other = await createUpload(service.url, 5)
    const wire = await connect(service.url)
    const grown = await growth('landfall_received_bytes_total', {}, async () => {
      await beginPatch(wire, url, 0, 100_000, bytesOf(30_000))
      await until(async () => (await service.value('landfall_uploads_receiving')) === 1)
      const waiting = patch(other, 0, bytesOf(5))
      await until(async () => (await service.value('landfall_uploads_waiting')) === 1)
      await wire.cut()
      expect((await waiting).status).toBe(204)
    })
    expect(grown).toBe(30_005)
    expect(await service.value('landfall_uploads_waiting')).toBe(0)
  })

  it('count the bytes that downloads send', async () => {
    const url = await uploadInTwo()
    const labels = { operation: 'download' }
    expect(await growth('landfall_sent_bytes_total', {}, async () => (await fetch(url)).text(), 10)).toBe(10)
    expect(await growth('landfall_request_duration_seconds_count', labels, async () => (await fetch(url)).text())).toBe(
      1,
    )
  })

  it('count uploads that are created, finished, and deleted, by their protocol', async () => {
    const tus = { protocol: 'tus' }
    const webuploader = { protocol: 'webuploader' }
    expect(await growth('landfall_uploads_created_total', tus, () => createUpload(service.url, 5))).toBe(1)
    expect(await growth('landfall_uploads_finished_total', tus, uploadInTwo)).toBe(1)
    expect(await growth('tusd_uploads_finished', {}, uploadInTwo)).toBe(1)
    const file = cut(bytesOf(20), 10)
    const send = async (): Promise<void> => {
      for (const chunk of [0, 1]) await sendChunk(service.url, file.fields(chunk), file.bytes(chunk))
    }
    expect(await growth('landfall_uploads_finished_total', webuploader, send)).toBe(1)
    const url = await createUpload(service.url, 5)
    const remove = (): Promise<Response> => fetch(url, { method: 'DELETE', headers: TUS })
    expect(await growth('landfall_uploads_deleted_total', tus, remove)).toBe(1)
  })

  it('count failures by their reason', async () => {
    const labels = { reason: 'digest_mismatch' }
    const send = (): Promise<Response> =>
      fetch(`${service.url}/files`, {
        method: 'POST',
        headers: {
          'Upload-Draft-Interop-Version': '8',
          'Upload-Complete': '?1',
          'Repr-Digest': `sha-256=:${Buffer.alloc(32).toString('base64')}:`,
        },
        body: bytesOf(5),
      })
    expect(await growth('landfall_uploads_failed_total', labels, send)).toBe(1)
  })

  it('tell how many requests brought a file, also one that came with its creation', async () => {
    const sum = 'landfall_upload_requests_sum'
    expect(await growth(sum, { protocol: 'tus' }, uploadInTwo, 2)).toBe(2)
    const whole = (): Promise<Response> =>
      create(service.url, { 'Upload-Length': '5', 'Content-Type': 'application/offset+octet-stream' }, bytesOf(5))
    expect(await growth(sum, { protocol: 'tus' }, whole)).toBe(1)
    expect(await growth('landfall_upload_size_bytes_sum', { protocol: 'tus' }, whole)).toBe(5)
    expect(await growth('landfall_upload_duration_seconds_count', { size: '1MiB' }, whole)).toBe(1)
  })

  it('tell how many uploads are unfinished, and how many bytes they occupy', async () => {
    const unfinished = (): Promise<number> => service.value('landfall_uploads_unfinished')
    const bytes = (): Promise<number> => service.value('landfall_uploads_unfinished_bytes')
    await until(async () => (await service.series()).some(({ name }) => name === 'landfall_uploads_unfinished_bytes'))
    const before = { unfinished: await unfinished(), bytes: await bytes() }
    const url = await createUpload(service.url, 1_000_000)
    expect(await unfinished()).toBe(before.unfinished + 1)
    expect(await bytes()).toBeGreaterThanOrEqual(before.bytes + 1_000_000)
    await patch(url, 0, bytesOf(1_000_000))
    expect({ unfinished: await unfinished(), bytes: await bytes() }).toEqual(before)
  })

  it('measure finishing and syncs, and know the disk', async () => {
    expect(await growth('landfall_finish_duration_seconds_count', { outcome: 'ok' }, uploadInTwo)).toBe(1)
    expect(await growth('landfall_sync_duration_seconds_count', { outcome: 'ok' }, uploadInTwo)).toBeGreaterThan(0)
    expect(await service.value('landfall_disk_free_bytes')).toBeGreaterThan(0)
    expect(await service.value('landfall_disk_size_bytes')).toBeGreaterThan(0)
    expect(await service.value('process_resident_memory_bytes')).toBeGreaterThan(0)
    expect(await service.value('landfall_connections_open')).toBeGreaterThan(0)
  })

  it('name the node in every series', async () => {
    expect(new Set((await service.series()).map(({ labels }) => labels['node']))).toEqual(new Set(['node-7']))
    const unnamed = await startMeasured()
    expect((await unnamed.series())[0]?.labels['node']).toBe(os.hostname())
    await unnamed.close()
  })

  it('have the same series, whatever names, ids, addresses, methods, paths, and headers clients send', async () => {
    const vary = async (round: string): Promise<void> => {
      const url = await createUpload(service.url, 5, { filename: `name-${round}.bin`, [`key-${round}`]: round })
      await patch(url, 0, bytesOf(5))
      await (await fetch(`${url}?query=${round}`, { headers: { 'X-Forwarded-For': `10.0.0.${round.length}` } })).text()
      await fetch(`${service.url}/files/id-${round}`, { method: 'HEAD', headers: { ...TUS, 'X-Request-Id': round } })
      await (await fetch(`${service.url}/path-${round}`)).text()
      const file = cut(bytesOf(5), 5, { task_id: `task-${round}`, name: `name-${round}` })
      await sendChunk(service.url, file.fields(0), file.bytes(0))
      const wire = await connect(service.url)
      const method = round.length % 2 === 0 ? 'PROPFIND' : 'MKCOL'
      await wire.send(`${method} /${round} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      await wire.answer()
      await wire.cut()
      const draft = await create(service.url, { 'Upload-Length': '0', 'Upload-Draft-Interop-Version': round })
      await fetch(locationOf(draft, service.url), { method: 'DELETE', headers: TUS })
    }
    const names = async (): Promise<readonly string[]> => {
      const series = (await service.series()).filter(({ name }) => /^(landfall|tusd)_/.test(name))
      return series.map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`).sort()
    }
    await vary('first')
    let count = (await names()).length
    // The requests that have just ended are counted when their connections notice that.
    await until(async () => {
      const before = count
      count = (await names()).length
      return count === before
    })
    const before = await names()
    for (const round of ['a', 'bb', 'ccc', 'dddd']) await vary(round)
    expect(await names()).toEqual(before)
    expect((await names()).join('\n')).not.toMatch(/first|dddd|path-|10\.0\.0/)
  })
})

describe('The metrics of a service in an application', () => {
  it('are in the registry of the application, and leave its labels alone', async () => {
    const folder = await temporaryFolder()
    const registry = new Registry()
    const landfall = await createLandfall({ dataDir: folder.path, metrics: registry, logLevel: 'silent' })
    const response = await landfall.fetch(
      new Request('http://localhost/files', { method: 'POST', headers: { ...TUS, 'Upload-Length': '5' } }),
    )
    expect(idOf(response.headers.get('Location') ?? '')).not.toBe('')
    await response.text()
    const series = parseSeries(await registry.metrics())
    expect(valueIn(series, 'landfall_uploads_created_total')).toBe(1)
    expect(series.filter(({ labels }) => 'node' in labels)).toEqual([])
    expect(series.filter(({ name }) => name.startsWith('process_'))).toEqual([])
    await landfall.close()
    await folder.dispose()
  })
})
