import { entityTags, modifiedSecond, parseHttpDate, strongMatch, type Validators, weakMatch } from './validators.ts'

/** The conditional header fields of a request, as sent; `If-Range` belongs to the range. */
export interface Conditions {
  readonly ifMatch?: string | undefined
  readonly ifUnmodifiedSince?: string | undefined
  readonly ifNoneMatch?: string | undefined
  readonly ifModifiedSince?: string | undefined
}

/** Send the file, 304, or 412. */
export type Verdict = 'send' | 'not_modified' | 'failed'

/** Evaluates the conditions of a GET or HEAD in the order of RFC 9110 §13.2.2. */
export function evaluate(conditions: Conditions, validators: Validators): Verdict {
  if (hasFailed(conditions, validators)) return 'failed'
  if (isNotModified(conditions, validators)) return 'not_modified'
  return 'send'
}

/** Steps 1 and 2: `If-Unmodified-Since` counts only without `If-Match`. */
function hasFailed({ ifMatch, ifUnmodifiedSince }: Conditions, validators: Validators): boolean {
  if (ifMatch !== undefined) return !names(ifMatch, validators.etag, strongMatch)
  const since = moment(ifUnmodifiedSince)
  return since !== undefined && modifiedSecond(validators) > since
}

/** Steps 3 and 4: `If-Modified-Since` counts only without `If-None-Match`. */
function isNotModified({ ifNoneMatch, ifModifiedSince }: Conditions, validators: Validators): boolean {
  if (ifNoneMatch !== undefined) return names(ifNoneMatch, validators.etag, weakMatch)
  const since = moment(ifModifiedSince)
  return since !== undefined && modifiedSecond(validators) <= since
}

function names(list: string, etag: string, match: (a: string, b: string) => boolean): boolean {
  return list.trim() === '*' || entityTags(list).some((tag) => match(tag, etag))
}

/** An invalid date is ignored (RFC 9110 §13.1.3, §13.1.4). */
function moment(date: string | undefined): number | undefined {
  return date === undefined ? undefined : parseHttpDate(date)
}
