import { hash } from 'node:crypto'
import type { Context } from 'koa'
import { UploadError } from '../core/errors.ts'
import type { Principal } from '../core/principal.ts'
import { KeyedSlots, Slots } from '../core/slots.ts'
import { clientOf } from '../http/address-limits.ts'
import { forwardedRequest } from '../http/forwarded.ts'
import { single } from '../http/header-values.ts'
import type { Reach } from '../http/same-origin.ts'
import { formatMetadata } from '../protocol/upload-metadata.ts'
import type { AccessRequest, Authenticator } from './authenticator.ts'
import { grantOf, isWithin, restrictions } from './claims.ts'
import { ExpiringCache } from './expiring-cache.ts'
import type { Owners } from './owners.ts'
import { invalidToken, noCredentials, unavailable } from './refusals.ts'
import { statedToken } from './token-sources.ts'

/** Options of `AUTH=forward`. */
export interface ForwardOptions {
  /** The service that decides. */
  readonly url: string
  /** The header of its response that names the subject. */
  readonly subjectHeader: string
  /** How clients reach this service. */
  readonly reach: Reach
  readonly owners: Owners
}

/** Maximum duration of a question with its wait for a slot, in milliseconds. */
const TIMEOUT = 5_000

/** How long a permission is remembered, in milliseconds. Refusals are not: the client may have signed in meanwhile. */
const MEMORY = 5_000

/** Maximum permissions that are remembered. */
const MAX_REMEMBERED = 5_000

/** Maximum concurrent questions; others wait, and beyond that are refused. */
const MAX_CONCURRENT = 32
const MAX_WAITING = 1_000

/** One client may have a part of either: it must not keep others waiting when its questions are answered slowly. */
const CLIENT_SHARE = 1 / 8

/** The header of a response that restricts what the client may do: the JSON of the claim `landfall` of a token. */
const RESTRICTIONS = 'X-Landfall-Claims'

/** Headers that describe an upload. A PATCH, too, may state its length. */
const DESCRIPTIONS = ['Upload-Length', 'Upload-Metadata', 'Upload-Concat', 'Content-Disposition', 'Content-Type']

/** `AUTH=forward`: another service decides, as behind `auth_request` of nginx or `forwardAuth` of Traefik. */
export class ForwardAuthenticator implements Authenticator {
  readonly #options: ForwardOptions
  readonly #publicUrl: URL | undefined
  readonly #permissions = new ExpiringCache<Principal>(MAX_REMEMBERED)
  readonly #running = new Map<string, Promise<Principal>>()
  readonly #slots = new Slots(MAX_CONCURRENT)
  /** By client address. */
  readonly #clientSlots = new KeyedSlots(MAX_CONCURRENT * CLIENT_SHARE, MAX_WAITING * CLIENT_SHARE)

  constructor(options: ForwardOptions) {
    this.#options = options
    this.#publicUrl = options.reach.publicUrl === '' ? undefined : new URL(options.reach.publicUrl)
  }

  authenticate(ctx: Context, request: AccessRequest): Principal | Promise<Principal> {
    const question = this.#questionOf(ctx, request)
    const key = hash('sha256', JSON.stringify(question), 'base64')
    const known = this.#permissions.get(key) ?? this.#running.get(key)
    if (known instanceof Promise) return known.catch((error: unknown) => Promise.reject(explained(ctx, error)))
    if (known !== undefined) return known
    const answer = this.#ask(question, ctx, request).then((principal) => {
      this.#permissions.set(key, principal, Date.now() + MEMORY)
      return principal
    })
    const settled = answer.finally(() => this.#running.delete(key))
    this.#running.set(key, settled)
    return settled.catch((error: unknown) => Promise.reject(explained(ctx, error)))
  }

  /** The headers of a question: none of the client's own, except its credentials and the description of its upload. */
  #questionOf(ctx: Context, { token, actions, id, upload }: AccessRequest): Readonly<Record<string, string>> {
    const stated = statedToken(ctx, token)
    const authorization = stated === undefined ? ctx.get('Authorization') : `Bearer ${stated}`
    const cookie = ctx.get('Cookie')
    const client = forwardedRequest(ctx, this.#options.reach.trustProxy)
    const own = this.#publicUrl
    return {
      // A browser's Accept would let some services redirect to a sign-in page, instead of refusing with 401.
      Accept: 'application/json',
      ...(authorization !== '' && { Authorization: authorization }),
      ...(cookie !== '' && { Cookie: cookie }),
      'X-Forwarded-Method': ctx.method,
      'X-Forwarded-Proto': own?.protocol.slice(0, -1) ?? (client.isSecure ? 'https' : 'http'),
      'X-Forwarded-Host': own?.host ?? client.host ?? ctx.get('Host'),
      // Without the query, which may hold a token.
      'X-Forwarded-Uri': `${own?.pathname.replace(/\/$/, '') ?? client.prefix}${ctx.path}`,
      'X-Forwarded-For': ctx.ip,
      'X-Landfall-Action': actions.join(','),
      // A path can name any character; a header cannot.
      ...(id !== undefined && { 'X-Landfall-Upload': encodeURIComponent(id) }),
      ...(upload === undefined ? statedDescription(ctx) : descriptionOf(upload)),
    }
  }

  async #ask(
    question: Readonly<Record<string, string>>,
    { ip, path }: Context,
    request: AccessRequest,
  ): Promise<Principal> {
    const response = await this.#responseTo(question, clientOf(ip)).catch((error: unknown) => {
      throw unavailable(new Error(`AUTH_URL could not be asked: ${reasonOf(error)}`))
    })
    if (response.status === 401) throw new UploadError('unauthenticated', 'The credentials are missing or not valid.')
    if (response.status === 403) throw new UploadError('forbidden', 'You are not allowed to do this.')
    if (!response.ok) throw unavailable(new Error(`AUTH_URL responded with status ${response.status}.`))
    return this.#principalIn(response, path, request)
  }

  async #responseTo(question: Readonly<Record<string, string>>, client: string): Promise<Response> {
    if (this.#running.size >= MAX_CONCURRENT + MAX_WAITING) throw new Error('Too many questions are waiting.')
    const signal = AbortSignal.timeout(TIMEOUT)
    const leaveClient = await this.#clientSlots.enter(client, signal)
    try {
      const leave = await this.#slots.enter(signal)
      try {
        const response = await fetch(this.#options.url, { headers: question, redirect: 'manual', signal })
        await response.body?.cancel()
        return response
      } finally {
        leave()
      }
    } finally {
      leaveClient()
    }
  }

  #principalIn({ headers }: Response, path: string, { actions }: AccessRequest): Principal {
    const { subjectHeader, owners } = this.#options
    const subject = headers.get(subjectHeader) ?? ''
    if (subject === '') throw unavailable(new Error(`AUTH_URL allowed a request, but sent no ${subjectHeader}.`))
    const claims = claimsIn(headers.get(RESTRICTIONS))
    if (claims === undefined) throw unavailable(new Error(`AUTH_URL sent a malformed ${RESTRICTIONS}.`))
    if (claims.path !== undefined && actions.length > 0 && !isWithin(path, claims.path)) {
      throw new UploadError('forbidden', 'You are not allowed to do this.')
    }
    const { owner, ownsUnowned } = owners.of(subject)
    return { owner, ownsUnowned, ...grantOf(claims), account: () => owner }
  }
}

/** The error for one of the requests that a question was asked for: its response names the scheme. */
function explained(ctx: Context, error: unknown): unknown {
  if (!(error instanceof UploadError) || error.code !== 'unauthenticated') return error
  const isAnonymous = ctx.get('Authorization') === '' && ctx.get('Cookie') === ''
  return isAnonymous ? noCredentials(ctx) : invalidToken(ctx, error.message)
}

function statedDescription({ headers }: Context): Readonly<Record<string, string>> {
  // The draft: a request with the whole file need not state its length again.
  const length = headers['upload-complete'] === '?1' ? single(headers, 'Content-Length') : undefined
  const stated = DESCRIPTIONS.flatMap((name) => {
    const value = single(headers, name)
    return value === undefined ? [] : [[name, value] as const]
  })
  return { ...(length !== undefined && { 'Upload-Length': length }), ...Object.fromEntries(stated) }
}

function descriptionOf({ length, name }: NonNullable<AccessRequest['upload']>): Readonly<Record<string, string>> {
  return {
    ...(length !== null && { 'Upload-Length': String(length) }),
    ...(name !== undefined && { 'Upload-Metadata': formatMetadata({ metadata: { filename: name } }) }),
  }
}

/** `undefined` if they are malformed. */
function claimsIn(text: string | null): ReturnType<typeof restrictions.parse> | undefined {
  try {
    return restrictions.safeParse(JSON.parse(text ?? '{}')).data
  } catch {
    return undefined
  }
}

/** The reason of a failed request, which `fetch` keeps in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}
