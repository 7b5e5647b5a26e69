import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import type { ServerProcess } from '../server-process.ts'
import { hasGrown, type Margin } from './growth.ts'

/** The resources of the program at one moment. */
export interface Sample {
  /** Since the start of the load. */
  readonly seconds: number
  /** MiB. */
  readonly resident: number
  /** MiB of JavaScript objects, and of buffers outside of that heap. */
  readonly heap: number
  readonly buffers: number
  readonly descriptors: number
  /** In the data directory, without tombstones. */
  readonly files: number
  /** Tombstones of deleted and expired uploads. They accumulate, which is no leak. */
  readonly tombstones: number
  /** Completed tasks. */
  readonly done: number
}

/** The columns that must not grow, with their margins. */
export const MARGINS: Readonly<Partial<Record<keyof Sample, Margin>>> = {
  resident: { share: 0.1, fixed: 16 },
  heap: { share: 0.1, fixed: 12 },
  buffers: { share: 0.1, fixed: 12 },
  descriptors: { share: 0.1, fixed: 10 },
  files: { share: 0.2, fixed: 60 },
}

const COLUMNS = ['seconds', 'resident', 'heap', 'buffers', 'descriptors', 'files', 'tombstones', 'done'] as const

/** The output of the probe in the program, in MiB. */
const probed = z.object({ heap: z.number(), buffers: z.number() })

/** Measures the program. @param dataDir its data directory. @param probe the output file of the probe. */
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
  // A directory may be removed while it is listed.
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  let files = 0
  for (const entry of entries) {
    if (entry.isFile()) files += 1
    else if (entry.isDirectory()) files += await filesIn(path.join(folder, entry.name))
  }
  return files
}

/** A CSV table with a line per sample. */
export function toCsv(samples: readonly Sample[]): string {
  const lines = samples.map((one) => COLUMNS.map((column) => Math.round(one[column] * 10) / 10).join(','))
  return `${[COLUMNS.join(','), ...lines].join('\n')}\n`
}

/** The columns that have grown by more than their margin. */
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
