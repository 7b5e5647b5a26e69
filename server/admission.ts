import { setTimeout as delay } from 'node:timers/promises'
import type { Context } from 'koa'
import type { AccessRequest, Authenticator } from './auth/authenticator.ts'
import type { Callers } from './core/callers.ts'
import { type CurrentRequest, runFor } from './core/current-request.ts'
import type { Desk } from './core/desk.ts'
import { type ErrorCode, UploadError } from './core/errors.ts'
import type { Action, Principal } from './core/principal.ts'
import type { Uploads } from './core/uploads.ts'
import { setAnswer } from './http/application-answer.ts'
import { type Trace, traceOf } from './http/trace.ts'
import type { Admit } from './protocol/admit.ts'
import { requestInfo } from './request-info.ts'

/** An endpoint that any client may call, because it gives access to no upload. */
interface OpenEndpoint {
  readonly needs: 'open'
  readonly run: (ctx: Context) => unknown
}

/** An endpoint for principals that may do any of the actions in `needs`. */
export interface GuardedEndpoint {
  readonly needs: readonly Action[]
  readonly from?: 'headers'
  /** `id` is empty if the path names no upload. */
  readonly run: (ctx: Context, desk: Desk, id: string) => unknown
}

/** The same, for clients with credentials in their fields: the handler reads those first, and then calls `admit`. */
interface FieldEndpoint {
  readonly needs: readonly Action[]
  readonly from: 'fields'
  readonly run: (ctx: Context, admit: Admit) => unknown
}

export type Endpoint = OpenEndpoint | GuardedEndpoint | FieldEndpoint

/**
 * A response that hides an upload is sent at a multiple of this time after the request, in milliseconds: how long the
 * search took must not reveal whether the upload exists.
 */
const HIDING_STEP = 25

/** The errors for an upload of another owner; `part_gone` is that of a part of a final upload. */
const HIDING: ReadonlySet<ErrorCode> = new Set(['not_found', 'part_gone'])

/** Methods that cause no event. */
const READING: ReadonlySet<string> = new Set(['GET', 'HEAD'])

/** The way of requests to uploads: the one place that asks who the client is, and what it may do. */
export class Admission {
  readonly #authenticator: Authenticator
  readonly #uploads: Uploads
  readonly #hasApplication: boolean
  readonly #callers: Callers<Trace>

  /**
   * @param hasApplication whether an application wants to know the requests behind events and decisions.
   * @param callers learns which requests work on which uploads.
   */
  constructor(authenticator: Authenticator, uploads: Uploads, hasApplication: boolean, callers: Callers<Trace>) {
    this.#authenticator = authenticator
    this.#uploads = uploads
    this.#hasApplication = hasApplication
    this.#callers = callers
  }

  /** Runs an endpoint. @throws UploadError like `Admit`, and what the endpoint throws. */
  run(endpoint: Endpoint, ctx: Context, id: string): unknown {
    return this.#hasApplication ? this.#runWithAnswer(endpoint, ctx, id) : this.#run(endpoint, ctx, id)
  }

  /** Adds what the application answers to the response. */
  async #runWithAnswer(endpoint: Endpoint, ctx: Context, id: string): Promise<void> {
    const request: CurrentRequest = { info: requestInfo(ctx) }
    await runFor(request, () => this.#run(endpoint, ctx, id))
    setAnswer(ctx, request.answer)
  }

  #run(endpoint: Endpoint, ctx: Context, id: string): unknown {
    if (endpoint.needs === 'open') return endpoint.run(ctx)
    const { needs } = endpoint
    if (endpoint.from !== 'fields') return this.#runGuarded(endpoint, ctx, id)
    return endpoint.run(ctx, async (credentials) =>
      this.#deskFor(await this.#authenticate(ctx, { actions: needs, id: undefined, ...credentials }), ctx),
    )
  }

  async #runGuarded({ needs, run }: GuardedEndpoint, ctx: Context, id: string): Promise<void> {
    const begun = performance.now()
    const known = this.#authenticate(ctx, { actions: needs, id: id === '' ? undefined : id })
    const principal = known instanceof Promise ? await known : known
    try {
      // A link names its upload by another name.
      await run(ctx, this.#deskFor(principal, ctx), principal.link ?? id)
    } catch (error) {
      if (principal.owner !== undefined && error instanceof UploadError && HIDING.has(error.code)) {
        await delay(HIDING_STEP - ((performance.now() - begun) % HIDING_STEP))
      }
      throw error
    }
  }

  #deskFor(principal: Principal, ctx: Context): Desk {
    const trace = traceOf(ctx.req)
    if (trace === undefined) return this.#uploads.for(principal)
    trace.owner = principal.owner
    return this.#uploads.for(principal, (id) => {
      trace.upload = id
      return READING.has(ctx.method) ? undefined : this.#callers.enter(id, trace)
    })
  }

  #authenticate(ctx: Context, request: AccessRequest): Principal | Promise<Principal> {
    const known = this.#authenticator.authenticate(ctx, request)
    return known instanceof Promise ? known.then((principal) => allowed(principal, request)) : allowed(known, request)
  }
}

/** @throws UploadError `forbidden`. */
function allowed(principal: Principal, { actions }: AccessRequest): Principal {
  if (actions.some((action) => principal.may.has(action))) return principal
  throw new UploadError('forbidden', 'Your credentials do not allow this.')
}
