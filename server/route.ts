import type { Endpoint } from './admission.ts'

/** The endpoints of one path and method, by the protocol that the request names in its headers. */
export type ByProtocol = Readonly<Record<'tus' | 'draft' | 'none', Endpoint>>

/** A method and a path, and what they need. */
export interface Route {
  readonly method: 'OPTIONS' | 'HEAD' | 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** `:id` matches the id of an upload. */
  readonly path: string
  /** Whether concurrent requests of one client address are limited. */
  readonly limited?: true
  readonly answer: Endpoint | ByProtocol
}
