import { decodeText } from './decode-text.ts'
import type { FieldList } from './fields.ts'

/** The bytes of a text with one character per byte, `%XX` decoded. A `%` that begins no such escape stays. */
export function percentDecoded(text: string): Buffer {
  if (!text.includes('%')) return Buffer.from(text, 'latin1')
  const decoded = text.replace(/%([0-9a-f]{2})/gi, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  )
  return Buffer.from(decoded, 'latin1')
}

/**
 * Adds the fields of a query or of an application/x-www-form-urlencoded body. They are parsed as in the URL Standard,
 * but values stay bytes: GBK pages escape GBK.
 *
 * @param text one character per byte.
 * @throws UploadError `too_many_fields`, `field_too_large`.
 */
export function addUrlencoded(fields: FieldList, text: string, charset?: string): void {
  for (const pair of text.split('&')) {
    const equals = pair.indexOf('=')
    const name = decodeText(unescaped(equals === -1 ? pair : pair.slice(0, equals)), charset)
    if (fields.isRead(name))
      fields.add(name, equals === -1 ? Buffer.alloc(0) : unescaped(pair.slice(equals + 1)), charset)
  }
}

function unescaped(text: string): Buffer {
  return percentDecoded(text.replaceAll('+', ' '))
}
