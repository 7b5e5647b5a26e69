import { z } from 'zod'
import { FAILURE_CODES, type UploadRecord } from '../core/record.ts'

/**
 * How a record is written as JSON.
 *
 * Format 1 is flat and has no version: the parts of `UploadRecord` are spread over the top level, except the senders of
 * WebUploader, which are in `page`. An awaited end is `page.held` where there is a `page`, because the version before
 * senders existed must ignore it, and `endAwaited` elsewhere.
 *
 * Format 2 is `UploadRecord` itself (without `unknown`) with `"format": 2`. Its top level must not use a name of format
 * 1 for anything else.
 *
 * This version reads both and writes format 1. Keys that it does not know are kept and written back: at the top level
 * and in the parts named by `PARTS`. A part of format 2 that format 1 lacks then has only such keys.
 */

type Json = Readonly<Record<string, unknown>>

/** The objects inside a record that a newer version may extend. A mark is not: a new one must not inherit keys. */
const PARTS: ReadonlySet<string> = new Set(['page', 'failed', 'webUploader', 'tus', 'draft'])

const size = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)

const common = {
  id: z.string(),
  length: size.nullable(),
  metadata: z.record(z.string(), z.string().nullable()),
  rawMetadata: z.string().optional(),
  fileName: z.string(),
  createdAt: z.string(),
  digests: z.record(z.string(), z.string()).optional(),
  partial: z.literal(true).optional(),
  final: z.string().optional(),
  joined: z.literal(true).optional(),
  parts: z.array(z.string()).optional(),
  endAwaited: z.literal(true).optional(),
  failed: z.object({ code: z.enum(FAILURE_CODES), message: z.string() }).optional(),
  mark: z.object({ boot: z.string(), synced: size }).optional(),
}

const chunked = { chunks: size.optional(), chunkSize: size.optional(), visitor: z.string().optional() }

const page = z.object({
  begun: z.string(),
  senders: z.array(z.string()),
  contested: z.literal(true).optional(),
  modified: z.number().int().optional(),
  further: z.string().optional(),
  size: size.optional(),
  recut: size.optional(),
  confirmed: z.literal(true).optional(),
  shares: z.record(z.string(), z.array(z.object({ start: size, end: size }))).optional(),
})

const version = z.object({ format: z.unknown().optional() })

const format1 = z.object({
  ...common,
  ...chunked,
  page: page.extend({ held: z.literal(true).optional() }).optional(),
  concat: z.string().optional(),
  wantedDigest: z.string().optional(),
})

const format2 = z.object({
  ...common,
  format: z.literal(2),
  webUploader: z
    .object({ ...chunked, ...page.partial().shape })
    .refine(({ begun, senders }) => (begun === undefined) === (senders === undefined))
    .optional(),
  tus: z.object({ concat: z.string() }).optional(),
  draft: z.object({ wantedDigest: z.string() }).optional(),
})

/**
 * Reads a record from parsed JSON.
 *
 * @throws ZodError when it is not a record of a format that this version reads.
 */
export function parseRecord(json: unknown): UploadRecord {
  const { format } = version.parse(json)
  return format === undefined ? fromFormat1(json) : fromFormat2(json)
}

/** @returns JSON in one line. */
export function formatRecord(record: UploadRecord): string {
  const known = toFormat1(record)
  return JSON.stringify(record.unknown === undefined ? known : merged(known, record.unknown))
}

function fromFormat1(json: unknown): UploadRecord {
  const known = format1.parse(json)
  const { chunks, chunkSize, visitor, page, concat, wantedDigest, endAwaited, ...record } = known
  const { held, ...senders } = page ?? {}
  return {
    ...record,
    endAwaited: endAwaited ?? held,
    webUploader: unlessEmpty({ chunks, chunkSize, visitor, ...senders }),
    tus: concat === undefined ? undefined : { concat },
    draft: wantedDigest === undefined ? undefined : { wantedDigest },
    unknown: unlessEmpty(unknownKeys(json, known)),
  }
}

function fromFormat2(json: unknown): UploadRecord {
  const known = format2.parse(json)
  const { format: _, ...record } = known
  return { ...record, unknown: unlessEmpty(unknownKeys(json, known)) }
}

/** The keys have a fixed order, so the bytes of equal records are equal. */
function toFormat1(record: UploadRecord): Json {
  const { chunks, chunkSize, visitor, shares, ...senders } = record.webUploader ?? {}
  const hasSenders = senders.begun !== undefined
  return {
    id: record.id,
    length: record.length,
    metadata: record.metadata,
    fileName: record.fileName,
    createdAt: record.createdAt,
    chunks,
    chunkSize,
    visitor,
    page: hasSenders ? { ...senders, held: record.endAwaited, shares } : undefined,
    rawMetadata: record.rawMetadata,
    digests: record.digests,
    partial: record.partial,
    final: record.final,
    joined: record.joined,
    parts: record.parts,
    concat: record.tus?.concat,
    endAwaited: hasSenders ? undefined : record.endAwaited,
    wantedDigest: record.draft?.wantedDigest,
    failed: record.failed,
    mark: record.mark,
  }
}

/** The keys that the schema has dropped from `json`. */
function unknownKeys(json: unknown, known: Json): Json {
  if (!isObject(json)) return {}
  const unknown = Object.entries(json).flatMap(([key, value]): [string, unknown][] => {
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
