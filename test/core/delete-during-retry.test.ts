import { once } from 'node:events'
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import type { Source } from '../../server/core/source.ts'
import type { Upload } from '../../server/core/upload.ts'
import type { Uploads } from '../../server/core/uploads.ts'
import { recordOf } from '../support/store-contract.ts'
import { type UploadsOnDisk, uploadsOnDisk } from '../support/uploads-on-disk.ts'

let uploads: Uploads
let dispose: UploadsOnDisk['dispose']

beforeEach(async () => {
  ;({ uploads, dispose } = await uploadsOnDisk())
  await uploads.create(recordOf('id', 10), async () => undefined)
})
afterEach(() => dispose())

interface Silent extends Source {
  /** Resolves when a read waits for bytes. */
  readonly asked: Promise<void>
  /** Resolves when it is cancelled. */
  readonly cancelled: Promise<void>
  /** Rejects the waiting read with the cancellation. */
  end(): void
}

/** A client that sends nothing. @param endsAtOnce whether a waiting read rejects at once when it is cancelled. */
function silent(endsAtOnce: boolean): Silent {
  const ask = new AbortController()
  const cancel = new AbortController()
  const end = new AbortController()
  return {
    asked: fired(ask.signal),
    cancelled: fired(cancel.signal),
    end: () => end.abort(cancel.signal.reason),
    read: async () => {
      ask.abort()
      await fired(end.signal)
      throw end.signal.reason
    },
    cancel: (reason) => {
      cancel.abort(reason)
      if (endsAtOnce) end.abort(reason)
    },
    waitingSince: undefined,
  }
}

async function fired(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}

/** @returns the error that it throws, if any. */
async function errorOf(work: Promise<void>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  )
}

it.each<[string, (upload: Upload) => Promise<void>]>([
  ['is removed', (upload) => upload.remove('deleted')],
  ['is cancelled', (upload) => upload.remove('deleted', { onlyIncomplete: true })],
])('An upload %s although its client retries while its earlier request is being ended', async (_, leave) => {
  const append = (source: Source): Promise<void> =>
    uploads.use('id', (upload) => upload.receiving.append({ start: 0, end: 10 }, source, 'as-received'))
  const [older, newer] = [silent(false), silent(true)]
  const first = errorOf(append(older))
  await older.asked
  const left = errorOf(uploads.use('id', leave))
  await older.cancelled
  const second = errorOf(append(newer))
  older.end()
  expect(await first).toMatchObject({ code: 'gone' })
  const outcome = await Promise.race([left, newer.asked.then(() => 'the newer one is served')])
  newer.cancel(new Error('The test is over.'))
  expect(outcome).toBeUndefined()
  expect(await second).toMatchObject({ code: 'gone' })
})
