import { UploadError } from '../server/core/errors.ts'
import { decodeText } from './decode-text.ts'

/** The fields of a request by name, with all their values in order. A Map, so that `__proto__` is an ordinary name. */
export type Fields = ReadonlyMap<string, readonly string[]>

/** What a request says in its fields. */
export interface RequestFields {
  readonly fields: Fields
  /** The values of the token field. `fields` has none of them, so no identity, record, or message can contain one. */
  readonly tokens: readonly string[]
}

/** Maximum values per request, in the fields that are read. WebUploader sends at most eight. */
export const MOST_VALUES = 64
/** Maximum length of a value, in bytes: many times a file name of 300 characters, or a date with its zone name. */
export const LONGEST_VALUE = 8 * 1024

/** RFC 7578, section 4.6: names the charset of all values that do not name their own. */
const CHARSET = '_charset_'

/** JavaScript's `Date.prototype.toString` up to its offset; the zone name after it is localized. */
const DATE = /^[A-Z][a-z]{2} [A-Z][a-z]{2} \d{2} \d{4,6} \d{2}:\d{2}:\d{2} GMT[+-]\d{4}(?= \(|$)/

/**
 * The fields that are always read, whatever the identity rules add. The script for old pages sets `landfall_file`, and
 * `landfall_task` if `task_id` is that of an earlier page load.
 */
const READ: ReadonlySet<string> = new Set([
  ...['task_id', 'id', 'name', 'type', 'lastModifiedDate', 'size', 'chunk', 'chunks'],
  ...['landfall_file', 'landfall_task'],
  ...['filename', 'ext', CHARSET],
])

/** Whether the adapter gives a field of this name a meaning of its own. */
export function isPageField(name: string): boolean {
  return READ.has(name)
}

/**
 * Collects fields as they arrive. Fields that the adapter never reads are dropped: a page may add any number of its
 * own.
 */
export class FieldList implements RequestFields {
  readonly #identityFields: readonly string[]
  readonly #tokenField: string | undefined
  readonly #values = new Map<string, { readonly raw: Buffer; readonly charset: string | undefined }[]>()
  #count = 0

  /**
   * @param identityFields names of fields to read in addition to the usual ones.
   * @param tokenField the field that may hold a token, if any.
   */
  constructor(identityFields: readonly string[], tokenField?: string) {
    this.#identityFields = identityFields
    this.#tokenField = tokenField
  }

  /** Whether a field of this name is kept. */
  isRead(name: string): boolean {
    return READ.has(name) || name === this.#tokenField || this.#identityFields.includes(name)
  }

  /**
   * Keeps a value of a field that is read.
   *
   * @param charset as the sender declared it for this value.
   * @throws UploadError `too_many_fields`, `field_too_large`.
   */
  add(name: string, raw: Buffer, charset?: string): void {
    if (this.#count === MOST_VALUES) {
      throw new UploadError('too_many_fields', `The request has more than ${MOST_VALUES} field values.`)
    }
    if (raw.length > LONGEST_VALUE) throw fieldTooLarge(name)
    this.#count++
    const values = this.#values.get(name)
    if (values === undefined) this.#values.set(name, [{ raw, charset }])
    else values.push({ raw, charset })
  }

  /** The charset that the form declares for all its values. */
  get charset(): string | undefined {
    return this.#values.get(CHARSET)?.[0]?.raw.toString('latin1')
  }

  get fields(): Fields {
    const names = [...this.#values.keys()].filter((name) => name !== this.#tokenField)
    return new Map(names.map((name) => [name, this.#textsOf(name)]))
  }

  get tokens(): readonly string[] {
    return this.#tokenField === undefined ? [] : this.#textsOf(this.#tokenField).filter((token) => token !== '')
  }

  #textsOf(name: string): string[] {
    const { charset: common } = this
    return (this.#values.get(name) ?? []).map(({ raw, charset = common }) => decodeText(raw, charset))
  }
}

/** The error for a value that is longer than `LONGEST_VALUE`. */
export function fieldTooLarge(name: string): UploadError {
  return new UploadError('field_too_large', `The field "${name}" is longer than ${LONGEST_VALUE} bytes.`)
}

/**
 * The text of a field, or `undefined` if it is absent. Equal values count as one.
 *
 * @throws UploadError `duplicate_field` if its values differ: no rule says which one counts.
 */
export function oneValue(fields: Fields, name: string): string | undefined {
  return oneOf(fields.get(name) ?? [], name)
}

/** Like `oneValue`, for the values of the field `name`. */
export function oneOf(values: readonly string[], name: string): string | undefined {
  const [value, ...others] = values
  if (others.every((other) => other === value)) return value
  throw new UploadError('duplicate_field', `The field "${name}" occurs more than once, with different values.`)
}

/**
 * A field that is a whole number in plain decimal digits, from 0 to 2^53 − 1; `undefined` if it is absent.
 *
 * @throws UploadError `bad_field` for anything else (signs, fractions, exponents, spaces, leading zeros, an empty
 * value), `duplicate_field`.
 */
export function wholeNumber(fields: Fields, name: string): number | undefined {
  const text = oneValue(fields, name)
  if (text === undefined) return undefined
  const number = /^(0|[1-9][0-9]*)$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(number)) return number
  throw new UploadError('bad_field', `The field "${name}" is not a whole number in plain decimal digits.`)
}

/**
 * The modification time of the file in milliseconds since 1970, if `lastModifiedDate` states it.
 *
 * @throws UploadError `duplicate_field`.
 */
export function modifiedOf(fields: Fields): number | undefined {
  return knownDate(oneValue(fields, 'lastModifiedDate'))
}

/**
 * The instant of a `lastModifiedDate`, in milliseconds since 1970; `undefined` for any other text. In browsers without
 * `File.lastModifiedDate`, WebUploader sends the localized time of the selection, which says nothing about the file.
 */
export function knownDate(text: string | null | undefined): number | undefined {
  const found = DATE.exec(text ?? '')
  const instant = found === null ? Number.NaN : Date.parse(found[0])
  return Number.isNaN(instant) ? undefined : instant
}
