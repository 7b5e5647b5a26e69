/** Clients that want a file, or to know whether it exists, without having it. */
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { isInBucket } from '../support/bucket-settings.ts'
import { ask, contentOf, instantly, post, proof, questionAbout, send } from '../support/instant.ts'
import { startService, type TestService } from '../support/service.ts'
import { bearer, JWT_SECRET, tokenFor } from '../support/tokens.ts'

const MIB = 1024 * 1024
const SECRET_FILE = contentOf(6 * MIB, 'the file of alice')
const SMALL_SECRET = contentOf(2_000, 'the note of alice')
/** A file that does not exist, of the same size. */
const UNKNOWN = contentOf(6 * MIB, 'a file of nobody')

/** The same with a gap. */
function without(content: Buffer<ArrayBuffer>, start: number, end: number): Buffer<ArrayBuffer> {
  const damaged = Buffer.from(content)
  damaged.fill(0, start, end)
  return damaged
}

let service: TestService
let alice: Readonly<Record<string, string>>
let mallory: Readonly<Record<string, string>>

beforeAll(async () => {
  service = await startService({ AUTH: 'jwt', JWT_SECRET, INSTANT: 'all' })
  alice = bearer(await tokenFor('alice'))
  mallory = bearer(await tokenFor('mallory'))
  for (const content of [SECRET_FILE, SMALL_SECRET]) await send(service.url, content, alice)
})
afterAll(() => service.close())

const filesThere = async (): Promise<number> =>
  isInBucket ? 0 : (await readdir(path.join(service.dataDir, 'files'))).length

/** What a client sees of a response. */
async function seen(response: Response) {
  const headers = [...response.headers].filter(([name]) => name !== 'date' && name !== 'x-request-id')
  return { status: response.status, headers, body: await response.text() }
}

describe('A client that has the file of another owner', () => {
  it('receives an upload of its own with INSTANT=all', async () => {
    // On a busy host, a comparison may take too long.
    let response = await instantly(service.url, SECRET_FILE, { headers: mallory })
    while (response.status === 404) response = await instantly(service.url, SECRET_FILE, { headers: mallory })
    const { url } = JSON.parse(await response.text())
    expect(response.status).toBe(201)
    expect((await fetch(url, { headers: alice })).status).toBe(404)
    const bytes = Buffer.from(await (await fetch(url, { headers: mallory })).arrayBuffer())
    expect(bytes.equals(SECRET_FILE)).toBe(true)
  })
})

describe('A client without the file', () => {
  it('is asked about a file that does not exist as about one that does', async () => {
    const [known, unknown] = [
      await questionAbout(service.url, SECRET_FILE, mallory),
      await questionAbout(service.url, UNKNOWN, mallory),
    ]
    expect(Object.keys(known)).toEqual(Object.keys(unknown))
    expect([known.ranges.length, known.expiresIn]).toEqual([unknown.ranges.length, unknown.expiresIn])
  })

  it('receives one answer to a wrong proof, to any proof about no file, and to a question that was never asked', async () => {
    const wrong = await seen(await instantly(service.url, SECRET_FILE, { headers: mallory, owned: UNKNOWN }))
    const unknown = await seen(await instantly(service.url, UNKNOWN, { headers: mallory }))
    const claim = { question: '0'.repeat(32), proof: '0'.repeat(64) }
    const unasked = await seen(await post(service.url, '/instant/proof', claim, mallory))
    expect(wrong.status).toBe(404)
    expect([unknown, unasked]).toEqual([wrong, wrong])
  })

  it.each([
    ['the end', SECRET_FILE, without(SECRET_FILE, 6 * MIB - 100_000, 6 * MIB)],
    ['a gap in the middle', SECRET_FILE, without(SECRET_FILE, 3 * MIB, 3 * MIB + 100_000)],
    ['all but the samples of the fingerprint', SECRET_FILE, without(SECRET_FILE, 20_000, 800_000)],
    ['one byte of a small file', SMALL_SECRET, without(SMALL_SECRET, 1_000, 1_001)],
  ])('receives no upload when it lacks %s, however often it tries', async (_, content, owned) => {
    const before = await filesThere()
    const tries = Array.from({ length: 8 }, () => instantly(service.url, content, { headers: mallory, owned }))
    for (const response of await Promise.all(tries)) expect(response.status).toBe(404)
    expect(await filesThere()).toBe(before)
  })

  it('gains nothing from a digest of the whole file that was published', async () => {
    const { question } = await questionAbout(service.url, SMALL_SECRET, mallory)
    const claim = { question, proof: createHash('sha256').update(SMALL_SECRET).digest('hex') }
    expect((await post(service.url, '/instant/proof', claim, mallory)).status).toBe(404)
  })

  it('gains nothing from a proof that another client has given', async () => {
    const asked = await questionAbout(service.url, SMALL_SECRET, alice)
    const claim = { question: asked.question, proof: proof(asked, SMALL_SECRET) }
    // As the other client's question it does not exist; nor is it used up.
    expect((await post(service.url, '/instant/proof', claim, mallory)).status).toBe(404)
    expect((await post(service.url, '/instant/proof', claim, alice)).status).toBe(201)
    expect((await post(service.url, '/instant/proof', claim, alice)).status).toBe(404)
    const own = await questionAbout(service.url, SMALL_SECRET, mallory)
    expect(own.nonce).not.toBe(asked.nonce)
    const replayed = { question: own.question, proof: claim.proof }
    expect((await post(service.url, '/instant/proof', replayed, mallory)).status).toBe(404)
  })

  it('has one try per question', async () => {
    const asked = await questionAbout(service.url, SMALL_SECRET, mallory)
    const answer = (value: string) =>
      post(service.url, '/instant/proof', { question: asked.question, proof: value }, mallory)
    expect((await answer('0'.repeat(64))).status).toBe(404)
    expect((await answer(proof(asked, SMALL_SECRET))).status).toBe(404)
  })

  it('cannot have the ranges of one file proved by those of another', async () => {
    const asked = await questionAbout(service.url, SECRET_FILE, mallory)
    const other = await questionAbout(service.url, UNKNOWN, mallory)
    const claim = { question: asked.question, proof: proof(other, SECRET_FILE) }
    expect((await post(service.url, '/instant/proof', claim, mallory)).status).toBe(404)
  })
})

describe('A client that asks and never answers', () => {
  it('keeps no other client from its instant upload', async () => {
    const asked = await questionAbout(service.url, SMALL_SECRET, alice)
    let refused = 0
    const flood = async (): Promise<void> => {
      for (let i = 0; i < 40; i++) {
        const response = await ask(service.url, SMALL_SECRET, mallory)
        if (response.status !== 200) refused += 1
        await response.arrayBuffer()
      }
    }
    await Promise.all([flood(), flood(), flood(), flood()])
    expect(refused).toBe(0)
    const claim = { question: asked.question, proof: proof(asked, SMALL_SECRET) }
    expect((await post(service.url, '/instant/proof', claim, alice)).status).toBe(201)
  })
})
