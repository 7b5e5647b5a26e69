import { isIPv4, isIPv6 } from 'node:net'
import type { Context } from 'koa'

/** A host, and its port as written. */
export interface Authority {
  /** In lower case, without a trailing dot; IPv6 addresses are in brackets. */
  readonly host: string
  /** Decimal digits; empty if absent. */
  readonly port: string
}

const MAX_NAME_LENGTH = 253
const MAX_PORT = 65_535

/**
 * Suffixes that no public DNS server resolves (RFC 6761, 6762, 8375, 9476; clusters, home routers), so no other site
 * has them.
 */
const LOCAL_ENDS = ['.localhost', '.local', '.lan', '.internal', '.home.arpa', '.svc']

/**
 * Parses `uri-host [ ":" port ]` (RFC 9110 §7.2): an address or a name, without user information or percent-encoding.
 */
export function parseAuthority(text: string): Authority | undefined {
  const [, written = '', port = ''] = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{0,5}))?$/.exec(text) ?? []
  const host = written.toLowerCase().replace(/\.$/, '')
  const isHost = host.startsWith('[') ? isIPv6(host.slice(1, -1)) : isName(host)
  return isHost && Number(port) <= MAX_PORT ? { host, port } : undefined
}

/** IPv4 addresses match this form, too. */
function isName(text: string): boolean {
  return text.length <= MAX_NAME_LENGTH && text.split('.').every((label) => /^[a-z0-9_-]{1,63}$/.test(label))
}

/**
 * The requested host. An absolute target overrides the Host header (RFC 9112 §3.2.2).
 *
 * @returns `none` for an HTTP/1.0 request without a host, and `undefined` for an invalid host.
 */
export function authorityOf({ originalUrl, headers }: Context): Authority | 'none' | undefined {
  const text = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(originalUrl)?.[1] ?? headers.host
  return text === undefined ? 'none' : parseAuthority(text)
}

/**
 * Whether a host is surely this service: one of `names`, an address, or a local name, which other sites cannot have.
 * With DNS rebinding, the host is the public name of the attacker, and none of these.
 */
export function isOwnHost(host: string, names: ReadonlySet<string>): boolean {
  if (names.has(host) || host.startsWith('[') || isIPv4(host) || !host.includes('.')) return true
  return LOCAL_ENDS.some((end) => host.endsWith(end))
}
