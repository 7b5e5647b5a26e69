import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import pino from 'pino'
import type { Letter } from '../../server/core/outbox.ts'
import { Endpoint, type Schedule } from '../../server/webhooks/endpoint.ts'
import { accept, answerWith, type Receiver, startReceiver } from '../support/receiver.ts'
import { until } from '../support/wire.ts'

const FAST: Schedule = { delays: [0, 1, 1], firstPause: 1, maxPause: 1 }

let receiver: Receiver
let endpoint: Endpoint | undefined
let delivered: string[]
let postponed: string[]
let dead: string[]
beforeEach(async () => {
  receiver = await startReceiver()
  delivered = []
  postponed = []
  dead = []
})
afterEach(async () => {
  await endpoint?.close(0)
  await receiver.close()
})

function open(schedule: Schedule = FAST, timeout = 300_000): Endpoint {
  endpoint = new Endpoint({ url: new URL(receiver.url), keys: [], timeout, schedule, log: pino({ level: 'silent' }) })
  return endpoint
}

/** The `n`th event of an upload. */
function letter(upload: string, n = 0): Letter {
  const id = `evt_${upload}${n}`
  return {
    id,
    upload,
    at: Date.now(),
    body: async () => JSON.stringify({ type: `upload.${n}`, data: { id: upload } }),
    delivered: () => void delivered.push(id),
    postponed: () => void postponed.push(id),
    dead: async (why) => void dead.push(`${id}: ${why}`),
  }
}

describe('An endpoint', () => {
  it('delivers the events of an upload in order, and those of several uploads at once', async () => {
    const held: (() => void)[] = []
    receiver.answer((response) => held.push(() => accept(response)))
    open()
    for (const n of [0, 1]) for (const upload of ['a', 'b', 'c']) endpoint?.receive(letter(upload, n))
    await receiver.count(3)
    expect(receiver.types).toEqual(['upload.0', 'upload.0', 'upload.0'])
    held.splice(1, 1)[0]?.()
    await receiver.count(4)
    expect(receiver.deliveries[3]).toMatchObject({ upload: receiver.deliveries[1]?.upload, type: 'upload.1' })
    receiver.answer(accept)
    for (const answer of held) answer()
    await until(async () => delivered.length === 6)
  })

  it('sends nothing of an event that another process has delivered, and goes on with the next one', async () => {
    open()
    endpoint?.receive({ ...letter('a', 0), body: async () => undefined })
    endpoint?.receive(letter('a', 1))
    await until(async () => delivered.length === 2)
    expect(receiver.types).toEqual(['upload.1'])
  })

  it('sends at most 8 requests at once', async () => {
    const held: (() => void)[] = []
    receiver.answer((response) => held.push(() => accept(response)))
    open()
    for (let i = 0; i < 20; i += 1) endpoint?.receive(letter(`upload${i}`))
    await receiver.count(8)
    held.shift()?.()
    await receiver.count(9)
    expect(receiver.deliveries).toHaveLength(9)
    receiver.answer(accept)
    for (const answer of held) answer()
    await until(async () => delivered.length === 20)
  })

  it('gives an event up when the schedule has ended, and then sends the next one of the upload', async () => {
    receiver.answer((response, { type }) => answerWith(type === 'upload.0' ? 500 : 200)(response))
    open()
    endpoint?.receive(letter('a', 0))
    endpoint?.receive(letter('a', 1))
    await until(async () => delivered.length === 1)
    expect(receiver.types).toEqual(['upload.0', 'upload.0', 'upload.0', 'upload.1'])
    expect(dead).toEqual(['evt_a0: status 500'])
  })

  it('postpones all events of an upload whose first one waits for another attempt', async () => {
    receiver.answer((response, { upload }) => answerWith(upload === 'a' ? 500 : 200)(response))
    open({ ...FAST, delays: [0, 60_000] })
    endpoint?.receive(letter('a', 0))
    endpoint?.receive(letter('a', 1))
    await until(async () => postponed.length === 2)
    endpoint?.receive(letter('a', 2))
    endpoint?.receive(letter('b', 0))
    await until(async () => delivered.length === 1)
    expect(postponed).toEqual(['evt_a0', 'evt_a1', 'evt_a2'])
  })

  it.each([
    ['a redirect, which it does not follow', 301],
    ['a client error', 404],
    ['a server error', 500],
    ['a status that throttles', 429],
  ])('repeats an event after %s', async (_, status) => {
    receiver.answer((response) => {
      answerWith(receiver.deliveries.length === 1 ? status : 200, { Location: '/elsewhere' })(response)
    })
    open().receive(letter('a'))
    await until(async () => delivered.length === 1)
    expect(receiver.deliveries).toHaveLength(2)
    expect(receiver.deliveries[0]?.headers['webhook-id']).toBe(receiver.deliveries[1]?.headers['webhook-id'])
  })

  it('repeats an event after its connection was reset', async () => {
    receiver.answer((response) => {
      if (receiver.deliveries.length === 1) response.socket?.resetAndDestroy()
      else accept(response)
    })
    open().receive(letter('a'))
    await until(async () => delivered.length === 1)
  })

  it('repeats an event that gets no response in time', async () => {
    receiver.answer((response) => {
      if (receiver.deliveries.length > 1) accept(response)
    })
    open(FAST, 50).receive(letter('a'))
    await until(async () => delivered.length === 1)
  })

  it('waits as long as Retry-After says', async () => {
    const times: number[] = []
    receiver.answer((response) => {
      times.push(performance.now())
      answerWith(times.length === 1 ? 503 : 200, { 'Retry-After': '1' })(response)
    })
    open().receive(letter('a'))
    await until(async () => delivered.length === 1)
    const [first = 0, second = 0] = times
    expect(second - first).toBeGreaterThanOrEqual(990)
  })

  it('accepts a status with a response of megabytes, of which it reads little', async () => {
    let written = 0
    receiver.answer((response) => {
      response.writeHead(200)
      const piece = Buffer.alloc(64 * 1024)
      const write = (): void => {
        while (!response.destroyed && response.write(piece)) written += piece.length
        if (!response.destroyed) response.once('drain', write)
      }
      write()
    })
    open().receive(letter('a'))
    await until(async () => delivered.length === 1)
    expect(written).toBeLessThan(64 * 1024 * 1024)
  })

  it('closes although receivers stall in the middle of their responses', async () => {
    receiver.answer((response) => void response.writeHead(200, { 'Content-Length': '5' }).write('he'))
    open()
    for (let i = 0; i < 20; i += 1) endpoint?.receive(letter(`upload${i}`))
    await receiver.count(8)
    await endpoint?.close(50)
    expect(delivered).toHaveLength(8)
  })

  it('closes although receivers do not respond', async () => {
    receiver.answer(() => undefined)
    open()
    for (let i = 0; i < 20; i += 1) endpoint?.receive(letter(`upload${i}`))
    await receiver.count(8)
    await endpoint?.close(50)
    expect([...delivered, ...dead]).toEqual([])
  })

  it('keeps no event in memory after 410', async () => {
    setFlagsFromString('--expose-gc')
    const collect: () => void = runInNewContext('gc')
    const letters: WeakRef<Letter>[] = []
    const receive = (upload: string): void => {
      const one = letter(upload)
      letters.push(new WeakRef(one))
      endpoint?.receive(one)
    }
    const held: (() => void)[] = []
    receiver.answer((response) => held.push(() => answerWith(410)(response)))
    open()
    for (let i = 0; i < 50; i += 1) receive(`upload${i}`)
    await receiver.count(8)
    for (const answer of held) answer()
    const areCollected = async (): Promise<boolean> => {
      collect()
      return letters.every((one) => one.deref() === undefined)
    }
    await until(areCollected)
    receive('later')
    await until(areCollected)
    expect(receiver.deliveries).toHaveLength(8)
  })
})
