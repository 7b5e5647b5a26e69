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

/** Where the bytes of a put come from. */
export interface Source {
  /**
   * The next bytes in order, about a MiB at most; `null` once, after the last of them, when the source has proved
   * itself whole. Bytes that arrived before a failure are handed out before it is thrown. The buffers are the caller's until
   * it calls `read` again: then they may be filled anew. Whoever reads goes on until `null` or an error, or cancels.
   *
   * @throws UploadError when the bytes cannot go on: connection cut, silent for too long, malformed, cancelled.
   */
  read(): Promise<readonly Buffer[] | null>

  /** Gives up: a `read` that is waiting, and every later one, throws `reason`. Bytes not yet handed out are dropped. */
  cancel(reason: Error): void

  /** Since when (`performance.now()`, ms) a `read` has waited for the client to send something; `undefined` if none does. */
  readonly waitingSince: number | undefined

  /** The progress of the body; only sources that read a request body report it. */
  progress?(): BodyProgress | undefined
}
