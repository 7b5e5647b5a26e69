import type { Context } from 'koa'
import { UploadError } from '../core/errors.ts'
import type { Principal } from '../core/principal.ts'
import { answerJson } from '../http/json.ts'
import type { Authenticator } from './authenticator.ts'

/** What `GET /session` reports of the service. */
export interface SessionOptions {
  readonly authenticator: Authenticator
  /** `application`: an application in this process decides. */
  readonly auth: 'none' | 'jwt' | 'forward' | 'application'
  /** The form field of legacy pages that may hold a token; empty for none. */
  readonly field: string
  readonly downloads: 'on' | 'signed' | 'off'
  readonly termination: 'on' | 'unfinished' | 'off'
  readonly instant: 'off' | 'owner' | 'all'
  /** Maximum bytes of an upload; `Infinity` for no limit. */
  readonly maxSize: number
  /** As in the setting `ALLOWED_TYPES`; empty for all. */
  readonly types: readonly string[]
  /** Maximum bytes of the metadata of an upload; `Infinity` for no limit. */
  readonly maxMetadata: number
  /** What an account uses, and its limits. */
  readonly usageOf: (account: string) => { readonly used: Usage; readonly limits: Usage }
}

interface Usage {
  readonly bytes: number
}

/**
 * `GET /session`: who the caller is, and what it may do. Without valid credentials, it may do nothing; that is no error.
 *
 * @throws UploadError `auth_unavailable`.
 */
export function session(options: SessionOptions): (ctx: Context) => Promise<void> {
  const { authenticator, auth, field, downloads, termination, instant } = options
  return async (ctx) => {
    const principal = await callerOf(ctx, authenticator)
    const may = [...(principal?.may ?? [])].filter((action) => action !== 'delete' || termination !== 'off')
    ctx.set('Cache-Control', 'no-store')
    answerJson(ctx, {
      auth,
      signedIn: principal?.owner !== undefined,
      ...(principal?.owner !== undefined && { owner: principal.owner }),
      may,
      ...(field !== '' && { field }),
      limits: limitsOf(principal, options),
      downloads,
      termination,
      // Without an owner, there are no files of the same owner.
      ...((instant === 'all' || (instant === 'owner' && principal?.owner !== undefined)) && { instant: true }),
    })
  }
}

async function callerOf(ctx: Context, authenticator: Authenticator): Promise<Principal | undefined> {
  try {
    return await authenticator.authenticate(ctx, { actions: [], id: undefined })
  } catch (error) {
    if (!(error instanceof UploadError) || error.code === 'auth_unavailable') throw error
    ctx.remove('WWW-Authenticate')
    return undefined
  }
}

function limitsOf(principal: Principal | undefined, options: SessionOptions): Readonly<Record<string, unknown>> {
  const typesOfAll = options.types.length === 0 ? undefined : options.types
  const {
    maxSize = Number.POSITIVE_INFINITY,
    types = typesOfAll,
    quota = Number.POSITIVE_INFINITY,
  } = principal?.limits ?? {}
  const usage = principal === undefined ? undefined : options.usageOf(principal.account())
  return {
    maxSize: limitOf(Math.min(maxSize, options.maxSize)),
    types,
    quota: limitOf(Math.min(quota, usage?.limits.bytes ?? quota)),
    used: usage?.used.bytes,
    maxMetadata: limitOf(options.maxMetadata),
  }
}

/** `undefined`, which JSON leaves out, for no limit. */
function limitOf(most: number): number | undefined {
  return Number.isFinite(most) ? most : undefined
}
