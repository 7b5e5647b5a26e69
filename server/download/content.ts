import { create } from 'content-disposition'
import { type Metadata, nameOf } from '../core/record.ts'
import { safeName } from '../core/safe-name.ts'

/** The headers that describe the file, and restrict what a browser does with it. */
export interface ContentHeaders {
  readonly 'Content-Type': string
  readonly 'Content-Disposition': string
  readonly 'Content-Security-Policy': string
  readonly 'Cross-Origin-Resource-Policy': string
  readonly 'X-Content-Type-Options': string
}

const UNKNOWN_TYPE = 'application/octet-stream'

/** The names that RFC 6838 §4.2 allows for a registered type; anything after them is a parameter. */
const MEDIA_TYPE = /^([a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126})[ \t]*(?:;|$)/

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
    // Requests of plain <img> and <video> have no Origin, so the service cannot recognize allowed pages: a stricter
    // value would exclude those on other sites. Reading the bytes still requires CORS, and the id is secret.
    'Cross-Origin-Resource-Policy': 'cross-origin',
    'X-Content-Type-Options': 'nosniff',
  }
}

/** Whether the query requests `inline`: `?inline` and `?inline=1` do, `?inline=0` does not. */
export function asksForInline(value: string | readonly string[] | undefined): boolean {
  return value !== undefined && value !== '0' && value !== 'false'
}

/** `type/subtype` in lower case without parameters; malformed types become `application/octet-stream`. */
function mediaType(declared: string | null | undefined): string {
  return MEDIA_TYPE.exec((declared ?? '').trim().toLowerCase())?.[1] ?? UNKNOWN_TYPE
}

/** SVG and all other XML may contain scripts. */
function isHarmless(type: string): boolean {
  if (type.startsWith('image/svg') || /[/+]xml$/.test(type)) return false
  return /^(image|audio|video)\//.test(type) || type === 'application/pdf'
}

/** A PDF needs no permissions: viewers run outside the page. */
function policyFor(type: string): string {
  if (type.startsWith('image/')) return IMAGE
  return type === 'application/pdf' ? LOCKED : MEDIUM
}

/** `Content-Disposition` (RFC 6266), with the name in the encoding of RFC 8187 unless it is ASCII. */
function disposition(type: 'inline' | 'attachment', name: string | null | undefined): string {
  return create(name ? safeName(readable(name)) : undefined, { type })
}

/** Without invisible characters that change how a name looks: controls, line separators, bidi, lone surrogates. */
function readable(name: string): string {
  return name.replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, '')
}
