import busboy from 'busboy'
import { LONGEST_VALUE } from './fields.ts'
import { malformed } from './malformed.ts'

/** What the header of the file part says. */
export interface FileHeader {
  readonly partName: string
  readonly fileName: string | undefined
  readonly mimeType: string
}

/**
 * busboy, fed piece by piece: its `write` parses before it returns, so what a piece amounted to can be asked right after it.
 * It holds nothing but memory and is never ended: that would only make it object that the form is not over.
 */
export class PartParser {
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
}
