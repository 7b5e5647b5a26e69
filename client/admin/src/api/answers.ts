import * as z from 'zod/mini'
import type * as contract from '../../../../server/admin/contract.ts'

/**
 * What the page reads of the answers of the service; other fields are ignored. The contract checks these shapes when
 * they are compiled: its own schemas would bring parts of the service into the page.
 */

// Compiled checks are made of strings, which the content policy of the page forbids.
z.config({ jitless: true })

/** Returns a shape, which compiles only if it accepts every answer of the contract. */
function accepting<Answer>(): <Shape extends z.ZodMiniType>(
  shape: Answer extends z.input<Shape> ? Shape : never,
) => Shape {
  return (shape) => shape
}

const maybeText = z.nullable(z.string())
const maybeNumber = z.nullable(z.number())
const pair = z.tuple([z.number(), z.number()])

/** In the order of an upload's life. */
export const STATES = ['receiving', 'sealed', 'finishing', 'scanning', 'finished', 'failed', 'rejected'] as const

export const lineShape = accepting<contract.UploadLine>()(
  z.object({
    id: z.string(),
    name: z.string(),
    size: maybeNumber,
    received: z.number(),
    state: z.enum(STATES),
    owner: maybeText,
    protocol: z.enum(['tus', 'draft', 'webuploader']),
    createdAt: z.string(),
    changedAt: z.string(),
    expiresAt: maybeText,
    taskId: maybeText,
    failure: z.nullable(z.object({ code: z.string(), message: z.string() })),
  }),
)
export type Line = z.infer<typeof lineShape>

export const pageShape = accepting<contract.UploadPage>()(
  z.object({
    uploads: z.array(lineShape),
    next: maybeText,
    total: maybeNumber,
  }),
)
export type Page = z.infer<typeof pageShape>

const requestError = z.object({
  at: z.string(),
  code: z.string(),
  method: z.string(),
  status: z.number(),
  request: z.string(),
})

export const detailsShape = accepting<contract.UploadDetails>()(
  z.extend(lineShape, {
    offset: z.number(),
    ranges: z.array(pair),
    rangesTruncated: z.boolean(),
    rate: z.number(),
    activeRequests: z.number(),
    requests: z.number(),
    errors: z.array(requestError),
    chunks: z.nullable(
      z.object({
        chunks: z.number(),
        chunkSize: maybeNumber,
        received: z.array(pair),
        receivedCount: z.number(),
      }),
    ),
    metadata: z.record(z.string(), maybeText),
    digests: z.record(z.string(), z.string()),
    fileName: z.string(),
    folder: maybeText,
    path: maybeText,
    object: z.nullable(z.object({ bucket: z.string(), key: z.string() })),
    finishedAt: maybeText,
    isPart: z.boolean(),
    final: maybeText,
    parts: z.nullable(z.array(z.string())),
    isOpen: z.boolean(),
    canRelease: z.boolean(),
    hooks: z.object({
      scan: z.enum(['none', 'pending', 'clean', 'rejected']),
      application: z.enum(['none', 'pending', 'accepted', 'rejected']),
    }),
    webhooks: z.object({
      dead: z.array(z.object({ event: z.string(), deadLetter: z.string(), at: z.string(), why: z.string() })),
    }),
  }),
)
export type Details = z.infer<typeof detailsShape>

export const interruptedShape = accepting<z.output<typeof contract.interrupted>>()(z.object({ requests: z.number() }))

const sum = z.object({ count: z.number(), bytes: z.number() })

export const statsShape = accepting<contract.Stats>()(
  z.object({
    node: z.string(),
    nodes: z.array(z.object({ name: z.string(), url: z.string() })),
    version: z.string(),
    startedAt: z.string(),
    uptime: z.number(),
    isReady: z.boolean(),
    store: z.enum(['disk', 's3']),
    uploads: z.record(z.enum(STATES), sum),
    total: sum,
    index: z.object({ isComplete: z.boolean(), indexed: z.number() }),
    disk: z.nullable(z.object({ free: z.number(), size: z.number() })),
    quarantine: z.nullable(sum),
    rates: z.object({ received: z.number(), requests: z.number(), errors: z.number() }),
    activeUploads: z.number(),
    errors: z.array(z.extend(requestError, { upload: maybeText })),
    webhooks: z.object({ endpoints: z.number(), deadLetters: z.number() }),
    process: z.object({ rss: z.number() }),
  }),
)
export type StatsShown = z.infer<typeof statsShape>

export const sweepShape = accepting<z.output<typeof contract.sweepResult>>()(
  z.object({
    dryRun: z.boolean(),
    expired: z.number(),
    bytes: maybeNumber,
    examples: z.array(lineShape),
  }),
)
export type Sweep = z.infer<typeof sweepShape>

export const deadLettersShape = accepting<contract.DeadLetterPage>()(
  z.object({
    deadLetters: z.array(
      z.object({
        id: z.string(),
        event: z.string(),
        type: z.string(),
        upload: z.string(),
        at: z.string(),
        endpoint: z.string(),
        host: maybeText,
        why: z.string(),
      }),
    ),
    next: maybeText,
    total: z.number(),
  }),
)
export type DeadLetters = z.infer<typeof deadLettersShape>
export type DeadLetter = DeadLetters['deadLetters'][number]

export const tokenShape = accepting<z.output<typeof contract.token>>()(
  z.object({ token: z.string(), expires: z.number() }),
)

export const settingsShape = accepting<contract.SettingsAnswer>()(
  z.object({
    settings: z.array(
      z.object({
        name: z.string(),
        value: z.string(),
        default: z.string(),
        isDefault: z.boolean(),
        isSecret: z.boolean(),
        help: z.string(),
      }),
    ),
  }),
)
export type Setting = z.infer<typeof settingsShape>['settings'][number]

export const uploadEventShape = accepting<z.output<typeof contract.uploadEvent>>()(
  z.object({
    type: z.enum(['created', 'changed', 'finished', 'failed', 'rejected', 'deleted', 'expired']),
    upload: lineShape,
    rate: z.number(),
  }),
)
export type UploadEvent = z.infer<typeof uploadEventShape>

export const problemShape = accepting<z.output<typeof contract.problem>>()(
  z.object({
    detail: z.string(),
    code: z.string(),
    progress: z.optional(z.nullable(z.number())),
  }),
)
