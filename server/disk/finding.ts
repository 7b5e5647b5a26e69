/** A problem in a data directory. */
export interface Finding {
  /** A path relative to the data directory. */
  readonly place: string
  readonly sentence: string
  /** How to fix it without deleting bytes of a client. `undefined` if a person has to decide. */
  readonly repair: { readonly sentence: string; readonly run: () => Promise<void> } | undefined
}
