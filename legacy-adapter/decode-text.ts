import { isUtf8 } from 'node:buffer'

/**
 * Decodes text from a client. A byte order mark wins, then the declared charset if the bytes are valid in it. Otherwise
 * the text is UTF-8, else GB18030, which includes GBK and GB2312, else ISO-8859-1, which accepts any bytes. No byte is
 * lost: within one charset, different bytes remain different names.
 *
 * @param charset a label of the Encoding Standard, in any case; unknown labels are ignored.
 */
export function decodeText(bytes: Buffer, charset?: string): string {
  for (const label of [markedCharset(bytes), charset]) {
    const text = label === undefined ? undefined : decodedAs(bytes, label)
    if (text !== undefined) return text
  }
  if (isUtf8(bytes)) return bytes.toString().replace(/^\ufeff/, '')
  return decodedAs(bytes, 'gb18030') ?? bytes.toString('latin1')
}

/** The UTF-16 variant that a leading byte order mark names. */
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
