import { UploadError } from '../server/core/errors.ts'

/** The fields of a request by name, with every value that came under it, in order. A Map, so that `__proto__` is a name like any other. */
export type Fields = ReadonlyMap<string, readonly string[]>

/** How many fields a request may have. WebUploader sends at most seven, and what the page adds. */
export const MOST_FIELDS = 64
/** How long the name of a field may be. Bytes of UTF-8. */
export const LONGEST_NAME = 256
/** How long a value may be: a file name of 300 characters and a time with its zone's name fit many times. Bytes of UTF-8. */
export const LONGEST_VALUE = 8 * 1024

/** Fields as they come in, within the limits. */
export class FieldList {
  readonly #fields = new Map<string, string[]>()
  #count = 0

  get fields(): Fields {
    return this.#fields
  }

  /** @throws UploadError `too_many_fields`, `field_too_large`. */
  add(name: string, value: string): void {
    if (this.#count === MOST_FIELDS) {
      throw new UploadError('too_many_fields', `The request has more than ${MOST_FIELDS} fields.`)
    }
    if (Buffer.byteLength(name) > LONGEST_NAME) {
      throw new UploadError('field_too_large', `The name of a field is longer than ${LONGEST_NAME} bytes.`)
    }
    if (Buffer.byteLength(value) > LONGEST_VALUE) throw fieldTooLarge(name)
    this.#count++
    const values = this.#fields.get(name)
    if (values === undefined) this.#fields.set(name, [value])
    else values.push(value)
  }
}

/** The error for a value that is longer than `LONGEST_VALUE`. */
export function fieldTooLarge(name: string): UploadError {
  return new UploadError('field_too_large', `The field "${shortened(name)}" is longer than ${LONGEST_VALUE} bytes.`)
}

/**
 * The fields of pairs such as a `URLSearchParams` gives: WebUploader's `sendAsBinary` puts them into the query.
 *
 * @throws UploadError `too_many_fields`, `field_too_large`.
 */
export function collectFields(pairs: Iterable<readonly [string, string]>): Fields {
  const list = new FieldList()
  for (const [name, value] of pairs) list.add(name, value)
  return list.fields
}

/**
 * The value of a field, or `undefined` if it did not come. The same value twice is one value.
 *
 * @throws UploadError `duplicate_field` if it came with different values: no rule says which of them is meant.
 */
export function oneValue(fields: Fields, name: string): string | undefined {
  const [value, ...others] = fields.get(name) ?? []
  if (others.every((other) => other === value)) return value
  throw new UploadError('duplicate_field', `The field "${shortened(name)}" came more than once with different values.`)
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
  throw new UploadError('bad_field', `The field "${shortened(name)}" is not a whole number in plain decimal digits.`)
}

/** A name short enough for a sentence. */
function shortened(name: string): string {
  const characters = [...name]
  return characters.length <= 64 ? name : `${characters.slice(0, 64).join('')}…`
}

/** The bytes of a field as they came, or `undefined` if it did not come. @throws UploadError `duplicate_field`. */
export function rawValue(fields: Fields, name: string): Buffer | undefined {
  const text = oneValue(fields, name)
  return text === undefined ? undefined : Buffer.from(text)
}
