import { setImmediate as turn } from 'node:timers/promises'
import { parse } from 'content-type'
import { UploadError } from '../server/core/errors.ts'
import { bytesIn } from '../server/core/reader.ts'
import type { Source } from '../server/core/source.ts'
import { BodyBytes } from './body-bytes.ts'
import { DelimiterSearch } from './delimiter-search.ts'
import { FieldList, type Fields, fieldTooLarge, LONGEST_VALUE } from './fields.ts'
import { cutShort, endsInHeader, malformed } from './malformed.ts'
import { fileNameText, type PartHeader, parsePartHeader } from './part-header.ts'

/** How many parts a form may have up to its file, and behind it: pages add fields, but an empty part is far cheaper to send than to read. */
export const MOST_PARTS = 16 * 1024
/** After so many parts other requests get their turn: a batch of bytes may hold thousands of parts. */
const PARTS_PER_TURN = 256
/** How long the header of a part may be, in bytes: what Node accepts for requests, too. */
const LONGEST_HEADER = 16 * 1024
/** How much may stand before the first boundary, in bytes. Nothing does in what browsers send. */
const LONGEST_PREAMBLE = 16 * 1024
/** How many spaces may stand behind a boundary. RFC 2046 allows them; gateways of mail added them. */
const LONGEST_PADDING = 1024
/** How much may follow the closing boundary, in bytes. */
const LONGEST_EPILOGUE = 64 * 1024
/** How much does, in bytes: browsers send CRLF, Flash and needle nothing, form-data-encoder two CRLF. */
const ENDINGS = [2, 0, 4]

const CR = 0x0d
const LF = 0x0a
const SPACE = 0x20
const TAB = 0x09
const CRLF = Buffer.from('\r\n')
const CLOSE = Buffer.from('--')
const HEADER_END = Buffer.from('\r\n\r\n')

/** A multipart/form-data request up to where the content of its file part begins. */
export interface MultipartRequest {
  /** The fields before the file: with html5 all of them. */
  readonly fields: Fields
  /** `undefined` if the part names none. */
  readonly fileName: string | undefined
  /**
   * How many bytes the file part has if it is the last and the form ends as one of the known clients ends it, the likeliest first.
   * Hints, never proof; none without a Content-Length.
   */
  readonly lengths: readonly number[]
  readonly file: FilePart
}

/**
 * The content of the file part. `read` gives `null` only after the closing boundary and the end of the request were seen;
 * it throws `malformed_body` if they do not come, and `several_files`, `field_too_large`, or `too_many_fields` for what
 * follows the file.
 */
export interface FilePart extends Source {
  /** The fields after the file, complete once `read` has given `null`: Flash sends one, `Upload`. */
  readonly trailingFields: Fields
}

/**
 * Reads a multipart/form-data request (RFC 7578) up to the content of its file part, and passes that on as it comes: it costs one
 * search for the delimiter and no copy. Fields that are not read are skipped, whatever their length.
 *
 * @param contentLength the length of the body in bytes, or `undefined` with a transfer coding.
 * @param identityFields as for `FieldList`.
 * @throws UploadError `unsupported_type`, `malformed_body`, `no_file`, `field_too_large`, `too_many_fields`, and whatever
 * `body` throws.
 */
export async function readMultipart(
  body: Source,
  contentType: string,
  contentLength: number | undefined,
  identityFields: readonly string[],
): Promise<MultipartRequest> {
  const boundary = boundaryOf(contentType)
  const bytes = new BodyBytes(body)
  const parts = new Parts(bytes, boundary)
  await parts.skipPreamble()
  const fields = new FieldList(identityFields)
  const header = await parts.toFile(fields)
  if (header === undefined) throw new UploadError('no_file', 'The request has no file part.')
  const isEmpty = await parts.skipEmpty()
  const { fileName } = header
  return {
    fields: fields.fields,
    fileName: fileName === undefined ? undefined : fileNameText(fileName, fields.charset),
    lengths: contentLength === undefined ? [] : lengthsFrom(contentLength - bytes.position, boundary),
    file: new MultipartFile(body, bytes, boundary, parts, new FieldList(identityFields), isEmpty),
  }
}

/**
 * Reads the fields of a form and passes over its files.
 *
 * @throws UploadError what `readMultipart` throws, but `no_file`.
 */
export async function readForm(body: Pick<Source, 'read'>, contentType: string, fields: FieldList): Promise<void> {
  const bytes = new BodyBytes(body)
  const parts = new Parts(bytes, boundaryOf(contentType))
  await parts.skipPreamble()
  while ((await parts.toFile(fields)) !== undefined) await parts.skip()
  await skipEpilogue(bytes)
}

/**
 * The boundary parameter. RFC 2046 allows 1 to 70 characters that do not end with a space; other visible ones than those it
 * lists are let pass, but not those that need escaping.
 */
function boundaryOf(contentType: string): string {
  const { type, parameters } = parse(contentType)
  if (type !== 'multipart/form-data') {
    throw new UploadError('unsupported_type', 'The Content-Type of the request is not multipart/form-data.')
  }
  const boundary = parameters.boundary ?? ''
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

  /** Goes to right after the first boundary. */
  async skipPreamble(): Promise<void> {
    const preamble = await this.#bytes.takeUntil(this.#delimiter, LONGEST_PREAMBLE)
    if (preamble === undefined)
      throw malformed('The body does not begin with the boundary that its Content-Type names.')
    this.#bytes.take(this.#delimiter.length)
  }

  /**
   * Reads parts from right after a boundary on, fields into `fields`.
   *
   * @returns the header of the next file part, of whose body nothing is taken, or `undefined` if the closing boundary came first.
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

  /** Skips the body of a part and the boundary behind it. */
  skip(): Promise<void> {
    return this.#bytes.skipThrough(this.#delimiter)
  }

  /** Goes to the first byte of the body of a part, or to right after the boundary if there is no body. @returns whether there is none. */
  async skipEmpty(): Promise<boolean> {
    this.#bytes.take(CRLF.length)
    const boundary = this.#delimiter.subarray(CRLF.length)
    const isEmpty = await this.#bytes.startsWith(boundary)
    if (isEmpty) this.#bytes.take(boundary.length)
    return isEmpty
  }

  /**
   * Whether a part stands for a file input in which nothing was chosen (HTML, "constructing the entry list"). Where no other file
   * comes, it is an empty file.
   */
  async #isUnchosen({ fileName }: PartHeader): Promise<boolean> {
    if (fileName?.raw.length !== 0) return false
    const empty = Buffer.concat([CRLF, this.#delimiter])
    if (!(await this.#bytes.startsWith(empty))) return false
    const after = (await this.#bytes.peek(empty.length + CLOSE.length)).subarray(empty.length)
    return this.#hasFile || !after.subarray(0, CLOSE.length).equals(CLOSE)
  }

  /** Whether a boundary just read closes the body; then its last two bytes are taken. If not, CRLF must follow, and is left. */
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

  /** Takes the header of a part; CRLF is left, because a boundary right behind the header begins with it. */
  async #header(): Promise<PartHeader> {
    const header = await this.#bytes.takeUntil(HEADER_END, LONGEST_HEADER)
    if (header === undefined) throw malformed('The header of a part is too long.')
    if (header.includes(this.#delimiter)) throw endsInHeader()
    this.#bytes.take(CRLF.length)
    return parsePartHeader(header)
  }

  /** Takes the body of a field's part and the boundary behind it. @returns a copy, because the body's buffers may be filled anew. */
  async #value(name: string): Promise<Buffer> {
    const value = await this.#bytes.takeUntil(this.#delimiter, CRLF.length + LONGEST_VALUE)
    if (value === undefined) throw fieldTooLarge(name)
    this.#bytes.take(this.#delimiter.length)
    return Buffer.from(value.subarray(CRLF.length))
  }
}

/** RFC 7578, section 4.7: senders must not use them, and none is known that does. A value or file in base64 would be taken literally. */
function refuseCoding({ encoding }: PartHeader): void {
  if (!/^(base64|quoted-printable)\b/.test(encoding)) return
  throw malformed('A part has a Content-Transfer-Encoding, which forms must not use.')
}

/** Whatever a client sends behind the closing boundary (RFC 2046 calls it the epilogue). */
async function skipEpilogue(bytes: BodyBytes): Promise<void> {
  let length = 0
  for (let batch = await bytes.next(); batch !== null; batch = await bytes.next()) {
    length += bytesIn(batch)
    if (length > LONGEST_EPILOGUE) throw malformed('Too much follows the closing boundary of the body.')
  }
}

/** The file part and, behind it, the rest of the body. */
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

  get trailingFields(): Fields {
    return this.#trailing.fields
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

  /** The next bytes of the file; none once its delimiter was found. */
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
