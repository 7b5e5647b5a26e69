import type { Context } from 'koa'
import type { Action, Principal } from '../core/principal.ts'
import type { FieldCredentials } from '../protocol/admit.ts'

/** What a request wants to do. */
export interface AccessRequest extends FieldCredentials {
  /** Any of these actions suffices. */
  readonly actions: readonly Action[]
  /** The upload that the URL names. */
  readonly id: string | undefined
}

/** Finds out on whose behalf a request runs. */
export interface Authenticator {
  /**
   * @throws UploadError `unauthenticated` without valid credentials, `forbidden` if they do not suffice,
   * `auth_unavailable` when that cannot be determined for now.
   */
  authenticate(ctx: Context, request: AccessRequest): Principal | Promise<Principal>
  /**
   * The claims of the application's token in `Authorization`, where clients have such tokens.
   *
   * @throws UploadError like `authenticate`.
   */
  claims?(ctx: Context): Promise<Readonly<Record<string, unknown>>>
}
