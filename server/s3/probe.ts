/** What a self-test asks of S3 in addition to the calls of the port. */
export interface Probe {
  /** PutObject with a checksum that is not that of the body. @throws S3Error. */
  putWrong(key: string): Promise<unknown>
  /** PutObject that breaks in the middle of its body. Never fails. */
  putCut(key: string): Promise<void>
  /** Whether S3 keeps, or has kept, old versions of objects. @throws S3Error if that cannot be read. */
  hasVersions(): Promise<boolean>
  /** The rules that are in force. @throws S3Error if they cannot be read. */
  lifecycleRules(): Promise<readonly LifecycleRule[]>
}

export interface LifecycleRule {
  /** The rule is for keys that begin with it. */
  readonly prefix: string
  /** Whether the rule is for all of these keys: not only for certain sizes or tags. */
  readonly isForAll: boolean
  /** Whether objects expire. */
  readonly expires: boolean
  /** Whether versions expire that have been deleted, or replaced. */
  readonly expiresOldVersions: boolean
}
