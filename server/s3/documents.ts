import { z } from 'zod'
import type { UploadRecord } from '../core/record.ts'
import { formatRecord, parseRecord } from '../core/record-format.ts'
import type { Departure } from '../core/store.ts'

/** The JSON documents in the bucket. */

/** The state of an unfinished upload, apart from its bytes. */
export interface LiveState {
  readonly record: UploadRecord
  /** Its removal has begun. */
  readonly leaving?: { readonly why: Departure } | undefined
  /** The multipart upload that collects the parts of the file. */
  readonly multipart?: string | undefined
  /** Its bytes have been deleted, and it stays complete. */
  readonly discarded?: true | undefined
  /** The object with all of its bytes: the file of another upload. */
  readonly source?: string | undefined
}

/** Which process has claimed a term. */
export interface ClaimOwner {
  readonly node: string
  /** Random: one per try. */
  readonly token: string
}

/** What counted when a term began. */
export interface Manifest {
  readonly state: LiveState
  /** Names of pieces. */
  readonly pieces: readonly string[]
}

/** The end of an upload. */
export type Done =
  | {
      readonly kind: 'finished'
      readonly key: string
      /** Bytes. */
      readonly size: number
      readonly finishedAt: Date
      readonly record: UploadRecord
      readonly token: string
    }
  | {
      readonly kind: 'gone'
      readonly why: Departure
      readonly at: Date
      readonly owner?: string | undefined
      /** Of its file, which may appear again if a call is late; unknown if another store has removed it. */
      readonly key?: string | undefined
      /** When the upload was created, as its record says; unknown if another store has removed it. */
      readonly createdAt?: string | undefined
      /** It had failed before. */
      readonly failed?: 'failed' | 'rejected' | undefined
      /** Whether the id is computed from facts that may come again: then it must never be used again. */
      readonly derived: boolean
      /** It was finished before. */
      readonly finishedAt?: Date | undefined
    }

const DEPARTURES = ['deleted', 'expired', 'refused'] as const

const liveState = z.object({
  format: z.literal(1),
  record: z.unknown().transform(parseRecord),
  leaving: z.object({ why: z.enum(DEPARTURES) }).optional(),
  multipart: z.string().optional(),
  discarded: z.literal(true).optional(),
  source: z.string().optional(),
})

const claim = z.object({ node: z.string(), token: z.string() })

const manifest = z.object({ state: liveState, pieces: z.array(z.string()) })

const date = z.iso.datetime().transform((text) => new Date(text))

const done = z.discriminatedUnion('kind', [
  z.object({
    format: z.literal(1),
    kind: z.literal('finished'),
    key: z.string(),
    size: z.number().int().nonnegative(),
    finishedAt: date,
    record: z.unknown().transform(parseRecord),
    token: z.string(),
  }),
  z.object({
    format: z.literal(1),
    kind: z.literal('gone'),
    why: z.enum(DEPARTURES),
    at: date,
    owner: z.string().optional(),
    key: z.string().optional(),
    createdAt: z.string().optional(),
    failed: z.enum(['failed', 'rejected']).optional(),
    derived: z.boolean(),
    finishedAt: date.optional(),
  }),
])

/** @throws Error when it is not JSON of this kind. */
export function parseLiveState(body: Buffer): LiveState {
  return withoutFormat(liveState.parse(json(body)))
}

export function parseClaim(body: Buffer): ClaimOwner {
  return claim.parse(json(body))
}

export function parseManifest(body: Buffer): Manifest {
  const { state, pieces } = manifest.parse(json(body))
  return { state: withoutFormat(state), pieces }
}

export function parseDone(body: Buffer): Done {
  const { format: _, ...found } = done.parse(json(body))
  return found
}

export function parseNotes(body: Buffer): UploadRecord {
  return parseRecord(json(body))
}

/** @param owner of the first record of an upload, which is the claim of term 1. */
export function formatLiveState(state: LiveState, owner?: ClaimOwner): Buffer {
  return Buffer.from(JSON.stringify({ ...liveJson(state), ...owner }))
}

export function formatClaim(owner: ClaimOwner): Buffer {
  return Buffer.from(JSON.stringify(owner))
}

export function formatManifest({ state, pieces }: Manifest): Buffer {
  return Buffer.from(JSON.stringify({ state: liveJson(state), pieces }))
}

export function formatDone(end: Done): Buffer {
  const record = end.kind === 'finished' ? { record: JSON.parse(formatRecord(end.record)) } : {}
  return Buffer.from(JSON.stringify({ format: 1, ...end, ...record }))
}

export function formatNotes(record: UploadRecord): Buffer {
  return Buffer.from(formatRecord(record))
}

function liveJson({ record, ...rest }: LiveState): object {
  return { format: 1, record: JSON.parse(formatRecord(record)), ...rest }
}

function withoutFormat({ format: _, ...state }: LiveState & { readonly format: 1 }): LiveState {
  return state
}

function json(body: Buffer): unknown {
  return JSON.parse(body.toString())
}
