/** The permissions of something new. */
export interface Permission {
  /** As for chmod(2). */
  readonly bits: number
  /** Whether the umask of the process takes some of the bits away, so that they must be set afterwards. */
  readonly isMasked: boolean
}

/** The permissions of what a group of the operator may read: finished files, and the directories that lead to them. */
export interface Modes {
  readonly file: Permission
  readonly folder: Permission
}

/** Everything else is for the service only. */
export const PRIVATE_FILE: Permission = { bits: 0o600, isMasked: false }
export const PRIVATE_FOLDER: Permission = { bits: 0o700, isMasked: false }
