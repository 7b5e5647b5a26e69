/** The places of everything but files, below the prefix of the store. */

/** The folder of an unfinished upload, with a slash at its end. */
export function liveFolder(prefix: string, id: string): string {
  return `${prefix}live/${id}/`
}

/** The object that says that an upload is finished, or gone. */
export function doneKey(prefix: string, id: string): string {
  return `${prefix}done/${id}`
}

/** The record of a finished upload, if it has changed since. */
export function notesKey(prefix: string, id: string): string {
  return `${prefix}notes/${id}`
}

/** The folder of the notes that name the upload of a sender of WebUploader. */
export function senderFolder(prefix: string): string {
  return `${prefix}senders/`
}

/** The folder of events that are not delivered. */
export function eventFolder(prefix: string): string {
  return `${prefix}out/`
}

/** The folder of events that an endpoint did not accept. */
export function deadFolder(prefix: string): string {
  return `${prefix}dead/`
}

/** The folder of dead letters that are to be sent again. */
export function againFolder(prefix: string): string {
  return `${prefix}again/`
}

/** The folder of the signs of life of all processes. */
export function nodeFolder(prefix: string): string {
  return `${prefix}nodes/`
}

/** The folder of the markers of tombstones. */
export function goneFolder(prefix: string): string {
  return `${prefix}gone/`
}

/**
 * The marker of a tombstone, by the day of the removal.
 *
 * @param isDerived the tombstone stays for ever.
 */
export function goneKey(prefix: string, id: string, at: Date, isDerived: boolean): string {
  return `${goneFolder(prefix)}${at.toISOString().slice(0, 10)}/${isDerived ? 'kept' : 'random'}/${id}`
}
