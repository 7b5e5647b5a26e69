import { z } from 'zod'
import { EVENT_TYPES } from './events.ts'

/** An event as an outbox writes it. */
export const writtenEvent = z.object({
  id: z.string(),
  type: z.enum(EVENT_TYPES),
  /** The id of the upload, and when it was created. */
  upload: z.string(),
  createdAt: z.string(),
  /** Milliseconds since 1970. */
  at: z.number(),
  /** The only endpoint that it is for; all by default. */
  only: z.string().optional(),
  body: z.unknown(),
})

export type WrittenEvent = Readonly<z.output<typeof writtenEvent>>

/** An event that an endpoint did not accept, as it is kept. Its type may be one of another version. */
export const deadLetter = z.object({
  id: z.string(),
  type: z.string(),
  upload: z.string(),
  createdAt: z.string(),
  at: z.number(),
  /** The endpoint, as `Mailbox.handOut` names it. */
  only: z.string(),
  why: z.string(),
  body: z.unknown(),
})

export type DeadLetter = Readonly<z.output<typeof deadLetter>>

/** What an endpoint has not received. */
export interface Backlog {
  /** The endpoint, as `Mailbox.handOut` names it. */
  readonly endpoint: string
  readonly pending: number
  /** When the oldest pending event happened. */
  readonly oldest: Date | undefined
  readonly dead: readonly DeadLetter[]
}
