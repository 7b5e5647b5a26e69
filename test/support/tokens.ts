/** Tokens of an application in front of the service. */
import { createSecretKey, type KeyObject } from 'node:crypto'
import { type CryptoKey, SignJWT } from 'jose'

export const JWT_SECRET = 'a secret of the application, 32+ bytes'

export type Claims = Readonly<Record<string, unknown>>

/** Seconds since 1970, from now. */
export const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds

/** Signs these claims exactly, with any header. */
export function signWith(
  key: CryptoKey | KeyObject,
  header: Readonly<{ alg: string; kid?: string; jku?: string; typ?: string }>,
  claims: Claims,
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader(header).sign(key)
}

/** A valid token, as far as `claims` do not replace its own; `undefined` removes one. */
export function tokenFor(sub: string | undefined, claims: Claims = {}): Promise<string> {
  return signWith(createSecretKey(JWT_SECRET, 'utf8'), { alg: 'HS256' }, { sub, exp: inSeconds(300), ...claims })
}

export const bearer = (token: string): { readonly Authorization: string } => ({ Authorization: `Bearer ${token}` })
