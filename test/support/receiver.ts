import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { startStub } from './stub-server.ts'
import { until } from './wire.ts'

export const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

/** A webhook that arrived. */
export interface Delivery {
  readonly type: string
  /** The id of the upload. */
  readonly upload: string
  /** When that was created, as its record says. */
  readonly createdAt: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A receiver of webhooks, which accepts them by default. */
export interface Receiver {
  /** `http://127.0.0.1:port` */
  readonly url: string
  /** The settings of a service that sends it all events but `created`. */
  readonly settings: Readonly<Record<string, string>>
  /** All attempts so far. */
  readonly deliveries: readonly Delivery[]
  /** The types of all attempts so far. */
  readonly types: readonly string[]
  /** Decides how attempts are answered from now on. */
  answer(how: (response: ServerResponse, delivery: Delivery) => void): void
  /** Waits for so many attempts. */
  count(least: number): Promise<void>
  close(): Promise<void>
}

export async function startReceiver(): Promise<Receiver> {
  const deliveries: Delivery[] = []
  let answer: (response: ServerResponse, delivery: Delivery) => void = accept
  const server = await startStub((request, response) => {
    void text(request).then(
      (body) => {
        const { type, data } = JSON.parse(body)
        const delivery = { type, upload: data.id, createdAt: data.created_at, headers: request.headers, body }
        deliveries.push(delivery)
        answer(response, delivery)
      },
      () => undefined,
    )
  })
  return {
    url: server.url,
    settings: { WEBHOOK_URLS: server.url, WEBHOOK_SECRET },
    deliveries,
    get types() {
      return deliveries.map(({ type }) => type)
    },
    answer: (how) => {
      answer = how
    },
    count: (least) => until(async () => deliveries.length >= least),
    close: server.close,
  }
}

/** An answer that accepts the webhook. */
export function accept(response: ServerResponse): void {
  response.writeHead(204).end()
}

/** An answer with this status. */
export function answerWith(
  status: number,
  headers: Readonly<Record<string, string>> = {},
): (response: ServerResponse) => void {
  return (response) => void response.writeHead(status, headers).end()
}
