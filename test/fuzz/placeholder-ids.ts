/**
 * Placeholders for ids that are known only at run time, each as long as the real id, so positions in a message stay the
 * same.
 */
export const FINISHED = 'finished'.padEnd(32, '_')
export const UNFINISHED = 'unfinished'.padEnd(32, '_')
/** The same of the IETF draft. */
export const DRAFT_FINISHED = 'draft-finished'.padEnd(32, '_')
export const DRAFT_UNFINISHED = 'draft-unfinished'.padEnd(32, '_')
/** A finished upload with a link, and that link without the character that begins it. */
export const SHARED = 'shared'.padEnd(32, '_')
export const LINK_CODE = 'link'.padEnd(88, '_')
/** Uploads that may be changed, finished, or removed. */
export const SCRATCH = [
  ...['scratch-plain', 'scratch-deferred', 'scratch-part-1', 'scratch-part-2'],
  ...['scratch-draft', 'scratch-draft-sized'],
].map((name) => name.padEnd(32, '_'))
/** The task of the WebUploader upload that must stay as it is. */
export const KEPT_TASK = 'kept-task-0123456789'
