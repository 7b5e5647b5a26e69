/** The parts of WebUploader that this script uses: they are the same from 0.1.1 to its last version. */

/** A promise of jQuery, or of WebUploader's own replacement. */
export interface Thenable {
  then(done: (...values: unknown[]) => unknown, failed?: (...reasons: unknown[]) => unknown): Thenable
}

export interface Deferred {
  resolve(...values: unknown[]): unknown
  reject(...reasons: unknown[]): unknown
  promise(): Thenable
}

/** Handlers of events and commands. */
export type Call = (...values: unknown[]) => unknown

/** A file in the queue. */
export interface QueuedFile {
  readonly id: string
  readonly name: string
  readonly type: string
  /** Replaced when an image is compressed. `getSource` returns a Blob, except in Flash. */
  readonly source: { readonly size: number; getSource(): unknown }
  /** By number, while the file is being sent. */
  blocks?: Block[]
  remaning?: number
  getStatus(): string
  setStatus(status: 'error'): void
  once(type: 'statuschange', listener: () => void): unknown
}

/** A chunk. */
export interface Block {
  readonly file: QueuedFile
  readonly chunk: number
  readonly chunks: number
  /** Bytes: the range in the file. */
  readonly start: number
  readonly end: number
  transport?: Transport
  /** How often WebUploader itself has sent the chunk again. */
  retried?: number
}

/** The requests of a chunk, one at a time. */
export interface Transport {
  /** The timeout of the running request. */
  readonly _timer?: ReturnType<typeof setTimeout>
  trigger: Call
  send: Call
  abort: Call
  destroy: Call
  getStatus(): unknown
}

/** The widget that cuts and sends files. */
export interface UploadWidget {
  /** The chunks that occupy a thread. */
  readonly pool: Block[]
  remaning: number
  readonly __tick: () => void
}

export interface Uploader {
  readonly options: {
    readonly server: string
    readonly chunked?: boolean
    readonly chunkSize?: number
    readonly formData?: Readonly<Record<string, unknown>> | null
    readonly headers?: Readonly<Record<string, string>> | null
    readonly withCredentials?: boolean
  }
  readonly _widgets: readonly Partial<UploadWidget>[]
  /** Runs the hooks of a command, and then the callback. */
  request: (name: string, subject: unknown, callback?: Call) => unknown
  /** Calls the listeners of an event; false if one of them returned false. */
  trigger: (type: string, ...values: unknown[]) => unknown
  retry(file: QueuedFile, noStart: true): void
  skipFile(file: QueuedFile): void
}

/** A widget of ours: WebUploader creates one for each uploader. */
export interface Widget {
  readonly owner: Uploader
}

export interface Library {
  readonly Base: { readonly Deferred: () => Deferred }
  readonly Uploader: {
    register(commands: Readonly<Record<string, string>>, widget: Readonly<Record<string, Call>>): unknown
  }
  readonly Runtime?: {
    readonly Html5?: {
      readonly Transport?: { readonly prototype: { _initAjax?: (this: { owner: Transport }) => XMLHttpRequest } }
    }
  }
}

declare global {
  interface Window {
    readonly WebUploader?: Library
  }
}
