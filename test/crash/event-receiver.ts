import { text } from 'node:stream/consumers'
import type { Random } from '../support/random.ts'
import { WEBHOOK_SECRET } from '../support/receiver.ts'
import { type StubServer, startStub } from '../support/stub-server.ts'

/** How often the first attempt is answered with an error. The second one comes seconds later, the third one minutes. */
const FAILURES = 0.02

/** The types of the events of one upload, each once, in the order in which they first arrived. */
export interface Story {
  /** The id of the upload, and when it was created: ids can be used again. */
  readonly id: string
  readonly createdAt: string
  readonly types: readonly string[]
}

/** A receiver of webhooks that outlives the kills, and sometimes answers with an error. */
export class EventReceiver {
  readonly #server: StubServer
  readonly #random: Random
  readonly #refused = new Set<string>()
  readonly #stories = new Map<string, Story & { readonly types: string[] }>()

  private constructor(random: Random, server: StubServer) {
    this.#random = random
    this.#server = server
  }

  static async start(random: Random): Promise<EventReceiver> {
    const receiver: EventReceiver = new EventReceiver(
      random,
      await startStub((request, response) => {
        void text(request).then(
          (body) => response.writeHead(receiver.#take(String(request.headers['webhook-id']), body) ? 204 : 500).end(),
          () => undefined,
        )
      }),
    )
    return receiver
  }

  /** The settings of a service that sends it all events. */
  get settings(): Readonly<Record<string, string>> {
    return {
      WEBHOOK_URLS: this.#server.url,
      WEBHOOK_SECRET,
      WEBHOOK_EVENTS: 'created,finished,failed,rejected,deleted,expired',
    }
  }

  get stories(): readonly Story[] {
    return [...this.#stories.values()]
  }

  /** How many events arrived, each counted once. */
  get count(): number {
    return this.stories.reduce((sum, { types }) => sum + types.length, 0)
  }

  close(): Promise<void> {
    return this.#server.close()
  }

  #take(id: string, body: string): boolean {
    if (!this.#refused.has(id) && this.#random.chance(FAILURES)) {
      this.#refused.add(id)
      return false
    }
    const { type, data } = JSON.parse(body)
    const key = `${data.id} ${data.created_at}`
    const story = this.#stories.get(key) ?? storyOf(data.id, data.created_at)
    this.#stories.set(key, story)
    if (!story.types.includes(type)) story.types.push(type)
    return true
  }
}

function storyOf(id: string, createdAt: string): Story & { readonly types: string[] } {
  return { id, createdAt, types: [] }
}
