import busboy from 'busboy'
import { parse } from 'content-type'
import { UploadError } from '../server/core/errors.ts'
import type { Source } from '../server/core/source.ts'
import { DelimiterSearch } from './delimiter-search.ts'
import { FieldList, type Fields, fieldTooLarge, LONGEST_VALUE } from './fields.ts'

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
  try {
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
  } finally {
    parser?.close()
  }
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

interface FileHeader {
  readonly partName: string
  readonly fileName: string | undefined
  readonly mimeType: string
}

/** busboy, fed piece by piece: its `write` parses before it returns, so what a piece amounted to can be asked right after it. */
class PartParser {
  readonly #busboy: busboy.Busboy
  #file: FileHeader | undefined
  #field: { name: string; value: string | undefined } | undefined
  #isMalformed = false
  #encoding = ''

  constructor(boundary: string) {
    this.#busboy = busboy({
      headers: { 'content-type': `multipart/form-data; boundary="${boundary}"` },
      defParamCharset: 'utf8',
      preservePath: true,
      limits: { fieldSize: LONGEST_VALUE + 1 },
    })
    this.#busboy.on('file', (name, stream, info) => {
      stream.on('error', () => {}).resume()
      this.#file = { partName: name ?? '', fileName: info.filename, mimeType: info.mimeType }
      this.#encoding = info.encoding
    })
    this.#busboy.on('field', (name, value, info) => {
      this.#field = { name: name ?? '', value }
      this.#encoding = info.encoding
    })
    this.#busboy.on('error', () => {
      this.#isMalformed = true
    })
    this.#busboy.write(`--${boundary}`)
  }

  /** @throws UploadError `malformed_body`. */
  write(bytes: Buffer): void {
    this.#busboy.write(bytes)
    if (this.#isMalformed) throw malformed('The header of a part is malformed.')
    // RFC 7578, section 4.7: senders must not use them. A value or file in base64 would be taken literally.
    if (/^(base64|quoted-printable)$/.test(this.#encoding)) {
      throw malformed('A part has a Content-Transfer-Encoding, which forms must not use.')
    }
  }

  /** The header of the file part, once it was written and a few bytes behind it. */
  get file(): FileHeader | undefined {
    return this.#file
  }

  /**
   * The field whose part, up to and including the delimiter behind it, was just written.
   *
   * @throws UploadError `malformed_body` if busboy passed the part over: its Content-Disposition is missing or unreadable, or
   * its charset unknown.
   */
  takeField(): { name: string; value: string } {
    const { name, value } = this.#field ?? {}
    this.#field = undefined
    if (name !== undefined && value !== undefined) return { name, value }
    throw malformed('A part has no Content-Disposition of the type form-data, or an unknown charset.')
  }

  /** busboy objects that the form is not over; the listeners hear that and do nothing. */
  close(): void {
    this.#busboy.destroy()
  }
}

/** The body from its start on, for taking small things out of it; what follows them goes on uncopied. */
class BodyBytes {
  readonly #body: Source
  /** The first bytes that are not taken yet. Joined with those behind them only when something lies across. */
  #first: Buffer = CRLF
  #queue: Buffer[] = []
  /** The CRLF in front stands for the one that a boundary at the very start of the body lacks. */
  #position = -CRLF.length

  constructor(body: Source) {
    this.#body = body
  }

  /** How many bytes of the body have been taken. */
  get position(): number {
    return this.#position
  }

  /** At least `count` bytes from here on; none are taken. */
  async peek(count: number): Promise<Buffer> {
    while (this.#first.length < count) await this.#grow(count)
    return this.#first
  }

  take(count: number): Buffer {
    const taken = this.#first.subarray(0, count)
    this.#first = this.#first.subarray(count)
    this.#position += count
    return taken
  }

  /** Takes everything up to and including `mark`; `undefined`, and nothing taken, if that would be more than `limit` bytes. */
  async takeThrough(mark: Buffer, limit: number): Promise<Buffer | undefined> {
    let searched = 0
    for (;;) {
      const found = this.#first.indexOf(mark, Math.max(0, searched - mark.length + 1))
      if (found !== -1) return found + mark.length <= limit ? this.take(found + mark.length) : undefined
      if (this.#first.length >= limit) return undefined
      searched = this.#first.length
      await this.#grow(limit)
    }
  }

  /** How many bytes from here on are the same as in `pattern`; waits for no more than it takes to tell. */
  async sameAs(pattern: Buffer): Promise<number> {
    let same = 0
    while (same < pattern.length && (await this.peek(same + 1))[same] === pattern[same]) same++
    return same
  }

  /** Everything that has come and is not taken, or the next that comes; `null` at the end of the body. */
  next(): Promise<readonly Buffer[] | null> {
    const batch = [this.#first, ...this.#queue].filter((bytes) => bytes.length > 0)
    if (batch.length === 0) return this.#body.read()
    this.#first = Buffer.alloc(0)
    this.#queue = []
    return Promise.resolve(batch)
  }

  /** Gives back the end of what `next` gave. */
  putBack(first: Buffer, others: readonly Buffer[]): void {
    this.#first = first
    this.#queue = [...others]
  }

  /** Appends to the first bytes what has come behind them, up to `longest` bytes in all, or waits for something to come. */
  async #grow(longest: number): Promise<void> {
    if (this.#queue.length === 0) {
      // The next read fills the buffers of the last one anew.
      this.#first = Buffer.from(this.#first)
      const batch = await this.#body.read()
      if (batch === null) throw cutShort()
      this.#queue = [...batch]
    }
    const next = this.#queue.shift()
    if (next === undefined || this.#first.length === 0) {
      this.#first = next ?? this.#first
      return
    }
    const room = longest - this.#first.length
    this.#first = Buffer.concat([this.#first, next.subarray(0, room)])
    if (next.length > room) this.#queue.unshift(next.subarray(room))
  }
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

function malformed(sentence: string): UploadError {
  return new UploadError('malformed_body', sentence)
}

function endsInHeader(): UploadError {
  return malformed('A part ends inside its header.')
}

function cutShort(): UploadError {
  return malformed('The body ends before its closing boundary.')
}
