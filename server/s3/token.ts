import { randomBytes } from 'node:crypto'

/** A random token, by which a process recognizes what it has written itself. */
export function newToken(): string {
  return randomBytes(8).toString('hex')
}
