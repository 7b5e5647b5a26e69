import type { Service } from '../service/service.ts'
import type { Limits } from '../service/session-response.ts'

/** What the page decides about uploads. Each use reads it again, because attributes change. */
export interface QueueOptions {
  /** Maximum bytes per request. */
  readonly chunkSize: number
  /** Maximum concurrent files; the others are queued. */
  readonly parallel: number
  /** Whether files wait for `start()`. */
  readonly isManual: boolean
  /** What the page itself accepts. */
  readonly limits: Limits
  readonly maxFiles: number
  /** Whether the server compares the digest of each file. */
  readonly checksum: boolean
  /** Whether uploads use the IETF draft instead of tus. */
  readonly isDraft: boolean
  /** Whether the queue survives a reload. */
  readonly resumes: boolean
  /** Metadata of every upload, beside the name and the type. */
  readonly metadata: Readonly<Record<string, string>>
  /** Returns the URL of a finished file with the same content, if there is one, before an upload is created. */
  readonly findFinished: ((file: File) => Promise<string | undefined>) | null
}

/** What all uploads of an element share. */
export interface Context {
  readonly service: Service
  readonly options: QueueOptions
  /** Returns the SHA-256 of a file that is sent meanwhile; null without one. */
  digestOf(file: File): Promise<Uint8Array | null>
}

/**
 * Delay before each retry while the service is available, in milliseconds. New bytes on the server restart the series.
 */
export const RETRY_DELAYS: readonly number[] = [0, 1000, 3000, 5000, 10000, 20000]

/** The same for a deletion. */
export const REMOVAL_DELAYS: readonly number[] = [0, 1000]

/** Maximum delay that a response can ask for by `Retry-After`, in milliseconds. */
export const MAX_RETRY_DELAY = 120_000
