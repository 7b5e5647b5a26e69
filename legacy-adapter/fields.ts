import { UploadError } from '../server/core/errors.ts'
import { decodeText } from './decode-text.ts'

/** The fields of a request by name, with every value that came under it, in order. A Map, so that `__proto__` is a name like any other. */
export type Fields = ReadonlyMap<string, readonly string[]>

/** How many values a request may have in the fields that are read. WebUploader sends at most eight. */
export const MOST_VALUES = 64
/** How long a value may be in a field that is read: a file name of 300 characters and a time with its zone's name fit many times. Bytes. */
export const LONGEST_VALUE = 8 * 1024

/** RFC 7578, section 4.6: names the charset of all values that do not name their own. */
const CHARSET = '_charset_'

/** The fields that mean something, whatever the rules of identity name; `landfall_file` is set by a script for old pages. */
const READ: ReadonlySet<string> = new Set([
  ...['task_id', 'id', 'name', 'type', 'lastModifiedDate', 'size', 'chunk', 'chunks', 'landfall_file'],
  ...['filename', 'ext', CHARSET],
])

/** Fields as they come in. What the adapter never reads is not kept: a page may add fields of its own, as many and as long as it likes. */
export class FieldList {
  readonly #identityFields: readonly string[]
  readonly #values = new Map<string, { readonly raw: Buffer; readonly charset: string | undefined }[]>()
  #count = 0

  /** @param identityFields names of fields that are read besides the usual ones. */
  constructor(identityFields: readonly string[]) {
    this.#identityFields = identityFields
  }

  /** Whether a field of this name is kept. */
  isRead(name: string): boolean {
    return READ.has(name) || this.#identityFields.includes(name)
  }

  /**
   * Keeps a value of a field that is read.
   *
   * @param charset that its sender declared for this value.
   * @throws UploadError `too_many_fields`, `field_too_large`.
   */
  add(name: string, raw: Buffer, charset?: string): void {
    if (this.#count === MOST_VALUES) {
      throw new UploadError(
        'too_many_fields',
        `The request repeats its fields: it has more than ${MOST_VALUES} values.`,
      )
    }
    if (raw.length > LONGEST_VALUE) throw fieldTooLarge(name)
    this.#count++
    const values = this.#values.get(name)
    if (values === undefined) this.#values.set(name, [{ raw, charset }])
    else values.push({ raw, charset })
  }

  /** The charset that the form declares for all of its values. */
  get charset(): string | undefined {
    return this.#values.get(CHARSET)?.[0]?.raw.toString('latin1')
  }

  get fields(): Fields {
    const { charset: common } = this
    return new Map(
      [...this.#values].map(([name, values]) => [
        name,
        values.map(({ raw, charset = common }) => decodeText(raw, charset)),
      ]),
    )
  }
}

/** The error for a value that is longer than `LONGEST_VALUE`. */
export function fieldTooLarge(name: string): UploadError {
  return new UploadError('field_too_large', `The field "${name}" is longer than ${LONGEST_VALUE} bytes.`)
}

/**
 * The text of a field, or `undefined` if it did not come. The same text twice is one value.
 *
 * @throws UploadError `duplicate_field` if it came with different values: no rule says which of them is meant.
 */
export function oneValue(fields: Fields, name: string): string | undefined {
  const [value, ...others] = fields.get(name) ?? []
  if (others.every((other) => other === value)) return value
  throw duplicateField(name)
}

/**
 * A field that is a whole number in plain decimal digits, from 0 to 2^53 − 1; `undefined` if it did not come.
 *
 * @throws UploadError `bad_field` for anything else (signs, fractions, exponents, spaces, leading zeros, nothing at all),
 * `duplicate_field`.
 */
export function wholeNumber(fields: Fields, name: string): number | undefined {
  const text = oneValue(fields, name)
  if (text === undefined) return undefined
  const number = /^(0|[1-9][0-9]*)$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(number)) return number
  throw new UploadError('bad_field', `The field "${name}" is not a whole number in plain decimal digits.`)
}

function duplicateField(name: string): UploadError {
  return new UploadError('duplicate_field', `The field "${name}" came more than once with different values.`)
}
