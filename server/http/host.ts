import { isIPv4, isIPv6 } from 'node:net'
import type { Context } from 'koa'

/** The host of a URL, and the port as it was written. */
export interface Authority {
  /** In lower case, without a dot at its end; an IPv6 address in brackets. */
  readonly host: string
  /** Digits; empty for none. */
  readonly port: string
}

const LONGEST_NAME = 253
const LARGEST_PORT = 65_535

/** Names that no public name server answers (RFC 6761, 6762, 8375, 9476; clusters, home routers): no other site can have them. */
const LOCAL_ENDS = ['.localhost', '.local', '.lan', '.internal', '.home.arpa', '.svc']

/** Reads `uri-host [ ":" port ]` (RFC 9110 §7.2): an address or a name, never user information or percent signs. */
export function parseAuthority(text: string): Authority | undefined {
  const [, written = '', port = ''] = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{0,5}))?$/.exec(text) ?? []
  const host = written.toLowerCase().replace(/\.$/, '')
  const isHost = host.startsWith('[') ? isIPv6(host.slice(1, -1)) : isName(host)
  return isHost && Number(port) <= LARGEST_PORT ? { host, port } : undefined
}

/** Addresses have the form of names, too. */
function isName(text: string): boolean {
  return text.length <= LONGEST_NAME && text.split('.').every((label) => /^[a-z0-9_-]{1,63}$/.test(label))
}

/**
 * The host that a request is for: of an absolute target its own, whatever the Host header says (RFC 9112 §3.2.2).
 *
 * @returns `none` for a request of HTTP/1.0 that names no host, and `undefined` for what is no host.
 */
export function authorityOf({ originalUrl, headers }: Context): Authority | 'none' | undefined {
  const text = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(originalUrl)?.[1] ?? headers.host
  return text === undefined ? 'none' : parseAuthority(text)
}

/**
 * Whether a host can be believed to be this service: `names` has it, or it is an address or a name that other sites cannot have. A
 * page of another site whose name was made to lead here (DNS rebinding) has a host for which neither is true.
 */
export function isOwnHost(host: string, names: ReadonlySet<string>): boolean {
  if (names.has(host) || host.startsWith('[') || isIPv4(host) || !host.includes('.')) return true
  return LOCAL_ENDS.some((end) => host.endsWith(end))
}
