import { createSecretKey } from 'node:crypto'
import { type ProtectedHeaderParameters, SignJWT } from 'jose'
import { z } from 'zod'
import { restrictions } from './claims.ts'

/** The explicit type keeps tokens of this service apart from those of an application (RFC 8725 §3.11). */
export const UPLOAD_TOKEN = { issuer: 'landfall', type: 'landfall-upload+jwt' } as const

/** Maximum lifetime of an upload token, in seconds. */
const MAX_LIFETIME = 366 * 24 * 60 * 60

/** What a new upload token is for. `expires_in` is in seconds. */
export const uploadTokenRequest = restrictions.extend({
  sub: z.string('must be the name of the subject').min(1, 'must not be empty').max(1_000, 'is too long'),
  expires_in: z
    .int('must be seconds')
    .min(1, 'must be seconds')
    .max(MAX_LIFETIME, `must be at most ${MAX_LIFETIME} seconds`),
})

export type UploadTokenRequest = z.output<typeof uploadTokenRequest>

/** A new upload token. `expires` in seconds since 1970. */
export interface UploadToken {
  readonly token: string
  readonly expires: number
}

/** Signs an upload token. Unless `may` says otherwise, it allows to upload, but not to read or delete. */
export async function createUploadToken(key: Buffer, request: UploadTokenRequest): Promise<UploadToken> {
  const { sub, expires_in: lifetime, may = ['create', 'write', 'ask'], ...limits } = request
  const expires = Math.floor(Date.now() / 1000) + lifetime
  const token = await new SignJWT({ landfall: { may, ...limits } })
    .setProtectedHeader({ alg: 'HS256', typ: UPLOAD_TOKEN.type })
    .setIssuer(UPLOAD_TOKEN.issuer)
    .setSubject(sub)
    .setIssuedAt()
    .setExpirationTime(expires)
    .sign(createSecretKey(key))
  return { token, expires }
}

/** Whether a token claims to be an upload token; only its signature proves it. */
export function isUploadToken({ typ }: ProtectedHeaderParameters): boolean {
  return typ === UPLOAD_TOKEN.type
}
