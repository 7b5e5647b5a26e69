import type { Context } from 'koa'
import { isEqual } from '../auth/equal-secrets.ts'
import { invalidToken, noCredentials } from '../auth/refusals.ts'
import { bearerToken } from '../auth/token-sources.ts'
import { UploadError } from '../core/errors.ts'

/** Who administers: a name for the audit log. */
export type Administrator = string

export interface AdminAccessOptions {
  /** `ADMIN_TOKEN`; empty if there is none. */
  readonly token: string
  /** The claim that makes the bearer of a token an administrator. */
  readonly claim: { readonly name: string; readonly value: string } | undefined
  /** Verifies the token of a request, and returns its claims. */
  readonly claimsOf: ((ctx: Context) => Promise<Readonly<Record<string, unknown>>>) | undefined
}

/** Decides who is an administrator. No cookie counts: a page of another site cannot use the browser of one. */
export class AdminAccess {
  readonly #options: AdminAccessOptions

  constructor(options: AdminAccessOptions) {
    this.#options = options
  }

  /** @throws UploadError `unauthenticated`; `forbidden` without the claim; `auth_unavailable`. */
  async identify(ctx: Context): Promise<Administrator> {
    const { token, claim, claimsOf } = this.#options
    const stated = bearerToken(ctx)
    if (stated === undefined) throw noCredentials(ctx)
    if (token !== '' && isEqual(stated, token)) return 'token'
    if (claim === undefined || claimsOf === undefined) throw invalidToken(ctx, 'The token is wrong.')
    const claims = await claimsOf(ctx)
    if (!hasClaim(claims, claim)) throw new UploadError('forbidden', 'Your token is not one of an administrator.')
    return `sub:${String(claims['sub'])}`
  }
}

/** A claim may have one value, or several. */
function hasClaim(
  claims: Readonly<Record<string, unknown>>,
  { name, value }: { name: string; value: string },
): boolean {
  const found = Object.hasOwn(claims, name) ? claims[name] : undefined
  const values: readonly unknown[] = Array.isArray(found) ? found : [found]
  return values.some((one) => (typeof one === 'boolean' || typeof one === 'number' ? String(one) : one) === value)
}
