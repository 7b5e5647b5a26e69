/** The progress of a body. */
export interface BodyProgress {
  /** Bytes read from the socket. */
  readonly arrived: number
  /** Bytes that the caller of `read` has processed. */
  readonly done: number
  /** Whether reading is paused, because the caller is slower than the client. */
  readonly paused: boolean
  /** Whether the end was read, or the connection is gone. */
  readonly ended: boolean
}

/** The source of a put's bytes. */
export interface Source {
  /**
   * The next bytes in order, about a MiB at most; `null` once, after the last of them, when the source is known to be
   * complete. Bytes that arrived before a failure are returned before it is thrown. The buffers are the caller's until
   * it calls `read` again: then they may be reused. The caller reads until `null` or an error, or cancels.
   *
   * @throws UploadError if no more bytes can follow: connection closed, idle for too long, malformed, cancelled.
   */
  read(): Promise<readonly Buffer[] | null>

  /** Cancels: a waiting `read`, and every later one, throws `reason`. Bytes that were not returned yet are dropped. */
  cancel(reason: Error): void

  /** Since when (`performance.now()`, ms) a `read` has waited for the client; `undefined` if none is waiting. */
  readonly waitingSince: number | undefined

  /** The progress of the body; only sources that read a request body report it. */
  progress?(): BodyProgress | undefined
}

/** A source of bytes in memory. */
export function sourceOf(bytes: readonly Buffer[]): Source {
  let left: readonly Buffer[] | null = bytes
  let cancelled: Error | undefined
  return {
    waitingSince: undefined,
    read: async () => {
      if (cancelled !== undefined) throw cancelled
      const batch = left
      left = null
      return batch
    },
    cancel: (reason) => {
      cancelled = reason
    },
  }
}
