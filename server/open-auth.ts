import type { Context } from 'koa'
import { anonymous } from './auth/anonymous.ts'
import type { Authenticator } from './auth/authenticator.ts'
import { Owners } from './auth/owners.ts'
import type { Reach } from './http/same-origin.ts'
import type { Keys } from './keys.ts'
import type { Authorize } from './library/authorize.ts'
import type { Settings } from './settings.ts'

/**
 * The authenticator that the settings choose. Libraries of the other ones are not loaded.
 *
 * @param onNotice receives sentences for the operator.
 */
export async function openAuth(
  settings: Settings,
  keys: Keys,
  reach: Reach,
  onNotice: (sentence: string) => void,
): Promise<Authenticator> {
  if (settings.AUTH === 'none') return anonymous(keys.account)
  const owners = new Owners(keys, settings.JWT_ISSUER, settings.UNOWNED_UPLOADS)
  if (settings.AUTH === 'forward') {
    const { ForwardAuthenticator } = await import('./auth/forward.ts')
    return new ForwardAuthenticator({
      url: settings.AUTH_URL,
      subjectHeader: settings.AUTH_SUBJECT_HEADER,
      reach,
      owners,
    })
  }
  const { JwtAuthenticator } = await import('./auth/jwt.ts')
  const application = applicationKeys(settings)
  const unchecked = (['JWT_AUDIENCE', 'JWT_ISSUER'] as const).filter((name) => settings[name] === '')
  if (application !== undefined && unchecked.length > 0) {
    onNotice(`Tokens for other services count, too, if their key is the same: set ${unchecked.join(' and ')}.`)
  }
  return new JwtAuthenticator({
    application,
    algorithms: settings.JWT_ALGORITHMS,
    issuer: settings.JWT_ISSUER,
    audience: settings.JWT_AUDIENCE,
    uploadTokenKey: keys.token,
    cookie: settings.AUTH_COOKIE,
    owners,
  })
}

/** Loaded only for applications that authorize requests. @throws Error with a sentence for the operator. */
export async function openAuthorization(authorize: Authorize, settings: Settings, keys: Keys): Promise<Authenticator> {
  if (settings.AUTH !== 'none') throw new Error('The function authorize and the setting AUTH exclude each other.')
  const { ApplicationAuthenticator } = await import('./library/authorization.ts')
  const owners = new Owners(keys, settings.JWT_ISSUER, settings.UNOWNED_UPLOADS)
  return new ApplicationAuthenticator(authorize, owners, keys.account)
}

function applicationKeys({ JWT_SECRET, JWKS_URL }: Settings): { secret: string } | { url: string } | undefined {
  if (JWT_SECRET !== '') return { secret: JWT_SECRET }
  return JWKS_URL === '' ? undefined : { url: JWKS_URL }
}

/** The handler of `POST /tokens`, if the settings offer it. @param key signs upload tokens. */
export async function openTokens(
  { AUTH, TOKEN_KEY, IDLE_TIMEOUT }: Settings,
  key: Buffer,
): Promise<((ctx: Context) => Promise<void>) | undefined> {
  if (AUTH !== 'jwt' || TOKEN_KEY === '') return undefined
  const { tokenEndpoint } = await import('./auth/token-endpoint.ts')
  return tokenEndpoint({ callerKey: TOKEN_KEY, uploadTokenKey: key, idleTimeout: IDLE_TIMEOUT })
}
