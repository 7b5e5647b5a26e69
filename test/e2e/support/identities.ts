import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SignJWT } from 'jose'

/** For `AUTH=jwt`. */
export const JWT_SECRET = 'a secret of tests, of more than 32 bytes'

/** The service accepts a token a little longer than it says, in seconds. */
const TOLERANCE = 5

/** A token that the service accepts for this many seconds. */
export function tokenFor(subject: string, seconds = 600): Promise<string> {
  return new SignJWT({})
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(subject)
    .setExpirationTime(Math.floor(Date.now() / 1000) + seconds - TOLERANCE)
    .sign(new TextEncoder().encode(JWT_SECRET))
}

/** A login service for `AUTH=forward`: it knows a visitor by a cookie. */
export interface LoginService {
  readonly url: string
  /** Cookies that are signed in; the value is the name of the user. */
  readonly users: Set<string>
  close(): Promise<void>
}

export async function startLoginService(): Promise<LoginService> {
  const users = new Set<string>()
  const server = createServer((request, response) => {
    const user = /(?:^|; )login=(\w+)/.exec(request.headers.cookie ?? '')?.[1]
    if (user !== undefined && users.has(user)) response.setHeader('Remote-User', user)
    else response.statusCode = 401
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    users,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
