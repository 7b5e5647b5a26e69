import { z } from 'zod'
import type { Action, PrincipalLimits } from '../core/principal.ts'

const ACTIONS = ['create', 'write', 'read', 'delete', 'ask'] as const satisfies readonly Action[]

const bytes = z.int().nonnegative()

/** What credentials may restrict, in any part. An unknown key is refused: it may be a misspelt restriction. */
export const restrictions = z
  .strictObject({
    may: z.array(z.enum(ACTIONS)),
    max_size: bytes,
    types: z.array(z.string().min(1).max(200)).min(1).max(200),
    quota: bytes,
    path: z.string().startsWith('/').max(1_000),
  })
  .partial()

export type Restrictions = z.output<typeof restrictions>

const EVERYTHING: ReadonlySet<Action> = new Set(ACTIONS)

/** What remains after restrictions; without any, everything. */
export function grantOf({ may, max_size: maxSize, types, quota }: Restrictions): {
  readonly may: ReadonlySet<Action>
  readonly limits: PrincipalLimits
} {
  return { may: may === undefined ? EVERYTHING : new Set(may), limits: { maxSize, types, quota } }
}

/** Whether a path is `prefix`, or lies below it. */
export function isWithin(path: string, prefix: string): boolean {
  const base = prefix.replace(/(?<!\/)\/+$/, '')
  return path === base || path.startsWith(`${base}/`)
}
