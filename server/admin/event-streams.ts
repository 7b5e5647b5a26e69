import type { ServerResponse } from 'node:http'
import { UploadError } from '../core/errors.ts'
import type { ServerEvent, Stats } from './contract.ts'

/** So many streams may be open. */
const MAX_STREAMS = 16

/** A reader that is so far behind is disconnected, in bytes. */
const MAX_BEHIND = 1024 * 1024

/** So many events come at a time. */
const MAX_EVENTS = 200

/** How often events, statistics, and heartbeats are sent, in milliseconds. */
const SEND_EVERY = 250
const STATS_EVERY = 2_000
const BEAT_EVERY = 15_000

type UploadEvent = Extract<ServerEvent, { event: 'upload' }>['data']

interface Stream {
  readonly response: ServerResponse
  /** The only upload whose events it sends. */
  readonly upload: string | undefined
  waiting: UploadEvent[]
  missed: number
}

/** The open streams of server-sent events. */
export class EventStreams {
  readonly #stats: () => Promise<Stats>
  readonly #streams = new Set<Stream>()
  #timers: readonly NodeJS.Timeout[] = []

  constructor(stats: () => Promise<Stats>) {
    this.#stats = stats
  }

  /** Whether anybody reads. */
  get isOpen(): boolean {
    return this.#streams.size > 0
  }

  /**
   * Sends events on a response until its client disconnects.
   *
   * @throws UploadError `busy` when too many streams are open.
   */
  open(response: ServerResponse, upload: string | undefined): void {
    if (this.#streams.size >= MAX_STREAMS) throw new UploadError('busy', 'Too many streams of events are open.')
    const stream: Stream = { response, upload, waiting: [], missed: 0 }
    this.#streams.add(stream)
    response.once('close', () => {
      this.#streams.delete(stream)
      if (this.#streams.size === 0) this.#stop()
    })
    response.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      // nginx would wait for more.
      'X-Accel-Buffering': 'no',
    })
    response.write(': events of uploads\n\n')
    if (this.#timers.length === 0) this.#start()
    this.#sendStats([stream])
  }

  publish(event: UploadEvent): void {
    for (const stream of this.#streams) {
      if (stream.upload !== undefined && stream.upload !== event.upload.id) continue
      if (stream.waiting.length < MAX_EVENTS) stream.waiting.push(event)
      else stream.missed += 1
    }
  }

  close(): void {
    this.#stop()
    for (const { response } of this.#streams) response.end()
  }

  #start(): void {
    const timers = [
      setInterval(() => this.#sendWaiting(), SEND_EVERY),
      setInterval(() => this.#sendStats([...this.#streams]), STATS_EVERY),
      setInterval(() => this.#send([...this.#streams], ': \n\n'), BEAT_EVERY),
    ]
    this.#timers = timers.map((timer) => timer.unref())
  }

  #stop(): void {
    for (const timer of this.#timers) clearInterval(timer)
    this.#timers = []
  }

  #sendWaiting(): void {
    for (const stream of this.#streams) {
      const { waiting, missed } = stream
      const events: ServerEvent[] = waiting.map((data) => ({ event: 'upload', data }))
      if (missed > 0) events.push({ event: 'missed', data: { count: missed } })
      stream.waiting = []
      stream.missed = 0
      this.#send([stream], events.map(textOf).join(''))
    }
  }

  #sendStats(streams: readonly Stream[]): void {
    this.#stats()
      .then((data) => this.#send(streams, textOf({ event: 'stats', data })))
      // The next ones may succeed.
      .catch(() => undefined)
  }

  #send(streams: readonly Stream[], text: string): void {
    if (text === '') return
    for (const { response } of streams) {
      if (response.writableLength > MAX_BEHIND) response.destroy()
      else if (!response.writableEnded) response.write(text)
    }
  }
}

function textOf({ event, data }: ServerEvent): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}
