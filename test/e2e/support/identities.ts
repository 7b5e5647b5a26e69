import { createServer } from 'node:http'
import { SignJWT } from 'jose'

/** For `AUTH=jwt`. */
export const JWT_SECRET = 'a secret of tests, of more than 32 bytes'

/** The service accepts a token a little longer than it says, in seconds. */
const TOLERANCE = 5

/** A token that the service accepts for this many seconds. @param narrowed what it allows, if not everything. */
export function tokenFor(subject: string, seconds = 600, narrowed?: Readonly<{ may: string[] }>): Promise<string> {
  return new SignJWT(narrowed === undefined ? {} : { landfall: narrowed })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(subject)
    .setExpirationTime(Math.floor(Date.now() / 1000) + seconds - TOLERANCE)
    .sign(new TextEncoder().encode(JWT_SECRET))
}

/** A login service for `AUTH=forward`: the cookie `login` names the user, unless it is `expired`. */
export interface LoginService {
  readonly url: string
  close(): Promise<void>
}

export async function startLoginService(): Promise<LoginService> {
  const server = createServer((request, response) => {
    const user = /(?:^|; )login=(\w+)/.exec(request.headers.cookie ?? '')?.[1]
    if (user !== undefined && user !== 'expired') response.setHeader('Remote-User', user)
    else response.statusCode = 401
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The login service has no port.')
  return {
    url: `http://127.0.0.1:${address.port}/`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
