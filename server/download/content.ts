import { create } from 'content-disposition'
import { type Metadata, nameOf } from '../core/record.ts'
import { safeName } from '../core/safe-name.ts'

/** The headers that describe the file, and restrict what a browser does with it. */
export interface ContentHeaders {
  readonly 'Content-Type': string
  readonly 'Content-Disposition': string
  readonly 'Content-Security-Policy': string
}

const UNKNOWN_TYPE = 'application/octet-stream'

/** The names that RFC 6838 §4.2 allows for a registered type; anything after them is a parameter. */
const MEDIA_TYPE = /^([a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126})[ \t]*(?:;|$)/

/**
 * Types that browsers run, load as a style sheet or a manifest, or show as a document with scripts. `nosniff` prevents
 * all of that for an unknown type.
 */
const ACTIVE = new RegExp(
  [
    '^(?:text|application)/(?:x-)?(?:java|ecma|live|j|vb)script',
    '^text/(?:css|html|xsl|cache-manifest|x-component|x-scriptlet)',
    '^application/(?:wasm|hta|x-shockwave-flash|importmap|speculationrules|(?:x-web-app-)?manifest)',
    '^image/svg',
    '^multipart/',
    '[/+](?:xml|xml-dtd|xslt)$',
  ].join('|'),
)

/** Nothing in the file runs or loads, even if a browser shows it despite `attachment`. */
const LOCKED = "sandbox; default-src 'none'"

/** The page that a browser builds around an image styles itself. */
const IMAGE = `${LOCKED}; style-src 'unsafe-inline'`

/**
 * The page that a browser builds around audio or video loads the file again; Chromium uses CORS for that, which fails
 * for an opaque origin. Scripts stay forbidden, so no one can use the origin.
 */
const MEDIUM = "sandbox allow-same-origin; default-src 'none'; style-src 'unsafe-inline'; media-src 'self'"

/**
 * The headers for a file with this metadata (`filename` or `name`, `filetype` or `type`). It is an attachment, unless
 * `inline` is requested and browsers show the type without running anything in the service's origin.
 */
export function contentHeaders(metadata: Metadata, inline: boolean): ContentHeaders {
  const type = mediaType(metadata['filetype'] || metadata['type'])
  const shown = inline && isHarmless(type)
  return {
    'Content-Type': type,
    'Content-Disposition': disposition(shown ? 'inline' : 'attachment', nameOf(metadata)),
    'Content-Security-Policy': shown ? policyFor(type) : LOCKED,
  }
}

/** Whether the query requests `inline`: `?inline` and `?inline=1` do, `?inline=0` does not. */
export function asksForInline(value: string | readonly string[] | undefined): boolean {
  return value !== undefined && value !== '0' && value !== 'false'
}

/** `type/subtype` in lower case without parameters; malformed and active types become `application/octet-stream`. */
function mediaType(declared: string | null | undefined): string {
  const type = MEDIA_TYPE.exec((declared ?? '').trim().toLowerCase())?.[1] ?? UNKNOWN_TYPE
  return ACTIVE.test(type) ? UNKNOWN_TYPE : type
}

function isHarmless(type: string): boolean {
  return /^(image|audio|video)\//.test(type) || type === 'application/pdf'
}

/** A PDF needs no permissions: viewers run outside the page. */
function policyFor(type: string): string {
  if (type.startsWith('image/')) return IMAGE
  return type === 'application/pdf' ? LOCKED : MEDIUM
}

/** `Content-Disposition` (RFC 6266), with the name in the encoding of RFC 8187 unless it is ASCII. */
function disposition(type: 'inline' | 'attachment', name: string | null | undefined): string {
  return create(name ? safeName(name) : undefined, { type })
}
