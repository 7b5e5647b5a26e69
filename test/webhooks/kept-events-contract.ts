import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { accept, answerWith, type Receiver, startReceiver } from '../support/receiver.ts'
import { until } from '../support/wire.ts'

/** A process of the service, as far as its events are concerned. It gives an event up at the third attempt. */
export interface EventSource {
  /** A whole file with this id. */
  finish(id: string): Promise<void>
  delete(id: string): Promise<void>
  /** Stops it in order. */
  stop(): Promise<void>
}

/** A place where events are kept, whatever becomes of processes. */
export interface EventsUnderTest {
  /** @param settings of webhooks. */
  start(settings: Readonly<Record<string, string>>): Promise<EventSource>
  /** `landfall webhooks` with these arguments. */
  run(settings: Readonly<Record<string, string>>, args: readonly string[], print: (line: string) => void): Promise<void>
  /** Lets some time pass. */
  passTime(): void
  dispose(): Promise<void>
}

/** The contract of every place where events are kept until they are delivered. */
export function keptEventsContract(make: () => Promise<EventsUnderTest>): void {
  let receiver: Receiver
  let under: EventsUnderTest
  let source: EventSource
  beforeEach(async () => {
    receiver = await startReceiver()
    under = await make()
    source = await under.start(settings())
  })
  afterEach(async () => {
    await source.stop()
    await under.dispose()
    await receiver.close()
  })

  async function restart(): Promise<void> {
    await source.stop()
    source = await under.start(settings())
  }

  function settings(): Readonly<Record<string, string>> {
    return { ...receiver.settings, WEBHOOK_URLS: `${receiver.url}/secret` }
  }

  /** What the command prints. */
  async function run(args: readonly string[]): Promise<string> {
    const lines: string[] = []
    await under.run(settings(), args, (line) => lines.push(line))
    return lines.join('\n')
  }

  /** Waits until the command lists something. */
  async function listed(text: RegExp): Promise<string> {
    let found = ''
    await until(async () => {
      under.passTime()
      found = await run(['ls'])
      return text.test(found)
    })
    return found
  }

  async function arrived(count: number): Promise<void> {
    await until(async () => {
      under.passTime()
      return receiver.deliveries.length >= count
    })
  }

  /** Two files, whose events the receiver does not accept. @returns the ids of the events. */
  async function giveUpTwo(): Promise<readonly string[]> {
    receiver.answer(answerWith(500))
    await source.finish('one')
    await source.finish('two')
    const found = await listed(/pending: 0\n {2}dead: 2/)
    return [...found.matchAll(/evt_[0-9a-f]{32}/g)].map(([id]) => id)
  }

  describe('A dead letter', () => {
    it('is listed with its upload and the last error, and without the path of the URL', async () => {
      await giveUpTwo()
      const found = await run(['ls'])
      expect(found).toContain(receiver.url)
      expect(found).not.toContain('/secret')
      expect(found).toMatch(/ {2}pending: 0\n {2}dead: 2\n/)
      expect(found).toMatch(/evt_[0-9a-f]{32} finished one \S+ "status 500"/)
      expect(receiver.deliveries).toHaveLength(6)
    })

    it('is sent again on request while the service runs', async () => {
      const [first = ''] = await giveUpTwo()
      receiver.answer(accept)
      expect(await run(['retry', first])).toBe('Dead letters queued: 1.')
      await arrived(7)
      expect(receiver.deliveries[6]?.headers['webhook-id']).toBe(first)
      expect(await run(['ls'])).toMatch(/dead: 1/)
    })

    it('is sent again by the next start, if the request comes while the service is stopped', async () => {
      await giveUpTwo()
      await source.stop()
      expect(await run(['retry'])).toBe('Dead letters queued: 2.')
      receiver.answer(accept)
      source = await under.start(settings())
      await arrived(8)
      await restart()
      expect(await listed(/pending: 0\n {2}dead: 0/)).not.toContain('evt_')
      expect(receiver.deliveries).toHaveLength(8)
    })

    it('stays one if its receiver is not in the settings any more', async () => {
      await giveUpTwo()
      await source.stop()
      const { url } = receiver
      await receiver.close()
      receiver = await startReceiver()
      await run(['retry'])
      source = await under.start(settings())
      await listed(/not in WEBHOOK_URLS\)\n {2}pending: 0\n {2}dead: 2/)
      expect(receiver.url).not.toBe(url)
    })

    it('is unknown if it has another id', async () => {
      await giveUpTwo()
      await expect(run(['retry', 'evt_5'])).rejects.toThrow('Unknown dead letter: evt_5.')
    })
  })

  describe('A pending event', () => {
    it('is counted with the time of the oldest', async () => {
      const held: (() => void)[] = []
      receiver.answer((response) => held.push(() => accept(response)))
      const before = Date.now()
      await source.finish('one')
      await source.finish('two')
      await receiver.count(2)
      const [, time = ''] = /the oldest since (\S+)/.exec(await listed(/pending: 2/)) ?? []
      // S3 counts seconds.
      expect(Date.parse(time)).toBeGreaterThanOrEqual(before - 1000)
      for (const answer of held) answer()
      await listed(/pending: 0/)
    })

    it('is sent by the next process, and by no further one', async () => {
      receiver.answer((response) => answerWith(receiver.deliveries.length === 1 ? 503 : 204)(response))
      await source.finish('one')
      await receiver.count(1)
      await restart()
      await arrived(2)
      await listed(/pending: 0/)
      await restart()
      await source.finish('two')
      await arrived(3)
      expect(receiver.deliveries.map(({ upload }) => upload)).toEqual(['one', 'one', 'two'])
    })

    it('of a file is sent before that of its deletion, also if another process has deleted it', async () => {
      // This process sends nothing any more.
      receiver.answer(answerWith(410))
      await source.finish('one')
      await receiver.count(1)
      await restart()
      receiver.answer(accept)
      await source.delete('one')
      await arrived(3)
      expect(receiver.types.slice(1)).toEqual(['upload.finished', 'upload.deleted'])
    })
  })
}
