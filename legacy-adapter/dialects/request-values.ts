import type { Context } from 'koa'
import { z } from 'zod'
import { UploadError } from '../../server/core/errors.ts'
import { single } from '../../server/http/header-values.ts'
import { decodeText } from '../decode-text.ts'
import { type Fields, oneValue } from '../fields.ts'
import type { IssuedTasks } from './issued-tasks.ts'
import type { Reference, References } from './reference.ts'

/** The file part of a form. */
export interface FilePartFacts {
  readonly fileName: string | undefined
  readonly fileType: string
}

const NONE: Fields = new Map()

/** The media type of a slice of a file: it says nothing about the file. */
const SLICE = 'application/octet-stream'

/** What a dialect says about the tasks that its requests name. */
export interface TaskRules {
  /** Where requests have the task. */
  readonly task: References | undefined
  /** Issues tasks; `undefined` if pages make their own. */
  readonly issued: IssuedTasks | undefined
}

/** The values of a request, wherever they are. */
export class RequestValues {
  readonly #ctx: Context
  readonly #pattern: readonly string[]
  readonly #query: Fields
  readonly #form: Fields
  readonly #part: FilePartFacts | undefined
  readonly #tasks: TaskRules

  /**
   * @param pattern the path of the route; its segments with a colon are values.
   * @param form the fields of the body. They hide those of the query: some libraries send all fields in both.
   */
  constructor(
    ctx: Context,
    pattern: string,
    tasks: TaskRules,
    query: Fields,
    form: Fields = NONE,
    part?: FilePartFacts,
  ) {
    this.#ctx = ctx
    this.#pattern = pattern.split('/')
    this.#tasks = tasks
    this.#query = query
    this.#form = form
    this.#part = part
  }

  /**
   * The task of the request; of one that the service has issued, only what identifies it.
   *
   * @param references where it is, if not where the dialect has it.
   * @throws UploadError `not_found` if the service has not issued it, `duplicate_field`.
   */
  task(references: References | undefined = this.#tasks.task): string | undefined {
    const text = this.get(references)
    return text === undefined ? undefined : (this.#tasks.issued?.open(text).id ?? text)
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

  #valueOf(reference: Reference): string | undefined {
    const text = this.#textOf(reference)
    return text === undefined ? undefined : partOf(text, reference)
  }

  #textOf({ source, name }: Reference): string | undefined {
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
      case 'kept': {
        const task = this.get(this.#tasks.task)
        return task === undefined ? undefined : this.#tasks.issued?.open(task).kept.get(name)
      }
      case 'constant':
        return name
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

/** @throws UploadError `bad_field` if a JSON object is expected and there is none. */
function partOf(text: string, reference: Reference): string | undefined {
  const { member, after, afterLast, before, beforeLast } = reference
  let value = member === undefined ? text : memberOf(text, member, reference)
  const cut = (at: number | undefined, end: boolean, length = 0): void => {
    if (at === undefined || at === -1) value = undefined
    else value = end ? value?.slice(0, at) : value?.slice(at + length)
  }
  if (after !== undefined) cut(value?.indexOf(after), false, after.length)
  if (afterLast !== undefined) cut(value?.lastIndexOf(afterLast), false, afterLast.length)
  if (before !== undefined) cut(value?.indexOf(before), true)
  if (beforeLast !== undefined) cut(value?.lastIndexOf(beforeLast), true)
  return value
}

const object = z.record(z.string(), z.unknown())
const plain = z.union([z.string(), z.number(), z.boolean()])

function memberOf(text: string, member: string, reference: Reference): string | undefined {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    json = undefined
  }
  const { data } = object.safeParse(json)
  if (data === undefined) throw new UploadError('bad_field', `${nameOf([reference])} is not a JSON object.`)
  const value = plain.safeParse(Object.hasOwn(data, member) ? data[member] : undefined).data
  return value === undefined ? undefined : String(value)
}

function typeOf(part: FilePartFacts | undefined): string | undefined {
  const type = part?.fileType ?? ''
  return type === '' || type === SLICE ? undefined : type
}
