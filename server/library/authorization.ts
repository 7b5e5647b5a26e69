import type { Context } from 'koa'
import { z } from 'zod'
import { anonymous } from '../auth/anonymous.ts'
import type { AccessRequest, Authenticator } from '../auth/authenticator.ts'
import { grantOf } from '../auth/claims.ts'
import type { Owners } from '../auth/owners.ts'
import { noCredentials, unavailable } from '../auth/refusals.ts'
import type { Principal } from '../core/principal.ts'
import { webRequestOf } from '../http/web-request.ts'
import { requestInfo } from '../request-info.ts'
import type { Authorize, Verdict } from './authorize.ts'
import { Refusal } from './refusal.ts'

const bytes = z.int().nonnegative().optional()

/** Anything else that an application returns grants nothing. */
const grant = z.strictObject({
  subject: z.string().min(1),
  may: z.array(z.enum(['create', 'write', 'read', 'delete', 'ask'])).optional(),
  maxSize: bytes,
  types: z.array(z.string().min(1)).min(1).optional(),
  quota: bytes,
})

/** The application in this process decides. */
export class ApplicationAuthenticator implements Authenticator {
  readonly #authorize: Authorize
  readonly #owners: Owners
  readonly #anonymous: Authenticator

  /** @param accountKey derives the accounts of anonymous clients. */
  constructor(authorize: Authorize, owners: Owners, accountKey: Buffer) {
    this.#authorize = authorize
    this.#owners = owners
    this.#anonymous = anonymous(accountKey)
  }

  async authenticate(ctx: Context, request: AccessRequest): Promise<Principal> {
    const verdict = await this.#ask(ctx, request)
    if (verdict === undefined || verdict === null) throw noCredentials(ctx)
    if (verdict === 'anonymous') return this.#anonymous.authenticate(ctx, request)
    const { success, data, error } = grant.safeParse(verdict)
    if (!success) throw unavailable(new TypeError('authorize returned no valid grant.', { cause: error }))
    const { owner, ownsUnowned } = this.#owners.of(data.subject)
    const granted = grantOf({ may: data.may, max_size: data.maxSize, types: data.types, quota: data.quota })
    return { owner, ownsUnowned, ...granted, account: () => owner }
  }

  async #ask(ctx: Context, { actions, id, token }: AccessRequest): Promise<Verdict> {
    // Of two actions that suffice, `read` is the lesser one.
    const intent = actions.includes('read') ? 'read' : (actions[0] ?? 'ask')
    const facts = { intent, id, token, message: ctx.req, web: webRequestOf(ctx.req) }
    try {
      return await this.#authorize({ ...requestInfo(ctx)(), ...facts })
    } catch (error) {
      throw error instanceof Refusal ? error.as('refused', 403) : unavailable(error)
    }
  }
}
