import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Refusal } from '../../server/core/answer.ts'
import { NO_CHARGE } from '../../server/core/charge.ts'
import { Ledger, type LedgerRules, NO_RULES } from '../../server/core/ledger.ts'
import type { Principal } from '../../server/core/principal.ts'
import { newRecord } from '../../server/core/record.ts'
import type { Upload } from '../../server/core/upload.ts'
import type { Uploads } from '../../server/core/uploads.ts'
import { openStore } from '../../server/open-store.ts'
import { ArraySource } from '../support/array-source.ts'
import { bytesOf } from '../support/bytes.ts'
import { temporaryFolder } from '../support/folder.ts'
import { anyone } from '../support/principal.ts'
import { Random } from '../support/random.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder.dispose())

function opened(rules: Partial<LedgerRules> = {}): Promise<{ ledger: Ledger; uploads: Uploads }> {
  const ledger = new Ledger({ ...NO_RULES, ...rules })
  return openStore({ directory: folder.path, sync: 'never', ledger }).then((uploads) => ({ ledger, uploads }))
}

/** What a ledger says that has never seen a change. */
async function recounted(): Promise<unknown> {
  const { ledger, uploads } = await opened()
  await uploads.sweeps.recount(ledger)
  await uploads.close()
  return comparable(ledger)
}

function comparable(ledger: Ledger): unknown {
  const { total, accounts } = ledger.kept()
  return { total, accounts: Object.fromEntries(accounts) }
}

function as(account: string, limits: Principal['limits'] = {}): Principal {
  return { ...anyone, owner: account, account: () => account, limits }
}

async function append(upload: Upload, bytes: Buffer): Promise<void> {
  const range = { start: upload.offset, end: upload.offset + bytes.length }
  await upload.receiving.append(range, ArraySource.of(bytes), 'as-received')
}

const metadata = { name: 'file.bin' }

/** Uploads in every state, changed at random. */
class Load {
  readonly #uploads: Uploads
  readonly #random: Random
  readonly #ids: [owner: Principal, id: string][] = []

  constructor(uploads: Uploads, random: Random) {
    this.#uploads = uploads
    this.#random = random
  }

  async step(): Promise<void> {
    const owner = as(`owner-${this.#random.whole(0, 4)}`)
    const desk = this.#uploads.for(owner)
    const length = this.#random.chance(1 / 3) ? null : this.#random.whole(0, 99_999)
    const known = this.#ids[this.#random.whole(0, Math.max(0, this.#ids.length - 1))]
    switch (this.#random.whole(0, known === undefined ? 1 : 7)) {
      case 0: {
        const record = newRecord({ length, metadata })
        this.#ids.push([owner, record.id])
        return desk.create(record, async (upload) => append(upload, bytesOf(Math.min(length ?? 70_000, 70_000))))
      }
      case 1: {
        const record = newRecord({ length: 5, metadata })
        this.#ids.push([owner, record.id])
        return desk.createFinished(
          record,
          async () => [bytesOf(5)],
          async () => undefined,
        )
      }
      case 2:
        return this.#use(known, (upload) => upload.remove('deleted'))
      case 3:
        return this.#use(known, (upload) => upload.fail('wrong_length', 'It failed.'))
      case 4:
        return this.#use(known, (upload) => upload.setLength(upload.offset + 10))
      default:
        return this.#use(known, async (upload) => {
          const rest = (upload.record.length ?? upload.offset + 1_000_000) - upload.offset
          await append(upload, bytesOf(Math.max(0, rest)))
          await upload.finish()
        })
    }
  }

  async #use(known: [Principal, string] | undefined, work: (upload: Upload) => Promise<void>): Promise<void> {
    if (known === undefined) return
    // Refused where the state does not allow it.
    await this.#uploads
      .for(known[0])
      .use(known[1], work)
      .catch(() => undefined)
  }
}

describe('The ledger', () => {
  it.each([1, 2, 3, 4])(
    'equals a recount after any changes, also when it was counted during them (seed %d)',
    async (seed) => {
      const random = new Random(seed)
      const before = await opened()
      const first = new Load(before.uploads, random)
      for (let step = 0; step < 60; step++) await first.step()
      await before.uploads.close()
      expect(await recounted()).toEqual(comparable(before.ledger))

      const { ledger, uploads } = await opened()
      const load = new Load(uploads, random)
      const recount = uploads.sweeps.recount(ledger)
      for (let step = 0; step < 60; step++) await Promise.all([load.step(), load.step()])
      await recount
      expect(ledger.isExact).toBe(true)
      for (let step = 0; step < 20; step++) await load.step()
      await uploads.close()
      expect(await recounted()).toEqual(comparable(ledger))
    },
  )

  it('charges nothing for an upload that could not be created', async () => {
    const { ledger, uploads } = await opened()
    const record = newRecord({ length: 100_000, metadata })
    await writeFile(path.join(folder.path, 'incoming', record.id), '')
    const desk = uploads.for(as('owner'))
    await expect(desk.create(record, async () => undefined)).rejects.toMatchObject({ code: 'storage_error' })
    expect(ledger.totals()).toMatchObject({ used: { bytes: 0, files: 0, unfinished: 0 }, accounts: 0 })
    await uploads.close()
  })

  it('charges a small file that the application rejects as its failed upload', async () => {
    const ledger = new Ledger(NO_RULES)
    const beforeFinish = async (): Promise<never> => {
      throw new Refusal('rejected', 'No.')
    }
    const uploads = await openStore({ directory: folder.path, sync: 'never', ledger, decisions: { beforeFinish } })
    const desk = uploads.for(as('owner'))
    const record = newRecord({ length: 100_000, metadata })
    await expect(
      desk.createFinished(
        record,
        async () => [bytesOf(100_000)],
        async () => undefined,
      ),
    ).rejects.toThrow('No.')
    const charged = comparable(ledger)
    await uploads.close()
    expect(charged).toEqual(await recounted())
    expect(ledger.usage('owner').used.unfinished).toBe(0)
  })

  it('counts an upload again that changes while a recount reads it', async () => {
    const ledger = new Ledger()
    const upload = ledger.track(newRecord({ length: 5, metadata }), NO_CHARGE)
    const recount = ledger.beginRecount(() => 'partition')
    for (const partition of recount.partitions(['partition'])) {
      await recount.open(partition, async () => [upload.id])
      recount.look(upload.id)
      ledger.settle(upload, { bytes: 5, files: 1, unfinished: 1 })
      expect(recount.count(upload.id, 'owner', NO_CHARGE)).toBe(false)
      recount.look(upload.id)
      expect(recount.count(upload.id, 'owner', { bytes: 5, files: 1, unfinished: 1 })).toBe(true)
    }
    recount.complete()
    expect(ledger.usage('owner').used).toEqual({ bytes: 5, files: 1, unfinished: 1 })
  })

  it('counts an upload whose creation ends while partitions, or its own, are listed', async () => {
    const charge = { bytes: 5, files: 1, unfinished: 0 }
    for (const isListed of [false, true]) {
      const ledger = new Ledger()
      const upload = ledger.reserveNew(newRecord({ length: 5, metadata }), () => charge)
      const end = (): void => ledger.created(upload, true)
      const recount = ledger.beginRecount(() => 'partition')
      if (!isListed) end()
      for (const partition of recount.partitions(isListed ? ['partition'] : [])) {
        const ids = await recount.open(partition, async () => {
          if (!isListed) return [upload.id]
          end()
          return []
        })
        for (const id of ids) recount.count(id, upload.account, charge)
      }
      recount.complete()
      expect(ledger.totals().used).toEqual(charge)
    }
  })

  it('takes off once what an upload cost whose removal has begun, and which the store no longer lists', async () => {
    const charge = { bytes: 5, files: 1, unfinished: 1 }
    const ledger = new Ledger()
    const upload = ledger.track(newRecord({ length: 5, metadata }), charge)
    const recount = ledger.beginRecount(() => 'partition')
    await ledger.removing(upload, async () => {
      for (const partition of recount.partitions(['partition'])) {
        for (const id of await recount.open(partition, async () => [])) recount.count(id, upload.account, charge)
      }
      ledger.settle(upload, NO_CHARGE)
    })
    recount.complete()
    expect(ledger.kept().total).toEqual(NO_CHARGE)
  })

  it('forgets accounts without uploads', async () => {
    const { ledger, uploads } = await opened()
    for (let number = 0; number < 200; number++) {
      const desk = uploads.for(as(`owner-${number}`))
      await desk.create(newRecord({ length: 5, metadata }), (upload) => upload.remove('deleted'))
    }
    expect(ledger.totals()).toMatchObject({ used: { bytes: 0, files: 0, unfinished: 0 }, accounts: 0 })
    await uploads.close()
  })

  it('decides by older totals until the recount has ended', async () => {
    const account = { bytes: Number.POSITIVE_INFINITY, files: 2, unfinished: 2 }
    const { ledger, uploads } = await opened({ account })
    ledger.restore({
      total: { bytes: 9, files: 2, unfinished: 2 },
      accounts: [['a', { bytes: 9, files: 2, unfinished: 2 }]],
    })
    const create = (): Promise<void> =>
      uploads.for(as('a')).create(newRecord({ length: 5, metadata }), async () => undefined)
    await expect(create()).rejects.toMatchObject({ code: 'quota_exceeded' })
    await uploads.sweeps.recount(ledger)
    await create()
    await uploads.close()
  })

  it('limits an account by its credentials, and no other account', async () => {
    const { ledger, uploads } = await opened()
    const create = (principal: Principal): Promise<void> =>
      uploads.for(principal).create(newRecord({ length: 60_000, metadata }), async () => undefined)
    const limited = as('a', { quota: 100_000 })
    await create(limited)
    await expect(create(limited)).rejects.toMatchObject({ code: 'quota_exceeded' })
    await create(as('b'))
    expect(ledger.usage('a')).toMatchObject({ used: { files: 1, unfinished: 1 }, limits: { bytes: 100_000 } })
    await uploads.close()
  })
})
