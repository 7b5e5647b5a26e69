import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Events, type EventType, eventOfFailure } from '../../server/core/events.ts'
import type { Letter } from '../../server/core/outbox.ts'
import { ReportedStore } from '../../server/core/reported-store.ts'
import type { StoredUpload } from '../../server/core/store.ts'
import { readDone } from '../../server/s3/ends.ts'
import { currentState } from '../../server/s3/opening.ts'
import { S3Outbox } from '../../server/s3/s3-outbox.ts'
import { S3Store } from '../../server/s3/s3-store.ts'
import { accept, answerWith, type Receiver, startReceiver } from '../support/receiver.ts'
import { put, recordOf } from '../support/store-contract.ts'
import { until } from '../support/wire.ts'
import { type EventNode, EventNodes, PATIENT } from './event-nodes.ts'

const MINUTE = 60_000
const EVERYTHING = 'created,finished,failed,rejected,deleted,expired'

let receiver: Receiver
let nodes: EventNodes
beforeEach(async () => {
  receiver = await startReceiver()
  nodes = new EventNodes({ ...receiver.settings, WEBHOOK_EVENTS: EVERYTHING })
})
afterEach(async () => {
  await nodes.stop()
  await receiver.close()
})

function newId(): string {
  return randomBytes(16).toString('hex')
}

/** A whole file. @returns its id. */
async function storeFile({ store }: EventNode, id = newId()): Promise<string> {
  await store.createFinished(recordOf(id, 2), [Buffer.from('hi')])
  return id
}

async function opened({ store }: EventNode, id: string): Promise<StoredUpload> {
  const found = await store.open(id)
  if (found.kind !== 'upload') throw new Error(`${id} is ${found.kind}`)
  return found.upload
}

/** The events of an upload that arrived, in the order in which they first did. */
function eventsOf(id: string): readonly string[] {
  const types = receiver.deliveries.filter(({ upload }) => upload === id).map(({ type }) => type.replace('upload.', ''))
  return [...new Set(types)]
}

const CHANGES: readonly { change: string; make: (node: EventNode, id: string) => Promise<void> }[] = [
  {
    change: 'a file comes with its creation',
    make: async (node, id) => {
      await storeFile(node, id)
    },
  },
  {
    change: 'a file comes after its creation',
    make: async ({ store }, id) => {
      const upload = await store.create(recordOf(id, 2))
      await put(upload, 0, 'hi', 'as-received')
      await upload.finish()
    },
  },
  {
    change: 'an upload is created tentatively, and has a first byte',
    make: async ({ store }, id) => {
      await put(await store.create(recordOf(id, 2), true), 0, 'h', 'as-received')
    },
  },
  {
    change: 'an upload fails',
    make: async ({ store }, id) => {
      const upload = await store.create(recordOf(id, 2))
      await upload.fail({ code: 'digest_mismatch', message: 'Another digest.' })
    },
  },
  {
    change: 'a failed upload is removed',
    make: async ({ store }, id) => {
      const upload = await store.create(recordOf(id, 2))
      await upload.fail({ code: 'rejected', message: 'No.' })
      await upload.remove('expired')
    },
  },
  {
    change: 'an unfinished upload is deleted',
    make: async ({ store }, id) => {
      const upload = await store.create(recordOf(id, 2))
      await put(upload, 0, 'h', 'as-received')
      await upload.remove('deleted')
    },
  },
  {
    change: 'a file is deleted',
    make: async (node, id) => {
      await storeFile(node, id)
      await (await opened(node, id)).remove('deleted')
    },
  },
]

describe('Events in a bucket', () => {
  it('arrive once, in order, and leave nothing in it', async () => {
    const node = await nodes.start()
    const id = newId()
    const upload = await node.store.create(recordOf(id, 2))
    await put(upload, 0, 'hi', 'as-received')
    await upload.finish()
    await upload.remove('deleted')
    await until(async () => nodes.keys.length === 0)
    expect(receiver.types).toEqual(['upload.created', 'upload.finished', 'upload.deleted'])
    expect(JSON.parse(receiver.deliveries[1]?.body ?? '').data.key).toBe(`files/${id}/a.txt`)
  })

  it.each(CHANGES)('are those of what S3 has when a node dies at any call, in order: $change', async ({ make }) => {
    let isOver = false
    for (let calls = 1; !isOver; calls += 1) {
      for (const isApplied of [false, true]) {
        const id = newId()
        const node = await nodes.start()
        receiver.answer((response) => {
          if (node.isKilled) accept(response)
        })
        await until(async () => nodes.bucket.objects.has(`.landfall/nodes/${node.environment.node}`))
        node.killLater({ afterCalls: calls, isApplied })
        const done = make(node, id).then(() => true)
        isOver = await Promise.race([done, until(async () => node.isKilled).then(() => false)])
        node.kill()
        const other = await nodes.start()
        // Completes a removal that has been decided.
        const found = other.store.open(id)
        await deliverAll()
        await found
        const events = eventsOf(id)
        expect({ calls, isApplied, events }).toEqual({ calls, isApplied, events: await eventsIn(other, id) })
        await other.stop()
      }
    }
  })
})

describe('An event of another node', () => {
  it('is left to it while it lives, and delivered when it has been silent for a minute', async () => {
    receiver.answer(answerWith(500))
    const first = await nodes.start({}, PATIENT)
    await storeFile(first)
    await receiver.count(1)
    receiver.answer(accept)
    await nodes.start()
    await lookFor(5 * MINUTE, 20_000)
    expect(receiver.deliveries).toHaveLength(1)
    first.kill()
    await deliverAll()
    expect(receiver.types.slice(1)).toEqual(['upload.created', 'upload.finished'])
  })

  it('is delivered by one of the nodes that are left', async () => {
    receiver.answer(answerWith(500))
    const first = await nodes.start({}, PATIENT)
    for (let i = 0; i < 20; i += 1) await storeFile(first)
    await receiver.count(20)
    first.kill()
    receiver.answer(accept)
    for (let i = 0; i < 3; i += 1) await nodes.start()
    // Steps in which each living node gives a sign.
    await lookFor(3 * MINUTE, 10_000)
    await until(async () => nodes.keys.length === 0)
    expect(receiver.deliveries).toHaveLength(20 + 40)
  })

  it('is delivered before later ones of its upload, whether or not it lives', async () => {
    receiver.answer((response, { type }) => answerWith(type === 'upload.created' ? 500 : 204)(response))
    const first = await nodes.start({}, PATIENT)
    const id = newId()
    await (await first.store.create(recordOf(id, 2))).release()
    await receiver.count(1)
    receiver.answer(accept)
    const second = await nodes.start()
    let upload: StoredUpload | undefined
    opened(second, id).then(
      (found) => {
        upload = found
      },
      () => undefined,
    )
    // The claim of the first node must be some seconds old.
    await until(async () => {
      nodes.clock.move(1000)
      return upload !== undefined
    })
    if (upload === undefined) throw new Error('It is not open.')
    await put(upload, 0, 'hi', 'as-received')
    await upload.finish()
    await receiver.count(3)
    expect(receiver.types.slice(1)).toEqual(['upload.created', 'upload.finished'])
  })
})

describe('An event whose change is not there', () => {
  it('waits an hour for it, and is not delivered then', async () => {
    const first = await nodes.start()
    const upload = await first.store.create(recordOf(newId(), 2))
    await put(upload, 0, 'hi', 'as-received')
    await receiver.count(1)
    await until(async () => nodes.keys.length === 0)
    // It is not committed before this has ended.
    upload.finish(new Promise(() => undefined)).catch(() => undefined)
    await until(async () => nodes.keys.length > 0)
    first.kill()
    await nodes.start()
    await lookFor(50 * MINUTE, 5 * MINUTE)
    expect(nodes.keys).toEqual([expect.stringContaining('.finished.')])
    await deliverAll()
    expect(receiver.types).toEqual(['upload.created'])
  })

  it('waits for longer if the node lives that makes the change', async () => {
    const first = await nodes.start()
    const upload = await first.store.create(recordOf(newId(), 2))
    await put(upload, 0, 'hi', 'as-received')
    let commit = (): void => undefined
    const finished = upload.finish(
      new Promise((resolve) => {
        commit = resolve
      }),
    )
    await nodes.start()
    await lookFor(70 * MINUTE, 50_000)
    expect(nodes.keys).toEqual([expect.stringContaining('.finished.')])
    commit()
    await finished
    await receiver.count(2)
  })

  it('waits for longer if the change is a removal that has been decided, and any node can complete', async () => {
    const first = await nodes.start()
    const id = newId()
    const upload = await first.store.create(recordOf(id, 2))
    await put(upload, 0, 'h', 'as-received')
    await until(async () => receiver.types.length === 1 && nodes.keys.length === 0)
    // After the event, the record, and the check that it counts.
    first.killLater({ afterCalls: 4, isApplied: false })
    upload.remove('deleted').catch(() => undefined)
    await until(async () => first.isKilled)
    const second = await nodes.start()
    expect((await currentState(second.environment, id))?.leaving).toEqual({ why: 'deleted' })
    await lookFor(70 * MINUTE, 5 * MINUTE)
    expect(nodes.keys).toEqual([expect.stringContaining('.deleted.')])
    expect((await second.store.open(id)).kind).toBe('gone')
    await deliverAll()
    expect(receiver.types).toEqual(['upload.created', 'upload.deleted'])
  })

  it('is not delivered, and its object deleted, when the change turns out to be another one', async () => {
    const first = await nodes.start()
    const id = newId()
    const record = recordOf(id, 2)
    await first.store.create(record)
    await receiver.count(1)
    // The same id at another time: only one of them is created.
    const second = await nodes.start()
    await expect(second.store.create({ ...record, createdAt: '2026-11-23T00:00:01.000Z' })).rejects.toThrow()
    await until(async () => nodes.keys.length === 0)
    expect(receiver.types).toEqual(['upload.created'])
  })
})

describe('With two receivers', () => {
  it('an event is sent again only to the one that has not accepted it', async () => {
    const other = await startReceiver()
    const settings = { WEBHOOK_URLS: `${receiver.url},${other.url}` }
    other.answer(answerWith(410))
    const first = await nodes.start(settings)
    const id = await storeFile(first)
    await receiver.count(2)
    await until(async () => nodes.keys.filter((key) => key.includes('.sent.')).length === 2)
    first.kill()
    other.answer(accept)
    await nodes.start(settings)
    await deliverAll()
    expect(other.deliveries.slice(1).map(({ type, upload }) => [type, upload])).toEqual([
      ['upload.created', id],
      ['upload.finished', id],
    ])
    expect(receiver.deliveries).toHaveLength(2)
    await other.close()
  })

  it('a note of what one has accepted is deleted after an hour if its event is gone', async () => {
    const name = `00.created.${'0'.repeat(32)}.sent.0a`
    nodes.bucket.put(`.landfall/out/${newId()}/${name}`, Buffer.alloc(0))
    await nodes.start()
    await lookFor(50 * MINUTE, 5 * MINUTE)
    expect(nodes.keys).toHaveLength(1)
    await deliverAll()
  })
})

describe('More events than a node has in memory', () => {
  it('are handed out each once, those of an upload in order, as others are delivered', async () => {
    const environment = nodes.environment()
    const types = new Set<EventType>(['created', 'finished'])
    const outbox = new S3Outbox(environment, { types, bodyOf: ({ type }) => type, onNotice: () => undefined })
    const waiting: Letter[] = []
    const handedOut = new Map<string, string>()
    outbox.handOut('0a', (letter) => waiting.push(letter))
    await outbox.begin()
    const store = new ReportedStore(new S3Store(environment), { events: new Events(), outbox, progressInterval: 0 })
    const ids = Array.from({ length: 5_500 }, () => newId())
    for (const id of ids) await store.createFinished(recordOf(id, 2), [Buffer.from('hi')])
    await until(async () => waiting.length >= 9_998)
    expect(waiting.length).toBeLessThanOrEqual(10_000)
    let count = 0
    await until(async () => {
      for (const letter of waiting.splice(0)) {
        count += 1
        handedOut.set(letter.upload, `${handedOut.get(letter.upload) ?? ''} ${await letter.body()}`)
        letter.delivered()
      }
      return count >= 2 * ids.length
    })
    await until(async () => nodes.keys.length === 0)
    expect([...handedOut.values()]).toEqual(ids.map(() => ' "created" "finished"'))
    await outbox.close()
  })
})

/** Lets time pass, and has nodes look for events after each step. @param time @param step milliseconds. */
async function lookFor(time: number, step: number): Promise<void> {
  const end = nodes.clock.now() + time
  while (nodes.clock.now() < end) {
    const before = nodes.looks
    nodes.clock.move(step)
    await until(async () => {
      nodes.clock.move(1000)
      return nodes.looks > before
    })
  }
}

/** Lets time pass until no event is left in the bucket: one that has not become true stays for an hour. */
function deliverAll(): Promise<void> {
  return until(async () => {
    nodes.clock.move(2 * MINUTE)
    return nodes.keys.length === 0
  })
}

/** The events of an upload as the bucket tells them. */
async function eventsIn({ environment }: EventNode, id: string): Promise<readonly string[]> {
  const done = await readDone(environment, id)
  if (done?.kind === 'finished') return ['created', 'finished']
  if (done?.kind === 'gone') {
    return ['created', ...(done.finishedAt ? ['finished'] : []), ...(done.failed ? [done.failed] : []), done.why]
  }
  const record = (await currentState(environment, id))?.record
  if (record === undefined) return []
  return ['created', ...(record.failed ? [eventOfFailure(record.failed)] : [])]
}
