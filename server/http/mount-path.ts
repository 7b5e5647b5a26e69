import type { IncomingMessage } from 'node:http'

const paths = new WeakMap<IncomingMessage, string>()

/** Notes the path below which an application has mounted this service, which is no longer in the URL of the request. */
export function setMountPath(request: IncomingMessage, path: string): void {
  paths.set(request, path)
}

/** The path below which an application has mounted this service, without a trailing slash; empty for none. */
export function mountPathOf(request: IncomingMessage): string {
  return paths.get(request) ?? ''
}

/** Segments of `.` or `..`, which browsers resolve, in whatever form (URL Standard, single- and double-dot). */
const DOTS = /\/(?:\.|%2e){1,2}(?:\/|$)/i

/** An absolute path without a trailing slash; never `//host`, which browsers resolve to another server. */
export function isPath(text: string): boolean {
  return /^(?:\/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+)+$/.test(text) && !DOTS.test(text)
}

/** A path of plain characters without a trailing slash, or nothing. */
export function plainPath(text: string): string {
  const path = text.replace(/(?<!\/)\/+$/, '')
  return /^[A-Za-z0-9._~/-]+$/.test(path) && isPath(path) ? path : ''
}

/** A request within the service. */
export interface Place {
  readonly url: string
  /** The path below which the service is mounted. */
  readonly mountPath: string
}

/** The place of a target in origin-form; `undefined` if it is not below `basePath`. */
export function placeBelow(basePath: string, target: string): Place | undefined {
  if (!target.startsWith(basePath)) return undefined
  const url = target.slice(basePath.length)
  if (url === '' || url.startsWith('?')) return { url: `/${url}`, mountPath: basePath }
  return url.startsWith('/') ? { url, mountPath: basePath } : undefined
}
