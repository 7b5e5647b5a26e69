import { parse } from 'content-type'
import { UploadError } from '../server/core/errors.ts'
import type { Source } from '../server/core/source.ts'
import { BodyBytes } from './body-bytes.ts'
import { DelimiterSearch } from './delimiter-search.ts'
import { FieldList, type Fields, fieldTooLarge, LONGEST_VALUE } from './fields.ts'
import { cutShort, endsInHeader, malformed } from './malformed.ts'
import { type FileHeader, PartParser } from './part-parser.ts'

/** How long the header of a part may be, in bytes: what busboy, and Node for requests, accept too. */
const LONGEST_HEADER = 16 * 1024
/** How much may stand before the first boundary, in bytes. Nothing does in what browsers send. */
const LONGEST_PREAMBLE = 16 * 1024
/** How much may follow the closing boundary, in bytes. Browsers send a CRLF, Flash nothing. */
const LONGEST_EPILOGUE = 64 * 1024

const CRLF = Buffer.from('\r\n')
const CLOSE = Buffer.from('--')
const HEADER_END = Buffer.from('\r\n\r\n')

/** A multipart/form-data request up to where the content of its file part begins. */
export interface MultipartRequest {
  /** The fields before the file: with html5 all of them. */
  readonly fields: Fields
  readonly partName: string
  /** The `filename` parameter as it came, with paths and with `%22` for quotes; WebUploader's field `name` is the better one. */
  readonly fileName: string | undefined
  readonly mimeType: string
  /** Where in the body the content of the file part begins. Bytes. */
  readonly contentStart: number
  /** The most bytes that the file part can have, if the length of the body is known. */
  readonly longest: number | undefined
  /** How many bytes the file part has if it is the last and only CRLF follows the closing boundary: a hint, never proof. */
  readonly hint: number | undefined
  readonly file: FilePart
}

/**
 * The content of the file part. `read` gives `null` only after the closing boundary and the end of the request were seen;
 * it throws `malformed_body` if they do not come, and `several_files`, `field_too_large`, or `too_many_fields` for what
 * follows the file.
 */
export interface FilePart extends Source {
  /** How many bytes `read` has given so far. */
  readonly bytes: number
  /** The fields after the file, complete once `read` has given `null`: Flash sends one, `Upload`. */
  readonly trailingFields: Fields
}

/**
 * Reads a multipart/form-data request (RFC 7578) up to the content of its file part, and hands that on as it comes. busboy
 * parses headers and fields; the file part it never sees, so that this costs one search for the delimiter and no copy.
 *
 * @param contentLength the length of the body in bytes, or `undefined` with a transfer coding.
 * @throws UploadError `unsupported_type`, `malformed_body`, `no_file`, `field_too_large`, `too_many_fields`, and whatever
 * `body` throws.
 */
export async function readMultipart(
  body: Source,
  contentType: string,
  contentLength: number | undefined,
): Promise<MultipartRequest> {
  const boundary = boundaryOf(contentType)
  const bytes = new BodyBytes(body)
  await skipPreamble(bytes, boundary)
  const fields = new FieldList()
  const header = await readToFile(bytes, boundary, fields)
  if (header === undefined) throw new UploadError('no_file', 'The request has no file part.')
  const contentStart = bytes.position
  return {
    ...header,
    fields: fields.fields,
    contentStart,
    ...lengths(contentStart, boundary, contentLength),
    file: new MultipartFile(body, bytes, boundary),
  }
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

/** Between the content of the file part and the end of the body stand CRLF `--boundary--`, and mostly one more CRLF. */
function lengths(
  contentStart: number,
  boundary: string,
  contentLength: number | undefined,
): Pick<MultipartRequest, 'longest' | 'hint'> {
  if (contentLength === undefined) return { longest: undefined, hint: undefined }
  const longest = contentLength - contentStart - (boundary.length + 6)
  return { longest: Math.max(0, longest), hint: longest < 2 ? undefined : longest - 2 }
}

/** Goes to right after the first boundary. */
async function skipPreamble(bytes: BodyBytes, boundary: string): Promise<void> {
  const preamble = await bytes.takeThrough(Buffer.from(`\r\n--${boundary}`), LONGEST_PREAMBLE)
  if (preamble === undefined) throw malformed('The body does not begin with the boundary that its Content-Type names.')
}

/**
 * Reads parts from right after a boundary on, fields into `fields`.
 *
 * @returns the header of the first file part, of whose content nothing is taken from `bytes`; `undefined` if the closing
 * boundary came first.
 */
async function readToFile(bytes: BodyBytes, boundary: string, fields: FieldList): Promise<FileHeader | undefined> {
  const delimiter = Buffer.from(`\r\n--${boundary}`)
  let parser: PartParser | undefined
  while (!(await atClosingBoundary(bytes))) {
    parser ??= new PartParser(boundary)
    const header = await bytes.takeThrough(HEADER_END, LONGEST_HEADER)
    if (header === undefined) throw malformed('The header of a part is too long.')
    if (header.includes(delimiter)) throw endsInHeader()
    parser.write(header)
    // busboy keeps the CRLF at the header's end to itself until a byte comes that cannot belong to a delimiter
    const same = await bytes.sameAs(delimiter.subarray(CRLF.length))
    if (same === delimiter.length - CRLF.length) throw endsInHeader()
    // It keeps views of a value until the value ends, and by then the body's buffers may be filled anew
    parser.write(Buffer.from((await bytes.peek(same + 1)).subarray(0, same + 1)))
    const file = parser.file
    if (file !== undefined) return file
    const value = await bytes.takeThrough(delimiter, LONGEST_VALUE + delimiter.length)
    parser.write(value?.subarray(same + 1) ?? delimiter)
    const field = parser.takeField()
    if (value === undefined) throw fieldTooLarge(field.name)
    fields.add(field.name, field.value)
  }
  return undefined
}

/** Whether a boundary just read closes the body; then its last two bytes are taken. If not, CRLF must follow, and is left. */
async function atClosingBoundary(bytes: BodyBytes): Promise<boolean> {
  const after = (await bytes.peek(2)).subarray(0, 2)
  if (after.equals(CLOSE)) {
    bytes.take(2)
    return true
  }
  if (after.equals(CRLF)) return false
  throw malformed('The boundary occurs in the body where no part begins or ends.')
}

/** The file part and, behind it, the rest of the body. */
class MultipartFile implements FilePart {
  readonly #body: Source
  readonly #input: BodyBytes
  readonly #boundary: string
  readonly #search: DelimiterSearch
  readonly #trailing = new FieldList()
  #bytes = 0
  #stage: 'content' | 'rest' | 'end' = 'content'
  #failure: { readonly reason: unknown } | undefined

  constructor(body: Source, input: BodyBytes, boundary: string) {
    this.#body = body
    this.#input = input
    this.#boundary = boundary
    this.#search = new DelimiterSearch(boundary)
  }

  get bytes(): number {
    return this.#bytes
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
        if (data.length > 0) return this.#handOut(data)
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

  #handOut(data: readonly Buffer[]): readonly Buffer[] {
    this.#throwFailure()
    for (const bytes of data) this.#bytes += bytes.length
    return data
  }

  /** Further fields, the closing boundary, and whatever a client sends behind it (RFC 2046 calls it the epilogue). */
  async #readRest(): Promise<void> {
    if ((await readToFile(this.#input, this.#boundary, this.#trailing)) !== undefined) {
      throw new UploadError('several_files', 'The request has more than one file part.')
    }
    let epilogue = 0
    for (let batch = await this.#input.next(); batch !== null; batch = await this.#input.next()) {
      for (const bytes of batch) epilogue += bytes.length
      if (epilogue > LONGEST_EPILOGUE) throw malformed('Too much follows the closing boundary of the body.')
    }
    this.#stage = 'end'
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.reason
  }
}
