import type { Context } from 'koa'
import { UploadError } from '../../server/core/errors.ts'
import { single } from '../../server/http/header-values.ts'
import { decodeText } from '../decode-text.ts'
import { type Fields, oneValue } from '../fields.ts'
import type { References } from './reference.ts'

/** The file part of a form. */
export interface FilePartFacts {
  readonly fileName: string | undefined
  readonly fileType: string
}

const NONE: Fields = new Map()

/** The media type of a slice of a file: it says nothing about the file. */
const SLICE = 'application/octet-stream'

/** The values of a request, wherever they are. */
export class RequestValues {
  readonly #ctx: Context
  readonly #pattern: readonly string[]
  readonly #query: Fields
  readonly #form: Fields
  readonly #part: FilePartFacts | undefined

  /**
   * @param pattern the path of the route; its segments with a colon are values.
   * @param form the fields of the body. They hide those of the query: some libraries send all fields in both.
   */
  constructor(ctx: Context, pattern: string, query: Fields, form: Fields = NONE, part?: FilePartFacts) {
    this.#ctx = ctx
    this.#pattern = pattern.split('/')
    this.#query = query
    this.#form = form
    this.#part = part
  }

  /** The first of these values that the request has. @throws UploadError `duplicate_field`. */
  get(references: References | undefined): string | undefined {
    for (const reference of references ?? []) {
      const value = this.#valueOf(reference)
      if (value !== undefined) return value
    }
    return undefined
  }

  /**
   * A value that is a whole number.
   *
   * @throws UploadError `bad_field` for anything else, `duplicate_field`.
   */
  whole(references: References | undefined): number | undefined {
    const text = this.get(references)
    if (text === undefined) return undefined
    const number = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN
    if (Number.isSafeInteger(number)) return number
    throw new UploadError('bad_field', `${nameOf(references)} is not a whole number in plain decimal digits.`)
  }

  #valueOf({ source, name }: References[number]): string | undefined {
    switch (source) {
      case 'field':
        return oneValue(this.#form, name) ?? oneValue(this.#query, name)
      case 'form':
        return oneValue(this.#form, name)
      case 'query':
        return oneValue(this.#query, name)
      case 'header': {
        const text = single(this.#ctx.headers, name)
        // Node decodes headers as ISO-8859-1, whatever they are.
        return text === undefined ? undefined : decodeText(Buffer.from(text, 'latin1'))
      }
      case 'part':
        return name === 'filename' ? this.#part?.fileName || undefined : typeOf(this.#part)
      case 'path':
        return this.#segment(name)
    }
  }

  #segment(name: string): string | undefined {
    const text = this.#ctx.path.split('/')[this.#pattern.indexOf(`:${name}`)]
    return text === undefined || text === '' ? undefined : decodeURIComponent(text)
  }
}

/** How errors name a value. */
export function nameOf(references: References | undefined): string {
  const [first] = references ?? []
  if (first === undefined) return 'A value'
  switch (first.source) {
    case 'header':
      return `The header "${first.name}"`
    case 'path':
      return `The "${first.name}" in the path`
    case 'part':
      return `The ${first.name} of the file`
    default:
      return `The field "${first.name}"`
  }
}

function typeOf(part: FilePartFacts | undefined): string | undefined {
  const type = part?.fileType ?? ''
  return type === '' || type === SLICE ? undefined : type
}
