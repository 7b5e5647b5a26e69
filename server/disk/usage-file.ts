import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { onDisk } from './disk-error.ts'
import { ifThere, replaceFile } from './files.ts'
import type { Layout } from './layout.ts'

const count = z.number().int()
const charge = z.object({ bytes: count, files: count, unfinished: count })
const totals = z.object({ total: charge, accounts: z.array(z.tuple([z.string(), charge])) })

/** What uploads cost, in total and by account. */
export type UsageTotals = z.output<typeof totals>

/** Reads the totals that an earlier process has kept; `undefined` if there are none that can be read. */
export async function readUsage({ usage }: Layout): Promise<UsageTotals | undefined> {
  const text = await ifThere(() => readFile(usage, 'utf8')).catch(() => undefined)
  if (text === undefined) return undefined
  try {
    return totals.parse(JSON.parse(text))
  } catch {
    // A recount makes new ones.
    return undefined
  }
}

/** Keeps totals, as JSON, durably. @throws UploadError `no_space`, `storage_error`. */
export async function keepUsage({ usage }: Layout, json: string): Promise<void> {
  await onDisk(() => replaceFile(usage, `${json}\n`))
}
