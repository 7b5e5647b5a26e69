import { z } from 'zod'
import { isFolder } from './folder.ts'
import { FAILURE_CODES, type FailureCode, type FailureReason, type UploadRecord } from './record.ts'

/**
 * How a record is written as JSON.
 *
 * Format 2 is `UploadRecord` itself (without `unknown`) with `"format": 2`. A failure that the version before does not
 * know is written as one that it knows, which clients treat in the same way; `failed.as` has its code.
 *
 * Format 1 is flat and has no version: the parts of `UploadRecord` are spread over the top level, except the senders of
 * WebUploader, which are in `page`. An awaited end is `page.held` where there is a `page`, and `endAwaited` elsewhere.
 * Versions that wrote it kept the keys of format 2 that they did not know, in their places.
 *
 * This version reads both and writes format 2. Keys that it does not know are kept and written back: at the top level
 * and in the parts named by `PARTS`.
 */

type Json = Readonly<Record<string, unknown>>

/** The objects inside a record that a newer version may extend. A mark is not: a new one must not inherit keys. */
const PARTS: ReadonlySet<string> = new Set(['failed', 'webUploader', 'tus', 'draft'])

/** What is written for a failure that the version before does not know. */
const SUBSTITUTES: Readonly<Partial<Record<FailureCode, FailureCode>>> = {
  rejected: 'digest_mismatch',
  type_not_allowed: 'digest_mismatch',
}

const size = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)

/** A part that the version before has left. */
const part = z.looseObject({}).optional()

/** An answer of the application. */
const answer = z.object({
  status: z.number().int().optional(),
  headers: z.record(z.string(), z.string()).optional(),
  body: z.string().optional(),
  result: z.unknown().optional(),
})

const format2 = z.object({
  format: z.literal(2),
  id: z.string(),
  length: size.nullable(),
  metadata: z.record(z.string(), z.string().nullable()),
  rawMetadata: z.string().optional(),
  fileName: z.string(),
  folder: z.string().refine(isFolder, 'must be below the files').optional(),
  createdAt: z.string(),
  owner: z.string().optional(),
  account: z.string().optional(),
  typed: z.literal(true).optional(),
  scan: z.literal('clean').optional(),
  released: z.literal(true).optional(),
  digests: z.record(z.string(), z.string()).optional(),
  fingerprint: z.string().optional(),
  copied: z.literal(true).optional(),
  partial: z.literal(true).optional(),
  final: z.string().optional(),
  joined: z.literal(true).optional(),
  parts: z.array(z.string()).optional(),
  endAwaited: z.literal(true).optional(),
  failed: z.object({ code: z.enum(FAILURE_CODES), message: z.string(), answer: answer.optional() }).optional(),
  answer: answer.optional(),
  mark: z.object({ boot: z.string(), synced: size }).optional(),
  webUploader: z
    .object({
      chunks: size.optional(),
      chunkSize: size.optional(),
      longest: size.optional(),
      visitor: z.string().optional(),
      begun: z.string().optional(),
      senders: z.array(z.string()).optional(),
      contested: z.literal(true).optional(),
      modified: z.number().int().optional(),
      further: z.string().optional(),
      size: size.optional(),
      recut: size.optional(),
      confirmed: z.literal(true).optional(),
      shares: z.record(z.string(), z.array(z.object({ start: size, end: size }))).optional(),
    })
    .refine(({ begun, senders }) => (begun === undefined) === (senders === undefined))
    .optional(),
  tus: z.object({ concat: z.string() }).optional(),
  draft: z.object({ wantedDigest: z.string() }).optional(),
  protocol: z.literal('draft').optional(),
})

/**
 * Reads a record from parsed JSON.
 *
 * @throws ZodError when it is not a record of a format that this version reads.
 */
export function parseRecord(json: unknown): UploadRecord {
  const upgraded = withFailure(isObject(json) && json['format'] === undefined ? toFormat2(json) : json)
  const known = format2.parse(upgraded)
  const { format: _, ...record } = known
  return { ...record, unknown: unlessEmpty(unknownKeys(upgraded, known)) }
}

/** @returns JSON in one line. */
export function formatRecord(record: UploadRecord): string {
  const { failed, webUploader, tus, draft, mark, unknown, ...facts } = record
  const known = { format: 2, ...facts, webUploader, tus, draft, failed: failed && substituted(failed), mark }
  return JSON.stringify(unknown === undefined ? known : merged(known, unknown))
}

/** Moves what format 1 has at its top level into the parts, and leaves the rest in place. */
function toFormat2(json: Json): Json {
  const { chunks, chunkSize, visitor, page, concat, wantedDigest, endAwaited, ...rest } = json
  const { held, ...senders } = part.parse(page) ?? {}
  return {
    ...rest,
    format: 2,
    endAwaited: endAwaited ?? held,
    webUploader: unlessEmpty({ ...part.parse(rest['webUploader']), chunks, chunkSize, visitor, ...senders }),
    tus: unlessEmpty({ ...part.parse(rest['tus']), concat }),
    draft: unlessEmpty({ ...part.parse(rest['draft']), wantedDigest }),
  }
}

function substituted({ code, ...reason }: FailureReason): Json {
  const substitute = SUBSTITUTES[code]
  return substitute === undefined ? { code, ...reason } : { code: substitute, ...reason, as: code }
}

/** Replaces a substitute by the failure that it stands for. */
function withFailure(json: unknown): unknown {
  if (!isObject(json) || !isObject(json['failed'])) return json
  const { as, ...failed } = json['failed']
  const code = FAILURE_CODES.find((code) => code === as && SUBSTITUTES[code] === failed['code'])
  return code === undefined ? json : { ...json, failed: { ...failed, code } }
}

/** The keys that the schema has dropped from `json`. */
function unknownKeys(json: unknown, known: Json): Json {
  if (!isObject(json)) return {}
  const unknown = Object.entries(json).flatMap(([key, value]): [string, unknown][] => {
    if (value === undefined) return []
    if (!Object.hasOwn(known, key)) return [[key, value]]
    const part = PARTS.has(key) ? known[key] : undefined
    const inside = isObject(part) ? unlessEmpty(unknownKeys(value, part)) : undefined
    return inside === undefined ? [] : [[key, inside]]
  })
  return Object.fromEntries(unknown)
}

function merged(known: Json, unknown: Json): Json {
  const more = Object.entries(unknown).map(([key, value]): [string, unknown] => {
    const part = Object.hasOwn(known, key) ? known[key] : undefined
    return [key, isObject(part) && isObject(value) ? merged(part, value) : value]
  })
  return { ...known, ...Object.fromEntries(more) }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null
}

function unlessEmpty<T extends object>(part: T): T | undefined {
  return Object.values(part).some((value) => value !== undefined) ? part : undefined
}
