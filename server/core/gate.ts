/** A file of which every byte is there, and which no client can read yet. Its bytes no longer change. */
export interface ReceivedFile {
  readonly id: string
  /** The name that the finished file will have. */
  readonly name: string
  /** Bytes. */
  readonly length: number
  /** The type that the client declared; nothing has verified it. */
  readonly declaredType: string | undefined
  readonly owner: string | undefined
  /** Where a program of this host finds the bytes, if they are in a file. */
  readonly path: string | undefined
  /** All bytes, in order. A buffer is valid until the next one is requested. */
  read(): AsyncIterable<Buffer>
}

/** `rejected`: why, for the log of the operator. Clients receive a sentence without it. */
export type Verdict = 'clean' | { readonly rejected: string }

/** Decides whether a file may become visible. */
export interface Gate {
  /**
   * Inspects a file. Neither a crash nor a timeout is a verdict.
   *
   * @param signal aborts the inspection.
   * @throws Error when there is no verdict; the file stays pending, and is inspected again later.
   */
  inspect(file: ReceivedFile, signal: AbortSignal): Promise<Verdict>
}

/** Decides which types of files are accepted. */
export interface TypeRule {
  /** Whether every type is accepted: then only uploads with `typed` in their record are checked. */
  readonly isOpen: boolean
  /** How many bytes at the start of a file `checkStart` needs; it takes fewer of a shorter file. */
  readonly startLength: number
  /**
   * Checks the name of a new file.
   *
   * @param narrower types that are further limits, in the syntax of the rule.
   * @throws UploadError `type_not_allowed`.
   */
  checkName(name: string, narrower?: readonly string[]): void
  /** Checks the first bytes of a file against its name. @throws UploadError `type_not_allowed`. */
  checkStart(name: string, start: Buffer): Promise<void>
}

/** What a file must pass before it becomes visible. */
export interface Checks {
  readonly gate?: Gate | undefined
  readonly types?: TypeRule | undefined
  /** Whether the record of a finished file has its fingerprint. */
  readonly fingerprints?: boolean | undefined
}
