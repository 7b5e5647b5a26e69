/** A client of the admin API that compares each answer with the API's own description. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { z } from 'zod'

export const ADMIN_TOKEN = 'an administrator of thirty-two characters'.replaceAll(' ', '-')

const reference = z.looseObject({ schema: z.looseObject({}) })
const operationSchema = z.looseObject({
  operationId: z.string(),
  responses: z.record(z.string(), z.looseObject({ content: z.record(z.string(), reference).optional() })),
})
const documentSchema = z.looseObject({ paths: z.record(z.string(), z.record(z.string(), operationSchema)) })

export type Description = z.output<typeof documentSchema>

/** What an operation returned. */
export interface AdminAnswer {
  readonly status: number
  readonly headers: Headers
  /** Parsed JSON; the text of anything else. */
  readonly body: unknown
}

/** Requests of an administrator. */
export interface AdminClient {
  readonly description: Description
  /** The ids of the operations that have succeeded. */
  readonly succeeded: ReadonlySet<string>
  /** @throws Error if the answer is not as the description says. */
  call(method: string, path: string, body?: unknown): Promise<AdminAnswer>
  /** Like `call`, of an operation that succeeds. @throws Error if it does not. */
  done<T>(schema: z.ZodType<T>, method: string, path: string, body?: unknown): Promise<T>
  /** Checks the data of an event. @throws Error */
  checkEvent(value: unknown): void
}

/** @param url `http://host:port` of the admin listener. */
export async function adminClient(url: string, token: string = ADMIN_TOKEN): Promise<AdminClient> {
  const headers = { Authorization: `Bearer ${token}` }
  const description = documentSchema.parse(await (await fetch(`${url}/admin/v1/openapi.json`, { headers })).json())
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv)
  ajv.addSchema({ ...description, $id: 'api' })
  const succeeded = new Set<string>()
  const validators = new Map<string, ValidateFunction>()
  const check = (pointer: string, value: unknown): void => {
    const validate = validators.get(pointer) ?? ajv.compile({ $ref: `api#${pointer}` })
    validators.set(pointer, validate)
    if (!validate(value)) throw new Error(`${pointer}: ${JSON.stringify(validate.errors)} in ${JSON.stringify(value)}`)
  }
  const call: AdminClient['call'] = async (method, path, body) => {
    const response = await fetch(`${url}/admin/v1${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const { pathname } = new URL(response.url)
    const template = Object.keys(description.paths).find((one) => patternOf(one).test(pathname))
    const operation = description.paths[template ?? '']?.[method.toLowerCase()]
    const text = await response.text()
    const type = response.headers.get('Content-Type')?.split(';')[0] ?? ''
    const answer = {
      status: response.status,
      headers: response.headers,
      body: /json$/.test(type) ? JSON.parse(text) : text,
    }
    if (template === undefined || operation === undefined) return answer
    const said = operation.responses[String(response.status)]
    if (said === undefined) throw new Error(`${operation.operationId} does not describe ${response.status}: ${text}`)
    if (response.ok) succeeded.add(operation.operationId)
    if (said.content?.[type] !== undefined) {
      const parts = ['paths', template, method.toLowerCase(), 'responses', String(response.status), 'content', type]
      check(`/${[...parts, 'schema'].map(pointerPart).join('/')}`, answer.body)
    } else if (text !== '') throw new Error(`${operation.operationId} does not describe ${type}`)
    return answer
  }
  return {
    description,
    succeeded,
    call,
    done: async (schema, method, path, body) => {
      const answer = await call(method, path, body)
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
      return schema.parse(answer.body)
    },
    checkEvent: (value) => {
      const place = '/paths/~1admin~1v1~1events/get/responses/200/content/text~1event-stream/schema/x-event'
      check(place, value)
    },
  }
}

/** In a JSON pointer, in a URI. */
function pointerPart(part: string): string {
  return encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))
}

function patternOf(template: string): RegExp {
  return new RegExp(`^${template.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`)
}

/** The events of a stream, until it ends. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<{ event: string; data: unknown }> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const bytes of body) {
    text += decoder.decode(bytes, { stream: true })
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const [, event, data] = /^event: (\w+)\ndata: (.*)$/s.exec(text.slice(0, end)) ?? []
      text = text.slice(end + 2)
      if (event !== undefined && data !== undefined) yield { event, data: JSON.parse(data) }
    }
  }
}
