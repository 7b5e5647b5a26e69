import type { Context } from 'koa'
import { z } from 'zod'
import { addAnswer } from '../core/current-request.ts'
import { MAX_WAIT } from '../core/deadline.ts'
import type { Desk } from '../core/desk.ts'
import type { Instant } from '../core/instant.ts'
import { clientOf, limitRequests } from '../http/address-limits.ts'
import { answerJson } from '../http/json.ts'
import { jsonBody } from '../protocol/json-body.ts'

/** Maximum concurrent proofs per client address. */
const MAX_PER_CLIENT = 4

export interface InstantOptions {
  /** When a body without data is aborted, in milliseconds. */
  readonly idleTimeout: number
  /** The URL of an upload for `Location`. */
  readonly urlOf: (ctx: Context, id: string) => string
}

const digest = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in hexadecimal')

const description = z.object({
  size: z.number().int().nonnegative(),
  fingerprint: digest,
})

/** Keys that the Upload-Metadata of tus can have. */
const key = z
  .string()
  .regex(/^[!-+\--~]+$/, 'must have names of printable ASCII characters without spaces and commas')
  .refine((name) => name !== '__proto__', 'must not have this name')

const claim = z.object({
  question: z.string().max(64),
  proof: digest,
  metadata: z.record(key, z.string().nullable()).optional(),
})

/** Uploads of files that are stored already: a question, and an upload for the right answer. Both throw `UploadError`. */
export class InstantEndpoints {
  readonly #instant: Instant
  readonly #options: InstantOptions
  readonly #limited = limitRequests({
    most: MAX_PER_CLIENT,
    wait: MAX_WAIT,
    sentence: 'Too many files are being compared; try again in a moment.',
    queueOf: (ctx) => clientOf(ctx.ip),
  })

  constructor(instant: Instant, options: InstantOptions) {
    this.#instant = instant
    this.#options = options
  }

  /** `POST /instant`: which bytes of its file a client has to prove. */
  async ask(ctx: Context, desk: Desk): Promise<void> {
    const { size, fingerprint } = await jsonBody(ctx, description, this.#options.idleTimeout)
    desk.checkSize(size)
    const { id, nonce, ranges, lifetime } = this.#instant.ask(desk.principal, size, fingerprint)
    ctx.set('Cache-Control', 'no-store')
    answerJson(ctx, {
      question: id,
      nonce: nonce.toString('hex'),
      ranges: ranges.map(({ start, end }) => [start, end]),
      expiresIn: lifetime / 1000,
    })
  }

  /** `POST /instant/proof`: creates the upload. */
  async finish(ctx: Context, desk: Desk): Promise<void> {
    const { question, proof, metadata = {} } = await jsonBody(ctx, claim, this.#options.idleTimeout)
    await this.#limited(ctx, () =>
      this.#instant.finish(
        desk,
        { question, proof: Buffer.from(proof, 'hex') },
        metadata,
        async ({ record, state }) => {
          const url = this.#options.urlOf(ctx, record.id)
          ctx.status = 201
          ctx.set({ Location: url, 'Cache-Control': 'no-store' })
          addAnswer(record.answer)
          answerJson(ctx, { url, size: record.length, finished: state === 'finished' })
        },
      ),
    )
  }
}
