/** How far the bytes of a body have come. */
export interface Look {
  /** Bytes that were read from the socket. */
  readonly arrived: number
  /** Those that the caller of `read` is done with. */
  readonly done: number
  /** Whether no more are read, because the caller is slower than the client. */
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

  /** Only sources that are a body, or hand one on, can tell. */
  look?(): Look | undefined
}
