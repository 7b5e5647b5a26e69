import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf, MIB } from '../support/bytes.ts'
import { startService, type TestService } from '../support/service.ts'
import { createUpload, idOf, patch } from '../support/tus.ts'

const content = bytesOf(300_000)
const digestOf = (algorithm: string): string => createHash(algorithm).update(content).digest('base64')

let service: TestService
let url: string

beforeEach(async () => {
  service = await startService()
  url = await createUpload(service.url, content.length)
  await patch(url, 0, content)
})
afterEach(() => service.close())

async function reprDigest(wanted: string, headers = {}, method = 'GET'): Promise<string | null> {
  const response = await fetch(url, { method, headers: { 'Want-Repr-Digest': wanted, ...headers } })
  await response.arrayBuffer()
  return response.headers.get('Repr-Digest')
}

/** The bytes that this process, with the service, has read so far, from files and sockets. */
function bytesRead(): number {
  return Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1])
}

describe('Want-Repr-Digest', () => {
  it.each([
    ['sha-256=1', `sha-256=:${digestOf('sha256')}:`],
    ['sha-256=10, sha-512=3', `sha-256=:${digestOf('sha256')}:`],
    ['sha-256=3, sha-512=10', `sha-512=:${digestOf('sha512')}:`],
    ['sha=9,md5=10', `md5=:${digestOf('md5')}:`],
    ['sha-256=0, sha=1', `sha=:${digestOf('sha1')}:`],
  ])('%s receives %s', async (wanted, digest) => {
    expect(await reprDigest(wanted)).toBe(digest)
  })

  it.each(['', 'sha-384=10', 'sha-256=0', 'sha-256', 'sha-256=11', '=;,,', 'SHA-256=1'])(
    '%s receives no digest',
    async (wanted) => {
      expect(await reprDigest(wanted)).toBeNull()
    },
  )

  it('refers to the whole file also for a HEAD and for a range', async () => {
    expect(await reprDigest('sha-256=1', { Range: 'bytes=10-19' })).toBe(`sha-256=:${digestOf('sha256')}:`)
    expect(await reprDigest('sha-256=1', {}, 'HEAD')).toBe(`sha-256=:${digestOf('sha256')}:`)
  })

  it('is computed by one read of the file for concurrent requests, and not again after a restart', async () => {
    const large = bytesOf(32 * MIB)
    const digest = `sha-256=:${createHash('sha256').update(large).digest('base64')}:`
    url = await createUpload(service.url, large.length)
    await patch(url, 0, large)
    const before = bytesRead()
    const digests = await Promise.all(Array.from({ length: 8 }, () => reprDigest('sha-256=1', {}, 'HEAD')))
    expect(digests).toEqual(digests.map(() => digest))
    expect(bytesRead() - before).toBeLessThan(1.5 * large.length)

    service = await service.restart()
    url = `${service.url}/files/${idOf(url)}`
    const after = bytesRead()
    expect(await reprDigest('sha-256=1', {}, 'HEAD')).toBe(digest)
    expect(bytesRead() - after).toBeLessThan(0.5 * large.length)
  })

  it('receives no digest of an unfinished upload', async () => {
    url = await createUpload(service.url, content.length)
    expect(await reprDigest('sha-256=1', {}, 'HEAD')).toBeNull()
  })
})
