import { parse } from 'content-type'
import { decodeText } from './decode-text.ts'
import { percentDecoded } from './urlencoded.ts'

/**
 * The header of a part, as far as it is used: name and file name of its Content-Disposition, media type, charset, and
 * encoding. The rest is ignored, even if it is malformed.
 */
export interface PartHeader {
  /** The name of the field; empty if there is none. */
  readonly name: string
  /** `undefined` for a part without a `filename` parameter. */
  readonly fileName: FileName | undefined
  /** The media type without parameters, in lower case; empty if there is none. */
  readonly type: string
  readonly charset: string | undefined
  /** Content-Transfer-Encoding in lower case; empty if there is none. */
  readonly encoding: string
}

/** The `filename` parameter, or `filename*`, which RFC 6266 prefers. */
export interface FileName {
  /** The bytes: as sent between the quotes, escapes included, or percent-decoded for `filename*`. */
  readonly raw: Buffer
  /** The charset that `filename*` declares. */
  readonly charset: string | undefined
  readonly extended: boolean
}

/** The start of a parameter, right after a semicolon. */
const PARAMETER = /^[\t ]*([\w!#$%&'*+.^`|~-]+)[\t ]*=/
/** Parameters that may follow a backslash and a quote. */
const KNOWN = /^(file)?name\*?$/
/** The form of `filename*` (RFC 8187): charset, language, percent-encoded bytes. */
const EXTENDED = /^([^']*)'[^']*'(.*)$/s

/** @param header without the empty line after it. */
export function parsePartHeader(header: Buffer): PartHeader {
  const lines = linesOf(header.toString('latin1'))
  const parameters = parametersOf(lines.get('content-disposition') ?? '')
  const { type = '', parameters: { charset } = {} } = parse(lines.get('content-type') ?? '')
  return {
    name: textOf(Buffer.from(parameters.get('name') ?? '', 'latin1'), undefined),
    fileName: fileNameOf(parameters),
    type: type.toLowerCase(),
    charset,
    encoding: (lines.get('content-transfer-encoding') ?? '').toLowerCase(),
  }
}

/**
 * The text of a file name: only the last segment of a path, which Internet Explorer and clients that send folders
 * include.
 *
 * @param formCharset the charset that the form declares.
 */
export function fileNameText({ raw, charset, extended }: FileName, formCharset: string | undefined): string {
  const text = extended ? decodeText(raw, charset) : textOf(raw, formCharset)
  // Only on Windows is a backslash a separator.
  const segments = /^([a-z]:\\|\\\\)/i.test(text) ? text.split(/[/\\]/) : text.split('/')
  return segments.at(-1) || text
}

/** The lines of a header by lower-case name, unfolded; the first of equal names wins. */
function linesOf(header: string): ReadonlyMap<string, string> {
  const lines = new Map<string, string>()
  for (const line of header.replace(/\r?\n[\t ]+/g, ' ').split(/\r?\n/)) {
    const colon = line.indexOf(':')
    const name = trimmed(line.slice(0, Math.max(0, colon))).toLowerCase()
    if (!lines.has(name)) lines.set(name, trimmed(line.slice(colon + 1)))
  }
  return lines
}

/**
 * The parameters of a Content-Disposition by lower-case name; the first of equal names wins. Old clients escape neither
 * quotes nor backslashes, browsers no backslashes. So a semicolon ends a quoted value only between a quote and the
 * start of a parameter. If that quote seems escaped, the parameter must be a known one.
 */
function parametersOf(disposition: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>()
  let current = { name: '', quoted: false, pieces: [] as string[] }
  const end = (): void => {
    if (!parameters.has(current.name)) parameters.set(current.name, contentOf(current.pieces))
  }
  for (const piece of disposition.split(';')) {
    const [start = '', name = ''] = PARAMETER.exec(piece) ?? []
    if (start !== '' && (!current.quoted || mayEnd(current.pieces, name))) {
      end()
      const first = trimmed(piece.slice(start.length))
      current = { name: name.toLowerCase(), quoted: first.startsWith('"'), pieces: [first] }
    } else current.pieces.push(piece)
  }
  end()
  return parameters
}

/** Whether a quoted value, split at its semicolons, may end before the parameter `next`. */
function mayEnd(pieces: readonly string[], next: string): boolean {
  const last = trimmed(pieces.findLast((piece) => trimmed(piece) !== '') ?? '')
  if (!last.endsWith('"') || (pieces.length === 1 && last.length === 1)) return false
  let backslashes = 0
  while (last[last.length - 2 - backslashes] === '\\') backslashes++
  return backslashes % 2 === 0 || KNOWN.test(next.toLowerCase())
}

/** The text between the first and the last quote of a value; all of an unquoted one. */
function contentOf(pieces: readonly string[]): string {
  const end = pieces.findLastIndex((piece) => trimmed(piece) !== '') + 1
  const value = trimmed(pieces.slice(0, end).join(';'))
  if (!value.startsWith('"')) return value
  const closing = value.lastIndexOf('"')
  return closing === 0 ? value.slice(1) : value.slice(1, closing)
}

/** `filename*`, or `filename` if that is missing or malformed. */
function fileNameOf(parameters: ReadonlyMap<string, string>): FileName | undefined {
  const [, charset, encoded] = EXTENDED.exec(parameters.get('filename*') ?? '') ?? []
  if (encoded !== undefined) return { raw: percentDecoded(encoded), charset, extended: true }
  const value = parameters.get('filename') ?? parameters.get('filename*')
  return value === undefined ? undefined : { raw: Buffer.from(value, 'latin1'), charset: undefined, extended: false }
}

/**
 * Unescapes a quoted value. Browsers write `%22`, `%0D`, and `%0A` (HTML, "multipart/form-data encoding algorithm").
 * Other clients escape quotes and backslashes with a backslash; that is assumed if every backslash precedes one of
 * them.
 */
function textOf(raw: Buffer, charset: string | undefined): string {
  const text = decodeText(raw, charset)
  const plain = /^(?:[^\\]|\\["\\])*$/.test(text) ? text.replace(/\\(.)/g, '$1') : text
  return plain.replace(/%22|%0D|%0A/gi, (escaped) => decodeURIComponent(escaped))
}

/** Strips spaces and tabs: `trim` would also strip bytes of GBK. */
function trimmed(text: string): string {
  let start = 0
  let end = text.length
  while (isBlank(text[start])) start++
  while (end > start && isBlank(text[end - 1])) end--
  return text.slice(start, end)
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t'
}
