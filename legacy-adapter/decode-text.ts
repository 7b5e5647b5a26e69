import { isUtf8 } from 'node:buffer'

const BYTE_ORDER_MARK = 0xfeff

/**
 * The text of bytes from a client. A byte order mark decides, then the charset that the client declared, if the bytes are valid
 * in it. Otherwise they are UTF-8, else GB18030, which includes GBK and GB2312, else ISO-8859-1, which takes any bytes: so
 * no byte is lost, and different bytes stay different names wherever one charset is used.
 *
 * @param charset a label of the Encoding Standard, in any case; another one counts as none.
 */
export function decodeText(bytes: Buffer, charset?: string): string {
  for (const label of [markedCharset(bytes), charset]) {
    const text = label === undefined ? undefined : decodedAs(bytes, label)
    if (text !== undefined) return text
  }
  if (isUtf8(bytes)) return withoutMark(bytes.toString())
  return decodedAs(bytes, 'gb18030') ?? bytes.toString('latin1')
}

/** The kind of UTF-16 that a byte order mark at the beginning names. */
export function markedCharset(bytes: Buffer): 'utf-16le' | 'utf-16be' | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le'
  return bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : undefined
}

function decodedAs(bytes: Buffer, label: string): string | undefined {
  try {
    return new TextDecoder(label, { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function withoutMark(text: string): string {
  return text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text
}
