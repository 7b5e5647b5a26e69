import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import type { ServerProcess } from '../server-process.ts'
import { hasGrown, type Margin } from './growth.ts'

/** What the program holds at one moment. */
export interface Sample {
  /** Since the begin of the load. */
  readonly seconds: number
  /** MiB. */
  readonly resident: number
  /** MiB of JavaScript objects, and of buffers outside of that heap. */
  readonly heap: number
  readonly buffers: number
  readonly descriptors: number
  /** In the data folder, without tombstones. */
  readonly files: number
  /** Of uploads that were deleted or have expired. They stay, so that their number is no sign of a leak. */
  readonly tombstones: number
  /** Pieces of work done so far. */
  readonly done: number
}

/** What must come to rest, each with how much it may still move. */
export const MARGINS: Readonly<Partial<Record<keyof Sample, Margin>>> = {
  resident: { share: 0.1, fixed: 16 },
  heap: { share: 0.1, fixed: 12 },
  buffers: { share: 0.1, fixed: 12 },
  descriptors: { share: 0.1, fixed: 10 },
  files: { share: 0.2, fixed: 60 },
}

const COLUMNS = ['seconds', 'resident', 'heap', 'buffers', 'descriptors', 'files', 'tombstones', 'done'] as const

/** What the probe in the program writes: MiB. */
const probed = z.object({ heap: z.number(), buffers: z.number() })

/** Measures the program. @param dataDir its data folder. @param probe the file that the probe writes. */
export async function sample(
  server: ServerProcess,
  dataDir: string,
  probe: string,
  since: number,
  done: number,
): Promise<Sample> {
  const { resident } = await server.usage()
  const descriptors = (await readdir(`/proc/${server.pid}/fd`)).length
  const { heap, buffers } = probed.parse(JSON.parse(await readFile(probe, 'utf8')))
  const tombstones = (await readdir(path.join(dataDir, 'gone'))).length
  const files = (await filesIn(dataDir)) - tombstones
  const seconds = Math.round((performance.now() - since) / 100) / 10
  return { seconds, resident, heap, buffers, descriptors, files, tombstones, done }
}

async function filesIn(folder: string): Promise<number> {
  // A folder may go while it is looked into.
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  let files = 0
  for (const entry of entries) {
    if (entry.isFile()) files += 1
    else if (entry.isDirectory()) files += await filesIn(path.join(folder, entry.name))
  }
  return files
}

/** A table for spreadsheets, one line for each sample. */
export function toCsv(samples: readonly Sample[]): string {
  const lines = samples.map((one) => COLUMNS.map((column) => Math.round(one[column] * 10) / 10).join(','))
  return `${[COLUMNS.join(','), ...lines].join('\n')}\n`
}

/** The names of the columns that have grown by more than their margin. */
export function grownColumns(samples: readonly Sample[]): readonly string[] {
  return COLUMNS.filter((column) => {
    const margin = MARGINS[column]
    return (
      margin !== undefined &&
      hasGrown(
        samples.map((one) => one[column]),
        margin,
      )
    )
  })
}
