import { setImmediate as turn } from 'node:timers/promises'
import { parse } from 'content-type'
import { UploadError } from '../server/core/errors.ts'
import { bytesIn } from '../server/core/reader.ts'
import type { Source } from '../server/core/source.ts'
import { BodyBytes, cutShort, malformed } from './body-bytes.ts'
import { DelimiterSearch } from './delimiter-search.ts'
import { type FieldList, fieldTooLarge, LONGEST_VALUE, type RequestFields } from './fields.ts'
import { fileNameText, type PartHeader, parsePartHeader } from './part-header.ts'

/** Maximum parts before the file, and after it: an empty part is far cheaper to send than to parse. */
export const MOST_PARTS = 16 * 1024
/** After this many parts, other requests get their turn: one batch of bytes may hold thousands of parts. */
const PARTS_PER_TURN = 256
/** Maximum header of a part, in bytes; Node's limit for the header of a request. */
const LONGEST_HEADER = 16 * 1024
/** Maximum preamble, in bytes. Browsers send none. */
const LONGEST_PREAMBLE = 16 * 1024
/** Maximum spaces after a boundary. RFC 2046 allows them; mail gateways added them. */
const LONGEST_PADDING = 1024
/** Maximum epilogue, in bytes. */
const LONGEST_EPILOGUE = 64 * 1024
/** Usual epilogues, in bytes: CRLF from browsers, none from Flash and needle, two CRLF from form-data-encoder. */
const ENDINGS = [2, 0, 4]

const CR = 0x0d
const LF = 0x0a
const SPACE = 0x20
const TAB = 0x09
const CRLF = Buffer.from('\r\n')
const CLOSE = Buffer.from('--')
const HEADER_END = Buffer.from('\r\n\r\n')

/**
 * A multipart/form-data request, parsed up to the content of its file part. It has the fields before the file; with the
 * html5 runtime, these are all.
 */
export interface MultipartRequest extends RequestFields {
  /** `undefined` if the part has none. */
  readonly fileName: string | undefined
  /** The media type of the part without parameters, in lower case; empty if there is none. */
  readonly fileType: string
  /**
   * Possible lengths of the file part, likeliest first. They assume that the part is the last, and that the form ends
   * as known clients end it. Hints, never proof; empty without a Content-Length.
   */
  readonly lengths: readonly number[]
  readonly file: FilePart
}

/**
 * The content of the file part. `read` returns `null` only after the closing boundary and the end of the request. It
 * throws `malformed_body` if they are missing, and `several_files`, `field_too_large`, or `too_many_fields` for what
 * follows the file.
 */
export interface FilePart extends Source {
  /** The fields after the file, complete once `read` has returned `null`. Flash sends one, `Upload`. */
  readonly trailing: RequestFields
}

/**
 * Parses a multipart/form-data request (RFC 7578) up to the content of its file part, and streams that. It costs one
 * search for the delimiter and no copy. Fields that are not read are skipped, whatever their length.
 *
 * @param contentLength the length of the body in bytes, or `undefined` with a transfer coding.
 * @param listFor creates the lists of the fields before the file, and of those after it.
 * @throws UploadError `unsupported_type`, `malformed_body`, `no_file`, `field_too_large`, `too_many_fields`, and what
 * `body` throws.
 */
export async function readMultipart(
  body: Source,
  contentType: string,
  contentLength: number | undefined,
  listFor: () => FieldList,
): Promise<MultipartRequest> {
  const boundary = boundaryOf(contentType)
  const bytes = new BodyBytes(body)
  const parts = new Parts(bytes, boundary)
  await parts.skipPreamble()
  const fields = listFor()
  const header = await parts.toFile(fields)
  if (header === undefined) throw new UploadError('no_file', 'The request has no file part.')
  const isEmpty = await parts.skipEmpty()
  const { fileName, type } = header
  return {
    fields: fields.fields,
    tokens: fields.tokens,
    fileName: fileName === undefined ? undefined : fileNameText(fileName, fields.charset),
    fileType: type,
    lengths: contentLength === undefined ? [] : lengthsFrom(contentLength - bytes.position, boundary),
    file: new MultipartFile(body, bytes, boundary, parts, listFor(), isEmpty),
  }
}

/**
 * Reads the fields of a form and skips its files.
 *
 * @throws UploadError as `readMultipart`, except `no_file`.
 */
export async function readForm(body: Pick<Source, 'read'>, contentType: string, fields: FieldList): Promise<void> {
  const bytes = new BodyBytes(body)
  const parts = new Parts(bytes, boundaryOf(contentType))
  await parts.skipPreamble()
  while ((await parts.toFile(fields)) !== undefined) await parts.skip()
  await skipEpilogue(bytes)
}

/**
 * The boundary parameter. RFC 2046 allows 1 to 70 characters that do not end with a space. Visible characters that it
 * does not list are accepted, unless they need escaping.
 */
function boundaryOf(contentType: string): string {
  const { type, parameters } = parse(contentType)
  if (type !== 'multipart/form-data') {
    throw new UploadError('unsupported_type', 'The Content-Type of the request is not multipart/form-data.')
  }
  const boundary = parameters['boundary'] ?? ''
  if (/^[ !#-[\]-~]{0,69}[!#-[\]-~]$/.test(boundary)) return boundary
  throw malformed('The Content-Type names no boundary of 1 to 70 visible characters.')
}

/** @param left bytes from the content of the file part to the end of the body. */
function lengthsFrom(left: number, boundary: string): readonly number[] {
  const longest = left - (boundary.length + 6)
  return ENDINGS.map((ending) => longest - ending).filter((length) => length >= 0)
}

/** The parts of a form, one after the other, up to the closing boundary. */
class Parts {
  readonly #bytes: BodyBytes
  readonly #delimiter: Buffer
  #hasFile = false

  constructor(bytes: BodyBytes, boundary: string) {
    this.#bytes = bytes
    this.#delimiter = Buffer.from(`\r\n--${boundary}`)
  }

  /** Skips the preamble and the first boundary. */
  async skipPreamble(): Promise<void> {
    const preamble = await this.#bytes.takeUntil(this.#delimiter, LONGEST_PREAMBLE)
    if (preamble === undefined)
      throw malformed('The body does not begin with the boundary that its Content-Type names.')
    this.#bytes.take(this.#delimiter.length)
  }

  /**
   * Parses parts, starting right after a boundary; adds their fields to `fields`.
   *
   * @returns the header of the next file part, with its body unread, or `undefined` at the closing boundary.
   */
  async toFile(fields: FieldList): Promise<PartHeader | undefined> {
    for (let parts = 0; !(await this.#atClosingBoundary()); parts++) {
      if (parts === MOST_PARTS) throw new UploadError('too_many_fields', `The form has more than ${MOST_PARTS} parts.`)
      if (parts % PARTS_PER_TURN === PARTS_PER_TURN - 1) await turn()
      const header = await this.#header()
      const isRead = fields.isRead(header.name)
      const isFile = header.fileName !== undefined || (header.type === 'application/octet-stream' && !isRead)
      if (isFile || isRead) refuseCoding(header)
      if (isFile && !(await this.#isUnchosen(header))) {
        this.#hasFile = true
        return header
      }
      if (isRead && !isFile) fields.add(header.name, await this.#value(header.name), header.charset)
      else await this.skip()
    }
    return undefined
  }

  /** Skips the body of a part and the boundary after it. */
  skip(): Promise<void> {
    return this.#bytes.skipThrough(this.#delimiter)
  }

  /** Advances to the body of a part, or past the boundary if there is no body. @returns whether there is none. */
  async skipEmpty(): Promise<boolean> {
    this.#bytes.take(CRLF.length)
    const boundary = this.#delimiter.subarray(CRLF.length)
    const isEmpty = await this.#bytes.startsWith(boundary)
    if (isEmpty) this.#bytes.take(boundary.length)
    return isEmpty
  }

  /**
   * Whether a part is a file input without a selection (HTML, "constructing the entry list"). If no other file follows,
   * it is an empty file.
   */
  async #isUnchosen({ fileName }: PartHeader): Promise<boolean> {
    if (fileName?.raw.length !== 0) return false
    const empty = Buffer.concat([CRLF, this.#delimiter])
    if (!(await this.#bytes.startsWith(empty))) return false
    const after = (await this.#bytes.peek(empty.length + CLOSE.length)).subarray(empty.length)
    return this.#hasFile || !after.subarray(0, CLOSE.length).equals(CLOSE)
  }

  /**
   * Whether the boundary just read closes the body; if so, its last two bytes are taken. If not, CRLF must follow, and
   * stays.
   */
  async #atClosingBoundary(): Promise<boolean> {
    const after = await this.#bytes.peek(2)
    if (after[0] === CR && after[1] === LF) return false
    if (after.subarray(0, 2).equals(CLOSE)) {
      this.#bytes.take(2)
      return true
    }
    await this.#skipPadding()
    return false
  }

  async #skipPadding(): Promise<void> {
    let padding = 0
    let next = await this.#bytes.peek(1)
    while ((next[padding] === SPACE || next[padding] === TAB) && padding < LONGEST_PADDING) {
      padding++
      next = await this.#bytes.peek(padding + 1)
    }
    if (next[padding] === LF) throw malformed('The lines of a form must end with CRLF.')
    this.#bytes.take(padding)
    if (await this.#bytes.startsWith(CRLF)) return
    throw malformed('The boundary occurs in the body where no part begins or ends.')
  }

  /** Takes the header of a part, but not its last CRLF: a boundary right after the header begins with it. */
  async #header(): Promise<PartHeader> {
    const header = await this.#bytes.takeUntil(HEADER_END, LONGEST_HEADER)
    if (header === undefined) throw malformed('The header of a part is too long.')
    if (header.includes(this.#delimiter)) throw malformed('A part ends inside its header.')
    this.#bytes.take(CRLF.length)
    return parsePartHeader(header)
  }

  /** Takes the value of a field and the boundary after it. @returns a copy, because the buffers may be reused. */
  async #value(name: string): Promise<Buffer> {
    const value = await this.#bytes.takeUntil(this.#delimiter, CRLF.length + LONGEST_VALUE)
    if (value === undefined) throw fieldTooLarge(name)
    this.#bytes.take(this.#delimiter.length)
    return Buffer.from(value.subarray(CRLF.length))
  }
}

/** RFC 7578, section 4.7, deprecates the header, and no known client sends it. Base64 would be taken literally. */
function refuseCoding({ encoding }: PartHeader): void {
  if (!/^(base64|quoted-printable)\b/.test(encoding)) return
  throw malformed('A part has a Content-Transfer-Encoding, which forms must not use.')
}

/** Skips the epilogue (RFC 2046): whatever follows the closing boundary. */
async function skipEpilogue(bytes: BodyBytes): Promise<void> {
  let length = 0
  for (let batch = await bytes.next(); batch !== null; batch = await bytes.next()) {
    length += bytesIn(batch)
    if (length > LONGEST_EPILOGUE) throw malformed('Too much data follows the closing boundary of the body.')
  }
}

/** The file part and the rest of the body after it. */
class MultipartFile implements FilePart {
  readonly #body: Source
  readonly #input: BodyBytes
  readonly #parts: Parts
  readonly #search: DelimiterSearch
  readonly #trailing: FieldList
  #stage: 'content' | 'rest' | 'end'
  #failure: { readonly reason: unknown } | undefined

  /** @param isEmpty whether the part ended with its header. */
  constructor(body: Source, input: BodyBytes, boundary: string, parts: Parts, trailing: FieldList, isEmpty: boolean) {
    this.#body = body
    this.#input = input
    this.#parts = parts
    this.#search = new DelimiterSearch(boundary)
    this.#trailing = trailing
    this.#stage = isEmpty ? 'rest' : 'content'
  }

  get trailing(): RequestFields {
    return this.#trailing
  }

  get waitingSince(): number | undefined {
    return this.#body.waitingSince
  }

  async read(): Promise<readonly Buffer[] | null> {
    this.#throwFailure()
    try {
      if (this.#stage === 'content') {
        const data = await this.#readContent()
        this.#throwFailure()
        if (data.length > 0) return data
      }
      if (this.#stage === 'rest') await this.#readRest()
    } catch (reason) {
      this.#failure ??= { reason }
    }
    this.#throwFailure()
    return null
  }

  cancel(reason: Error): void {
    this.#failure ??= { reason }
    this.#body.cancel(reason)
  }

  /** The next bytes of the file; none once its delimiter is found. */
  async #readContent(): Promise<readonly Buffer[]> {
    const data: Buffer[] = []
    while (data.length === 0 && this.#stage === 'content') {
      const batch = await this.#input.next()
      if (batch === null) throw cutShort()
      for (const [index, piece] of batch.entries()) {
        const searched = this.#search.push(piece)
        data.push(...searched.data)
        if (searched.rest === undefined) continue
        this.#input.putBack(searched.rest, batch.slice(index + 1))
        this.#stage = 'rest'
        break
      }
    }
    return data
  }

  /** Further fields, the closing boundary, and the epilogue. */
  async #readRest(): Promise<void> {
    if ((await this.#parts.toFile(this.#trailing)) !== undefined) {
      throw new UploadError('several_files', 'The request has more than one file part.')
    }
    await skipEpilogue(this.#input)
    this.#stage = 'end'
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.reason
  }
}
