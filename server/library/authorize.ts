import type { IncomingMessage } from 'node:http'
import type { RequestInfo } from '../core/current-request.ts'
import type { Action } from '../core/principal.ts'

/** A request, as the application sees it when it authorizes it. */
export interface AuthorizeRequest extends RequestInfo {
  /** What the request wants to do. */
  readonly intent: Action
  /** The upload that the URL names, or the name of a signed link. */
  readonly id: string | undefined
  /** The token in the field `AUTH_FIELD` of a WebUploader page. */
  readonly token: string | undefined
  /** The message of Node, with what other middleware has added to it, such as a session. */
  readonly message: IncomingMessage
  /** The request that `fetch` received. */
  readonly web: Request | undefined
}

/** What the application grants. Everything but `subject` restricts. */
export interface Grant {
  /** The user. Its uploads exist for no other user. */
  readonly subject: string
  /** By default, everything. */
  readonly may?: readonly Action[] | undefined
  /** Maximum bytes of a new upload. */
  readonly maxSize?: number | undefined
  /** File types, as in the setting `ALLOWED_TYPES`. */
  readonly types?: readonly string[] | undefined
  /** Maximum bytes of all uploads of this user. */
  readonly quota?: number | undefined
}

/**
 * Decides on whose behalf a request runs. `anonymous`: the URL of an upload is the right to use it. Nothing: the client
 * is not signed in, and receives 401. Called for each request.
 *
 * @throws Refusal. Then the client receives 403, or the status of its answer.
 */
export type Authorize = (request: AuthorizeRequest) => Promise<Verdict> | Verdict

/** What `authorize` returns. */
export type Verdict = Grant | 'anonymous' | null | undefined
