import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { type Accepted, expectFile, expectRefusalText, expectToFinish, land, untilOnDisk } from '../support/chunks.ts'
import { startService, type TestService } from '../support/service.ts'
import { TUS } from '../support/tus.ts'
import { bareChunk, CLOSING, complete, cut, rawChunk, sendChunk } from '../support/webuploader.ts'
import { connect, type Wire } from '../support/wire.ts'

const content = bytesOf(250_000)
const file = cut(content, 100_000)
const HALF = 60_000

let service: TestService
let begun: Accepted
const wires: Wire[] = []
beforeEach(async () => {
  service = await startService()
  begun = await land(service.url, file, 0)
})
afterEach(async () => {
  await Promise.all(wires.splice(0).map((wire) => wire.cut()))
  await service.close()
})

async function open(): Promise<Wire> {
  const wire = await connect(service.url)
  wires.push(wire)
  return wire
}

/** Where a request for chunk 1 stops. */
const STOPS = ['in its bytes', 'before its closing boundary', 'in its bare bytes'] as const
type Stop = (typeof STOPS)[number]

/** Sends chunk 1 until it stops, and waits until bytes of it are on the disk. */
async function sendHalf(stop: Stop = 'in its bytes'): Promise<{ readonly wire: Wire; readonly rest: Buffer }> {
  const wire = await open()
  const { head, body } = stop === 'in its bare bytes' ? bareChunk(file, 1) : rawChunk(file, 1)
  const around = body.length - file.bytes(1).length
  const half = stop === 'before its closing boundary' ? body.length - CLOSING.length : around + HALF
  await wire.send(head, body.subarray(0, half))
  await untilOnDisk(service, begun.id, file.bytes(0).length, file.bytes(1).subarray(0, HALF / 2))
  return { wire, rest: body.subarray(half) }
}

/** Sends all of chunk 1 again; that the service has it is known from another answer that comes after it. */
async function sendWhole(bytes = file.bytes(1)): Promise<Wire> {
  const wire = await open()
  const { head, body } = rawChunk({ ...file, bytes: () => bytes }, 1)
  await wire.send(head, body)
  expect((await fetch(`${service.url}/healthz`)).status).toBe(200)
  return wire
}

async function expectLanded(wire: Wire, received: number): Promise<void> {
  const answer = await wire.answer()
  expect(answer.status).toBe(200)
  expect(JSON.parse(answer.body)).toMatchObject({ ok: true, id: begun.id, received })
}

describe('A second copy of a chunk in flight', () => {
  it('waits until the older copy finishes, and both are accepted', async () => {
    const older = await sendHalf()
    const newer = await sendWhole()
    await older.wire.send(older.rest)
    await expectLanded(older.wire, 200_000)
    await expectLanded(newer, 200_000)
    await expectToFinish(service, file, content)
  })

  it('is refused if its bytes differ from the older copy, whose bytes stay', async () => {
    const older = await sendHalf()
    const newer = await sendWhole(bytesOf(100_000, 9))
    await older.wire.send(older.rest)
    await expectLanded(older.wire, 200_000)
    const answer = await newer.answer()
    expectRefusalText(answer.status, answer.body, 409, 'content_differs')
    // The page must fail, and send the whole file again.
    const retried = await sendChunk(service.url, file.fields(2), file.bytes(2))
    expect(retried.status).toBe(409)
    expect((await fetch(new URL(begun.url, service.url))).status).toBe(404)
    await expectToFinish(service, cut(content, 100_000, { id: 'WU_FILE_1' }), content)
  })

  it.each(['cut', 'reset'] as const)('replaces the older copy when the connection of that is %s', async (how) => {
    const older = await sendHalf()
    const newer = await sendWhole()
    await older.wire[how]()
    await expectLanded(newer, 200_000)
    await expectToFinish(service, file, content)
  })

  it('replaces an older copy that broke, of which nothing stays', async () => {
    const older = await open()
    const wrong = bytesOf(100_000, 9)
    const { head, body } = rawChunk({ ...file, bytes: () => wrong }, 1)
    await older.send(head, body.subarray(0, body.length - 40_000))
    await untilOnDisk(service, begun.id, file.bytes(0).length, wrong.subarray(0, HALF / 2))
    const newer = await sendWhole()
    await older.cut()
    await expectLanded(newer, 200_000)
    await expectToFinish(service, file, content)
  })

  it.each(STOPS)('replaces the older copy when that has been silent for five seconds %s', async (stop) => {
    const older = await sendHalf(stop)
    const newer = await sendWhole()
    await expectLanded(newer, 200_000)
    const answer = await older.wire.answer()
    expectRefusalText(answer.status, answer.body, 409, 'superseded')
    await older.wire.closed
    await expectToFinish(service, file, content)
  })

  it('is accepted, as are six copies at once', async () => {
    const copies = await Promise.all(Array.from({ length: 6 }, () => land(service.url, file, 1)))
    for (const copy of copies) expect(copy).toMatchObject({ id: begun.id, received: 200_000 })
    await expectToFinish(service, file, content)
  })

  it('is accepted later if the only copy breaks, which leaves no trace', async () => {
    const older = await sendHalf()
    await older.wire.cut()
    const response = await complete(service.url, { task_id: String(file.fields(1).task_id), filename: 'big.bin' })
    expect(response.status).toBe(409)
    expect(await response.json()).toMatchObject({ error: { code: 'incomplete' }, missing: [1, 2], missing_total: 2 })
    expect((await land(service.url, file, 2)).received).toBe(150_000)
    await expectToFinish(service, file, content)
  })
})

describe('A DELETE while a chunk is in flight', () => {
  it.each(STOPS)('ends it although it is silent %s, and the next chunk restarts the file', async (stop) => {
    const older = await sendHalf(stop)
    const url = new URL(begun.url, service.url)
    expect((await fetch(url, { method: 'DELETE', headers: TUS })).status).toBe(204)
    const answer = await older.wire.answer()
    expectRefusalText(answer.status, answer.body, 410, 'gone')
    const next = await land(service.url, file, 1)
    expect(next).toMatchObject({ received: 100_000, finished: false })
    expect(next.id).not.toBe(begun.id)
    expect((await fetch(url)).status).toBe(410)
    await expectToFinish(service, file, content)
  })
})

describe('/upload/complete while the last chunk is in flight', () => {
  it('waits for it, and returns the finished file', async () => {
    await land(service.url, file, 2)
    const older = await sendHalf()
    const asked = complete(service.url, { task_id: String(file.fields(1).task_id), filename: 'big.bin' })
    await older.wire.send(older.rest)
    await expectLanded(older.wire, 250_000)
    const response = await asked
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ ok: true, name: 'big.bin', size: 250_000 })
    await expectFile(service, begun, content)
  })

  it('waits for it, and lists it as missing when its connection breaks', async () => {
    await land(service.url, file, 2)
    const older = await sendHalf()
    const asked = complete(service.url, { task_id: String(file.fields(1).task_id), filename: 'big.bin' })
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200)
    await older.wire.cut()
    const response = await asked
    expect(response.status).toBe(409)
    expect(await response.json()).toMatchObject({ error: { code: 'incomplete' }, missing: [1], missing_total: 1 })
    await expectToFinish(service, file, content)
  })
})

describe('Simultaneous first chunks', () => {
  it('from six threads create one upload', async () => {
    const whole = bytesOf(6 * 30_000 - 1)
    const six = cut(whole, 30_000, { task_id: 'wu_six_at_once', name: 'six.bin' })
    const answers = await Promise.all(Array.from({ length: 6 }, (_, chunk) => land(service.url, six, chunk)))
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1)
    expect(answers.some(({ finished }) => finished)).toBe(true)
    await expectToFinish(service, six, whole, 'six.bin')
  })

  it('as six copies of a file in one block create one upload', async () => {
    const one = cut(content, content.length, { task_id: 'wu_six_at_once', name: 'one.bin' })
    const answers = await Promise.all(Array.from({ length: 6 }, () => land(service.url, one, 0)))
    for (const answer of answers) expect(answer).toEqual({ ...answers[0], finished: true, received: content.length })
    await expectToFinish(service, one, content, 'one.bin')
  })
})

describe('A page that sends nothing for IDLE_TIMEOUT', () => {
  it('receives an error and its connection is closed; the retry is accepted', async () => {
    const impatient = await startService({ IDLE_TIMEOUT: '300' })
    try {
      const wire = await connect(impatient.url)
      wires.push(wire)
      const { head, body } = rawChunk(file, 0)
      await wire.send(head, body.subarray(0, body.length - 10))
      const answer = await wire.answer()
      expectRefusalText(answer.status, answer.body, 408, 'idle_timeout')
      await wire.closed
      await expectToFinish(impatient, file, content)
    } finally {
      await impatient.close()
    }
  })
})
