import { create } from 'content-disposition'
import { nameOf } from '../core/record.ts'
import { safeName } from '../core/safe-name.ts'

/** What the client said of its file when it began the upload: all of it untrusted. */
export type Metadata = Readonly<Record<string, string | null>>

/** The headers that say what the file is and what a browser may do with it. */
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

/** Nothing of the file runs or loads, also where a browser shows it in spite of `attachment`. */
const LOCKED = "sandbox; default-src 'none'"

/** The page that a browser builds around an image styles itself. */
const IMAGE = `${LOCKED}; style-src 'unsafe-inline'`

/**
 * The page that a browser builds around audio or video loads the file a second time; Chromium does that with CORS, which
 * an opaque origin does not pass. Scripts stay forbidden, so that the origin is of no use to anyone.
 */
const MEDIUM = "sandbox allow-same-origin; default-src 'none'; style-src 'unsafe-inline'; media-src 'self'"

/**
 * The headers for a file with this metadata (`filename` or `name`, `filetype` or `type`). It is an attachment unless
 * `inline` is wished and the type is one that browsers show without running anything in the service's origin.
 */
export function contentHeaders(metadata: Metadata, inline: boolean): ContentHeaders {
  const type = mediaType(metadata.filetype || metadata.type)
  const shown = inline && isHarmless(type)
  return {
    'Content-Type': type,
    'Content-Disposition': disposition(shown ? 'inline' : 'attachment', nameOf(metadata)),
    'Content-Security-Policy': shown ? policyFor(type) : LOCKED,
    // Requests of plain <img> and <video> carry no Origin, so that allowed pages cannot be told from others here: a
    // stricter value would shut out those on other sites. Reading the bytes still needs CORS, and the id is the secret.
    'Cross-Origin-Resource-Policy': 'cross-origin',
    'X-Content-Type-Options': 'nosniff',
  }
}

/** Whether the value of the query's `inline` asks for it: `?inline` and `?inline=1` do, `?inline=0` does not. */
export function asksForInline(value: string | readonly string[] | undefined): boolean {
  return value !== undefined && value !== '0' && value !== 'false'
}

/** `type/subtype` in lower case without parameters; what is not well-formed is bytes of an unknown type. */
function mediaType(said: string | null | undefined): string {
  return MEDIA_TYPE.exec((said ?? '').trim().toLowerCase())?.[1] ?? UNKNOWN_TYPE
}

/** SVG and every other XML may carry scripts. */
function isHarmless(type: string): boolean {
  if (type.startsWith('image/svg') || /[/+]xml$/.test(type)) return false
  return /^(image|audio|video)\//.test(type) || type === 'application/pdf'
}

/** A PDF needs nothing: viewers are apart from the page. */
function policyFor(type: string): string {
  if (type.startsWith('image/')) return IMAGE
  return type === 'application/pdf' ? LOCKED : MEDIUM
}

/** `Content-Disposition` (RFC 6266) with the name also in the encoding of RFC 8187 if ASCII cannot say it. */
function disposition(type: 'inline' | 'attachment', name: string | null | undefined): string {
  return create(name ? safeName(readable(name)) : undefined, { type })
}

/** Without what cannot be seen but changes what is seen: controls, line separators, bidi controls, lone surrogates. */
function readable(name: string): string {
  return name.replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, '')
}
