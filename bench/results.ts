import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'

/** What a run of one workload against one server has shown. */
const figuresSchema = z.object({
  /** What the workload is about, in its unit. */
  time: z.number(),
  /** Wall time of the measured part. */
  seconds: z.number(),
  /** CPU seconds of the server. Where a workload lasts a fixed time: for 10,000 answers. */
  cpu: z.number(),
  /** CPU seconds of the bench itself, likewise. */
  clientCpu: z.number(),
  /** Peak resident memory of the server in MiB. */
  peak: z.number(),
  /** 10⁶ bytes of payload per second. */
  megabytesPerSecond: z.number().optional(),
  requestsPerSecond: z.number().optional(),
  /** Bytes handed to the disk for each byte of payload. */
  writtenPerByte: z.number().optional(),
  /** Milliseconds until /upload/complete answered. */
  completeMs: z.number().optional(),
  /** Resident memory in MiB at the end of the measured part. */
  resident: z.number().optional(),
  /** Seconds from SIGTERM to the end of the server. */
  stopSeconds: z.number().optional(),
  /** KiB of resident memory that each open upload has added. */
  memoryPerUpload: z.number().optional(),
})

export type Figures = z.infer<typeof figuresSchema>

const metricSchema = figuresSchema.keyof()

export type Metric = z.infer<typeof metricSchema>

const whichSchema = z.object({ workload: z.string(), server: z.string(), round: z.number() })

const resultsSchema = z.object({
  /** ISO 8601, UTC. */
  startedAt: z.string(),
  rounds: z.number(),
  machine: z.object({
    system: z.string(),
    cpu: z.string(),
    cores: z.number(),
    memoryGiB: z.number(),
    node: z.string(),
  }),
  /** Of Landfall; where it is known. */
  commit: z.string().optional(),
  contestants: z.array(z.object({ name: z.string(), version: z.string(), settings: z.string() })),
  /** Peers that were not found on the machine. */
  absent: z.array(z.object({ name: z.string() })),
  workloads: z.array(
    z.object({
      name: z.string(),
      unit: z.enum(['s', 'ms', 'µs']),
      /** Where the workload is a point of a curve: of which, and where on its axis. */
      point: z.object({ curve: z.enum(['size', 'concurrency']), at: z.number() }).optional(),
    }),
  ),
  runs: z.array(whichSchema.extend({ figures: figuresSchema })),
  failures: z.array(whichSchema.extend({ reason: z.string() })),
})

/** Everything that one run of the bench has measured. */
export type Results = z.infer<typeof resultsSchema>

export type WorkloadInfo = Results['workloads'][number]

export { metricSchema }

/** @throws Error when the file cannot be read or is no result of the bench. */
export async function readResults(file: string): Promise<Results> {
  const parsed = resultsSchema.safeParse(JSON.parse(await readFile(file, 'utf8')))
  if (!parsed.success) throw new Error(`${path.basename(file)} holds no results: ${z.prettifyError(parsed.error)}`)
  return parsed.data
}

/** Writes results, with six digits of each figure. */
export async function writeResults(file: string, results: Results): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true })
  const short = (_: string, value: unknown): unknown =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value
  await writeFile(file, `${JSON.stringify(results, short, 2)}\n`)
}
