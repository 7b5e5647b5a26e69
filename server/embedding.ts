import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Decisions } from './core/decisions.ts'
import type { OutboxStep, Step } from './disk/environment.ts'
import type { Authorize } from './library/authorize.ts'

/** What the settings cannot say. */
export interface Embedding {
  readonly log: Logger
  /** Whether WebUploader pages can upload. */
  readonly webUploader: boolean
  /** The directory of the built pages; without it, there are no pages and no health checks. */
  readonly pagesFolder?: string | undefined
  /** The decisions of an application in this process. */
  readonly decisions?: Decisions | undefined
  /** Authorizes requests, instead of AUTH. */
  readonly authorize?: Authorize | undefined
  /** Receives the metrics. Without it, they are served at ADMIN_PORT, if that is set. */
  readonly metrics?: Registry | undefined
  /** Called after each step of the disk store and the outbox; tests stop the program there. */
  readonly onStep?: ((step: Step | OutboxStep) => void) | undefined
}
