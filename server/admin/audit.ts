/** An act of an administrator, for the audit log. */
export interface AdminAct {
  /** What was done: `interrupt`, `extend`, … */
  readonly act: string
  /** The id of the upload, if it was done to one. */
  readonly upload: string | undefined
  /** Who did it: `token`, or `sub:` and the subject of a JWT. */
  readonly by: string
  /** The id of the request. */
  readonly request: string | undefined
}

/** Receives the acts of administrators. */
export type NoteAdminAct = (act: AdminAct) => void
