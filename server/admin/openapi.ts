import { z } from 'zod'
import type { ErrorCode } from '../core/errors.ts'
import { statusOf } from '../http/error-status.ts'
import { problem } from './contract.ts'
import type { Operation } from './operation.ts'

/** Where the operations are. */
export const BASE = '/admin/v1'

/** Errors of every operation. */
const COMMON: readonly ErrorCode[] = ['bad_request', 'unauthenticated', 'forbidden', 'auth_unavailable', 'internal']

type Json = Readonly<Record<string, unknown>>

/** The description of the operations, as OpenAPI 3.1. */
export function openapiOf(operations: readonly Operation[], version: string): Json {
  const schemas = new Map<string, unknown>()
  const problemSchema = schemaOf(problem, 'output', schemas)
  const paths = new Map<string, Record<string, unknown>>()
  for (const one of operations) {
    const path = `${BASE}${one.path.replaceAll(/:(\w+)/g, '{$1}')}`
    const methods = paths.get(path) ?? {}
    methods[one.method.toLowerCase()] = describe(one, problemSchema, schemas)
    paths.set(path, methods)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Landfall admin API',
      version,
      description: 'For those who run the service. Errors are problem details (RFC 9457) with a code.',
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    paths: Object.fromEntries(paths),
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'ADMIN_TOKEN, or a JWT with ADMIN_CLAIM.' },
      },
      schemas: Object.fromEntries(schemas),
    },
  }
}

function describe(one: Operation, problemSchema: Json, schemas: Map<string, unknown>): Json {
  const codes = new Map<number, ErrorCode[]>()
  for (const code of [...COMMON, ...(one.errors ?? [])]) {
    const status = statusOf(code, 'draft', one.method)
    codes.set(status, [...(codes.get(status) ?? []), code])
  }
  const errors = [...codes].map(([status, of]): [string, Json] => [
    String(status),
    { description: of.join(', '), content: { 'application/problem+json': { schema: problemSchema } } },
  ])
  const parameters = [...parametersOf(one.params, 'path', schemas), ...parametersOf(one.query, 'query', schemas)]
  return {
    operationId: one.id,
    summary: one.summary,
    ...(parameters.length > 0 && { parameters }),
    ...(one.body !== undefined && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: schemaOf(one.body, 'input', schemas) } },
      },
    }),
    responses: { [String(one.status)]: answerOf(one, schemas), ...Object.fromEntries(errors) },
  }
}

function answerOf({ answer, summary }: Operation, schemas: Map<string, unknown>): Json {
  if (answer === undefined) return { description: 'Done.' }
  if (!('stream' in answer)) {
    return { description: summary, content: { 'application/json': { schema: schemaOf(answer, 'output', schemas) } } }
  }
  // The schema is that of the name and the data of one event.
  const schema = answer.of === undefined ? {} : { 'x-event': schemaOf(answer.of, 'output', schemas) }
  return { description: summary, content: { [answer.stream]: { schema: { type: 'string', ...schema } } } }
}

function parametersOf(schema: z.ZodType, place: 'path' | 'query', schemas: Map<string, unknown>): readonly Json[] {
  const { properties = {}, required = [] } = objectSchema.parse(resolved(schemaOf(schema, 'input', schemas), schemas))
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    ...(description !== undefined && { description }),
    schema: rest,
  }))
}

const objectSchema = z.object({
  properties: z.record(z.string(), z.looseObject({ description: z.string().optional() })).optional(),
  required: z.array(z.string()).optional(),
})

/** The schema that a reference names. */
function resolved(schema: Json, schemas: ReadonlyMap<string, unknown>): unknown {
  const { $ref } = schema
  return typeof $ref === 'string' ? schemas.get($ref.slice(COMPONENTS.length)) : schema
}

const COMPONENTS = '#/components/schemas/'

/** The JSON schema; schemas with a name of their own go into `schemas`. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output', schemas: Map<string, unknown>): Json {
  const { $schema, $defs = {}, ...own } = z.toJSONSchema(schema, { io })
  for (const [name, definition] of Object.entries($defs)) schemas.set(name, hoisted(definition))
  return z.record(z.string(), z.unknown()).parse(hoisted(own))
}

/** With references to components, and without the names that these have. */
function hoisted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(hoisted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) =>
      key === '$ref' && typeof inner === 'string'
        ? [key, inner.replace('#/$defs/', COMPONENTS)]
        : [key, hoisted(inner)],
    ),
  )
}
